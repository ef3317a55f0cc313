"""Shards whose inserts are cut off, for tests of what becomes of them."""

from collections.abc import Sequence

from pegcount.core import CancelToken
from pegcount.errors import DeadlineError, WriteFateUnknownError
from pegcount.store.clickhouse.wire.shard import Shard


class Faulty:
    """A shard whose inserts are cut off: before they arrive, or after they are made."""

    def __init__(self, shard: Shard, faults: Sequence[str]) -> None:
        self.name = shard.name
        self._shard = shard
        self.faults = list(faults)
        self.run = shard.run
        self.rows = shard.rows

    def insert(
        self,
        table: str,
        block: bytes,
        cancel_token: CancelToken,
        *,
        token: str | None = None,
        row_format: str = "Native",
    ) -> None:
        fault = self.faults.pop(0) if self.faults else ""
        if fault != "before":
            self._shard.insert(table, block, cancel_token, token=token, row_format=row_format)
        if fault == "late":
            raise DeadlineError("too late")
        if fault:
            raise WriteFateUnknownError("cut off", 0.0)


class Held(Faulty):
    """A shard to which the first insert comes late: when the test sends it."""

    def insert(
        self,
        table: str,
        block: bytes,
        cancel_token: CancelToken,
        *,
        token: str | None = None,
        row_format: str = "Native",
    ) -> None:
        if not self.faults:
            super().insert(table, block, cancel_token, token=token, row_format=row_format)
            return
        self.faults = []
        self.late = (table, block, token)
        raise DeadlineError("on its way")
