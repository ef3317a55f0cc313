"""The deletions of a cluster: which are at work, and the rules that stay, in the change log.

A deletion is in the log before the rewriter removes the first record. From then on, each commit of records is
held to it: those that did not know of it come before the rewriter, which finds what they wrote.
"""

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pegcount import core
from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.model import Deletion, DeletionOutcome, DeletionRule
from pegcount.store.clickhouse.shared.change_log import ONLY_KEY, Change, ChangeLog, Entry, Snapshot
from pegcount.store.clickhouse.shared.contents import packed, unpacked
from pegcount.store.deletion_errors import deletion_not_found, require_room

_LOG = logging.getLogger(__name__)

DELETION: Final = "deletion"
"""Kind of the entry of each deletion, by its key."""
LAST_DELETION: Final = "last_deletion"
"""Kind of the entry that has the last number that a rule got."""

_FIELDS: Final = (
    "rule_id",
    "source",
    "from_us",
    "to_us",
    "session_ids",
    "create_us",
    "deleted",
    "is_complete",
)
_KEY_DIGITS: Final = 10
"""Digits of a key, so that the order of the keys is that of the numbers."""


@dataclass(frozen=True, slots=True)
class ClusterDeletion:
    """A deletion in the change log."""

    key: str
    """By which `finish` and `withdraw` know it."""
    version: int
    """The number of the commit that changed it last."""
    rule_id: int | None
    """Number of the rule that stays; None: none does."""
    deletion: Deletion
    create_us: int
    deleted: int
    """Records that it deleted, 0 until it is complete."""
    is_complete: bool

    def covering(self) -> core.DeletionRule:
        """Returns the rule for the core; until it is complete, it may be withdrawn, and has no number."""
        one = self.deletion
        rule_id = self.rule_id if self.is_complete else None
        return core.DeletionRule(rule_id, one.source, one.from_us, one.to_us, list(one.session_ids) or None)

    def described(self, rule_id: int, *, with_session_ids: bool) -> DeletionRule:
        """Returns the rule for people."""
        one, ids = self.deletion, self.deletion.session_ids
        return DeletionRule(
            rule_id,
            one.source,
            one.from_us,
            one.to_us,
            len(ids) or None,
            self.create_us,
            self.deleted,
            ids if with_session_ids else (),
        )

    def content(self) -> str:
        """Returns the content of its entry."""
        one = self.deletion
        fields: dict[str, Any] = {"rule_id": self.rule_id, "source": one.source, "from_us": one.from_us}
        fields |= {"to_us": one.to_us, "session_ids": one.session_ids, "create_us": self.create_us}
        return packed({**fields, "deleted": self.deleted, "is_complete": self.is_complete})


def deletions_of(seen: Snapshot) -> Sequence[ClusterDeletion]:
    """Returns the deletions of a state, those at work too."""
    return [_deletion(key, entry) for key, entry in seen.entries(DELETION).items()]


class Deletions:
    """The deletions in a change log. Thread-safe.

    Methods raise StoreUnavailableError, and CancelledError or DeadlineError on behalf of a token, or after
    `change_seconds_max` without one.
    """

    def __init__(self, log: ChangeLog, config: Config, clock: Callable[[], int]) -> None:
        """`clock` returns the present time in microseconds UTC."""
        self._log = log
        self._config = config
        self._clock = clock

    def begin(self, deletion: Deletion, cancel_token: CancelToken) -> ClusterDeletion:
        """Holds the writes of all servers to a deletion; it is at work until it is finished or withdrawn.

        Raises DeletionLimitError if no rule more can stay.
        """
        begun: list[ClusterDeletion] = []

        def decide(seen: Snapshot) -> Sequence[Change]:
            rule_id = None if deletion.once else _last_number(seen) + 1
            key = f"once {secrets.token_hex(8)}" if rule_id is None else f"{rule_id:0{_KEY_DIGITS}}"
            one = ClusterDeletion(key, 0, rule_id, deletion, self._clock(), 0, is_complete=False)
            begun[:] = [one]
            changes = [Change(DELETION, key, one.content())]
            if rule_id is not None:
                require_room(_described(seen), deletion, self._config)
                changes.append(Change(LAST_DELETION, ONLY_KEY, packed({"rule_id": rule_id})))
            return changes

        version = self._log.change(decide, cancel_token)
        return replace(begun[0], version=version)

    def finish(self, key: str, deleted: int, cancel_token: CancelToken) -> DeletionOutcome:
        """Notes that all records of a deletion are removed, and how many they were; its rule stays.

        One that was finished before stays as it is.
        """
        outcome: list[DeletionOutcome] = []

        def decide(seen: Snapshot) -> Sequence[Change]:
            entry = seen.entries(DELETION).get(key)
            if entry is None:
                outcome[:] = [DeletionOutcome(deleted, None)]
                return []
            one = _deletion(key, entry)
            if one.is_complete:
                outcome[:] = [DeletionOutcome(one.deleted, one.rule_id)]
                return []
            outcome[:] = [DeletionOutcome(deleted, one.rule_id)]
            finished = replace(one, deleted=deleted, is_complete=True)
            return [Change(DELETION, key, None if one.rule_id is None else finished.content())]

        self._log.change(decide, cancel_token)
        by = "once" if outcome[0].rule_id is None else f"by rule {outcome[0].rule_id}"
        _LOG.info("deleted %d records %s", deleted, by)
        return outcome[0]

    def withdraw(self, key: str, cancel_token: CancelToken) -> None:
        """Ends a deletion that is at work, and holds writes to it no more; one that is finished stays."""

        def decide(seen: Snapshot) -> Sequence[Change]:
            entry = seen.entries(DELETION).get(key)
            if entry is None or _deletion(key, entry).is_complete:
                return []
            return [Change(DELETION, key, None)]

        self._log.change(decide, cancel_token)

    def at_work(self) -> Sequence[ClusterDeletion]:
        """Returns the deletions that are neither finished nor withdrawn, as read last; never waits."""
        return [one for one in deletions_of(self._log.seen) if not one.is_complete]

    def rules(self) -> Sequence[DeletionRule]:
        """Returns the rules without their session ids, by number; see `Store.deletions`."""
        self._log.refresh(CancelToken(self._config.change_seconds_max))
        return _described(self._log.seen, is_complete=True)

    def rule(self, rule_id: int) -> DeletionRule:
        """Returns a rule with its session ids; see `Store.deletion`."""
        self._log.refresh(CancelToken(self._config.change_seconds_max))
        return _rule(self._log.seen, rule_id).described(rule_id, with_session_ids=True)

    def lift(self, rule_id: int, cancel_token: CancelToken) -> None:
        """Ends a rule durably; see `Store.lift_deletion`."""
        self._log.change(lambda seen: [Change(DELETION, _rule(seen, rule_id).key, None)], cancel_token)
        _LOG.info("rule %d of a deletion was lifted", rule_id)


def _described(seen: Snapshot, *, is_complete: bool = False) -> Sequence[DeletionRule]:
    """The deletions that have a number; with `is_complete`, without those at work."""
    return [
        one.described(one.rule_id, with_session_ids=False)
        for one in deletions_of(seen)
        if one.rule_id is not None and (one.is_complete or not is_complete)
    ]


def _rule(seen: Snapshot, rule_id: int) -> ClusterDeletion:
    """The rule of a number; raises NotFoundError. A deletion that is at work has no rule yet."""
    key = f"{rule_id:0{_KEY_DIGITS}}"
    entry = seen.entries(DELETION).get(key)
    one = None if entry is None else _deletion(key, entry)
    if one is None or not one.is_complete:
        raise deletion_not_found(rule_id)
    return one


def _deletion(key: str, entry: Entry) -> ClusterDeletion:
    fields = unpacked(entry.content, _FIELDS)
    session_ids = tuple(fields["session_ids"])
    deletion = Deletion(
        fields["source"], fields["from_us"], fields["to_us"], session_ids, once=fields["rule_id"] is None
    )
    state = (fields["create_us"], fields["deleted"], fields["is_complete"])
    return ClusterDeletion(key, entry.version, fields["rule_id"], deletion, *state)


def _last_number(seen: Snapshot) -> int:
    entry = seen.only_entry(LAST_DELETION)
    return 0 if entry is None else int(unpacked(entry.content, ("rule_id",))["rule_id"])
