"""What each server does for the cluster in the background: all of it may be done by several at once.

Records that a dead server has left apart, retention, masking of days that have ended, deletions and erasures
whose callers have left, entries of code decks that were replaced, and old audit entries.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from pegcount.core import CancelToken
from pegcount.errors import PegcountError, cause_of
from pegcount.store.clickhouse.chain_watch import ChainWatch
from pegcount.store.clickhouse.cluster_clock import ClusterClock
from pegcount.store.clickhouse.rewriting.expiry import Expiry
from pegcount.store.clickhouse.rewriting.privacy import PrivacyWork
from pegcount.store.clickhouse.shared.audit import ClusterAudit
from pegcount.store.clickhouse.shared.change_log import ChangeLog
from pegcount.store.clickhouse.shared.decks import Decks
from pegcount.store.clickhouse.shared.deletions import Deletions
from pegcount.store.clickhouse.shared.erasures import Erasures
from pegcount.store.clickhouse.shared.settings import Settings
from pegcount.store.clickhouse.step_thread import Step
from pegcount.store.clickhouse.writing.healing import Healing
from pegcount.store.rejections import RejectionCounts
from pegcount.zone import US_PER_SECOND

_ABANDONED_SECONDS: Final = 600
"""Seconds after which a deletion or an erasure of another server is completed here, if it is not complete."""
_STEP_SECONDS_MAX: Final = 3_600.0
_LOOK_SECONDS_MAX: Final = 5.0
"""Seconds that a shard may take to say that it is there."""
_TIDY_SECONDS: Final = 600.0
"""Seconds between two looks for rows to remove that do not count any more."""


class Upkeep:
    """The steps, which one thread at a time takes."""

    def __init__(
        self,
        log: ChangeLog,
        cluster_clock: ClusterClock,
        watch: ChainWatch,
        settings: Settings,
        deletions: Deletions,
        erasures: Erasures,
        decks: Decks,
        audit: ClusterAudit,
        privacy: PrivacyWork,
        expiry: Expiry,
        healing: Healing,
        rejections: RejectionCounts,
        clock: Callable[[], int],
    ) -> None:
        self._log = log
        self._cluster_clock = cluster_clock
        self._watch = watch
        self._settings = settings
        self._deletions = deletions
        self._erasures = erasures
        self._decks = decks
        self._audit = audit
        self._privacy = privacy
        self._expiry = expiry
        self._healing = healing
        self._rejections = rejections
        self._clock = clock
        self.fault: str | None = None
        """Why a shard could not be asked when it was asked last, None if all could."""
        self._tidied_s = float("-inf")

    def steps(self) -> Sequence[Step]:
        """Returns the steps, in the order in which they are taken."""
        return [
            Step("to ask the shards", _LOOK_SECONDS_MAX, self._look),
            Step("to join records", _STEP_SECONDS_MAX, self._healing.heal),
            Step("to look for lost commits", _STEP_SECONDS_MAX, self._watch.look),
            Step("retention", _STEP_SECONDS_MAX, self._expiry.apply),
            Step("to complete deletions", _STEP_SECONDS_MAX, self._complete_deletions),
            Step("to complete erasures", _STEP_SECONDS_MAX, self._complete_erasures),
            Step("to mask", _STEP_SECONDS_MAX, self._mask),
            Step("to count rejected records", _STEP_SECONDS_MAX, lambda _: self._rejections.save_if_due()),
            Step("to tidy", _STEP_SECONDS_MAX, self._tidy),
        ]

    def _look(self, cancel_token: CancelToken) -> None:
        """Asks every shard for something, which also tells whether it is there."""
        try:
            self._cluster_clock.look(cancel_token)
            self._log.refresh(cancel_token)
        except PegcountError as error:
            self.fault = cause_of(error)
            self._watch.look_soon()
            raise
        self.fault = None

    def _complete_deletions(self, cancel_token: CancelToken) -> None:
        for each in self._deletions.at_work():
            is_mine = self._privacy.is_left(each.key)
            if is_mine or (not self._privacy.is_waited_for(each.key) and self._is_old(each.create_us)):
                self._privacy.complete_deletion(each, cancel_token)

    def _complete_erasures(self, cancel_token: CancelToken) -> None:
        due = [
            each
            for each in self._erasures.at_work()
            if self._privacy.is_erasure_left(each.erasure_id) or self._is_old(each.create_us)
        ]
        if due:
            self._privacy.scrub(cancel_token)
            for each in due:
                self._erasures.complete(each.erasure_id, cancel_token)

    def _mask(self, cancel_token: CancelToken) -> None:
        self._settings.advance_masking(cancel_token)
        self._privacy.mask(cancel_token)

    def _tidy(self, cancel_token: CancelToken) -> None:
        if time.monotonic() - self._tidied_s >= _TIDY_SECONDS:
            self._decks.tidy(cancel_token)
            self._audit.tidy(cancel_token)
            self._log.tidy(cancel_token)
            self._tidied_s = time.monotonic()

    def _is_old(self, create_us: int) -> bool:
        return self._clock() - create_us > _ABANDONED_SECONDS * US_PER_SECOND
