"""A deletion whose end cannot be noted: its caller learns that it goes on, and the count stays right."""

from collections.abc import Callable
from typing import Any

import pytest
from pegcount import core
from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.errors import StoreUnavailableError
from pegcount.model import Deletion, DeletionOutcome
from pegcount.store.clickhouse.rewriting.privacy import PrivacyWork
from pegcount.store.clickhouse.rewriting.rewriter import Condition, Rewritten
from pegcount.store.clickhouse.shared.deletions import ClusterDeletion

DELETION = Deletion("a", None, None, ())
UNUSED: Any = None


class ThreeRecords:
    """A rewriter that finds three records at its first pass, and none later."""

    def __init__(self) -> None:
        self.left = 3

    def rewrite(
        self,
        condition: Condition,
        deletion: core.DeletionRule,
        cancel_token: CancelToken,
        on_removed: Callable[[int], None],
    ) -> Rewritten:
        removed, self.left = self.left, 0
        on_removed(removed)
        return Rewritten(removed, 0)


class AwayAtTheEnd:
    """Deletions of a first shard that is away when the first one is finished."""

    def __init__(self) -> None:
        self.begun = ClusterDeletion("0000000001", 1, 1, DELETION, 0, 0, is_complete=False)
        self.deleted: list[int] = []

    def begin(self, deletion: Deletion, cancel_token: CancelToken) -> ClusterDeletion:
        return self.begun

    def finish(self, key: str, deleted: int, cancel_token: CancelToken) -> DeletionOutcome:
        self.deleted.append(deleted)
        if len(self.deleted) == 1:
            raise StoreUnavailableError("shard 1 does not answer", 1.0)
        return DeletionOutcome(deleted, 1)


def test_a_deletion_whose_end_is_not_noted_is_completed_with_its_count() -> None:
    """Its caller was not told, and the rule said later that it had deleted 0 records."""
    deletions: Any = AwayAtTheEnd()
    rewriter: Any = ThreeRecords()
    work = PrivacyWork(UNUSED, UNUSED, deletions, UNUSED, rewriter, Config(), bytes(16))
    with pytest.raises(StoreUnavailableError, match="completes it in the background"):
        work.delete(DELETION, CancelToken(10.0))
    assert work.is_left(deletions.begun.key)
    work.complete_deletion(deletions.begun, CancelToken(10.0))
    assert deletions.deleted == [3, 3]
    assert not work.is_left(deletions.begun.key)
