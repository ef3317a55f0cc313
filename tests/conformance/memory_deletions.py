"""The deletions of the store in memory: each compares every record, under one lock with the writers."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pegcount import core, errors, model
from pegcount.config import Config
from pegcount.store import Store


@dataclass
class Rules:
    """The deletions that still apply, by number, and the last number that one had."""

    by_number: dict[int, model.DeletionRule] = field(default_factory=dict)
    last: int = 0

    def cover(self, row: Mapping[str, Any]) -> bool:
        """Returns whether a record is deleted."""
        return any(_covers(rule, row) for rule in self.by_number.values())


@dataclass
class Records:
    """What a deletion changes."""

    sessions: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    """By source and session id, which a source may use again on a later day; the columns are the `row`."""
    rules: Rules = field(default_factory=Rules)


class DeletingStore(Store):
    """A store over a disk from which records can be removed."""

    _disk: Records
    _config: Config
    _clock: Callable[[], int]
    _lock: threading.RLock

    def delete(self, deletion: model.Deletion, cancel_token: core.CancelToken) -> model.DeletionOutcome:
        with self._locked(cancel_token) as rules:
            number = rules.last + 1
            ids = deletion.session_ids
            times = (deletion.from_us, deletion.to_us)
            rule = model.DeletionRule(
                number, deletion.source, *times, len(ids) or None, self._clock(), 0, session_ids=ids
            )
            if not deletion.once:
                self._require_room(rules, len(ids))
            deleted = self._remove(lambda row: _covers(rule, row))
            if deletion.once:
                return model.DeletionOutcome(deleted, None)
            rules.by_number[number], rules.last = replace(rule, deleted=deleted), number
            return model.DeletionOutcome(deleted, number)

    def deletions(self) -> Sequence[model.DeletionRule]:
        return [replace(rule, session_ids=()) for rule in self._disk.rules.by_number.values()]

    def deletion(self, rule_id: int) -> model.DeletionRule:
        if rule_id not in self._disk.rules.by_number:
            text = f"no deletion {rule_id}"
            raise errors.NotFoundError("DELETION_NOT_FOUND", "deletion", text, rule_id=rule_id)
        return self._disk.rules.by_number[rule_id]

    def lift_deletion(self, rule_id: int, cancel_token: core.CancelToken) -> None:
        with self._locked(cancel_token) as rules:
            del rules.by_number[self.deletion(rule_id).rule_id]

    @contextmanager
    def _locked(self, cancel_token: core.CancelToken) -> Iterator[Rules]:
        with self._lock:
            cancel_token.check()
            yield self._disk.rules

    def _remove(self, is_unwanted: Callable[[Mapping[str, Any]], bool]) -> int:
        """Removes records, and returns their number."""
        removed = 0
        for key, sessions in self._disk.sessions.items():
            kept = [one for one in sessions if not is_unwanted(one.row)]
            removed += len(sessions) - len(kept)
            self._disk.sessions[key] = kept
        return removed

    def _require_room(self, rules: Rules, id_count: int) -> None:
        asked, allowed = len(rules.by_number) + 1, self._config.deletion_count_max
        if asked > allowed:
            raise errors.DeletionLimitError("once", "rules", asked, allowed, "deletion_count_max")
        asked = id_count + sum(len(rule.session_ids) for rule in rules.by_number.values())
        allowed = self._config.deletion_session_id_total_max
        if id_count and asked > allowed:
            raise errors.DeletionLimitError("session_ids", "session ids", asked, allowed, "total")


def _covers(rule: model.DeletionRule, row: Mapping[str, Any]) -> bool:
    return (
        rule.source in (None, row.get("source", ""))
        and (rule.from_us is None or rule.from_us <= row["setup_time"])
        and (rule.to_us is None or row["setup_time"] < rule.to_us)
        and (not rule.session_ids or row["session_id"] in rule.session_ids)
    )
