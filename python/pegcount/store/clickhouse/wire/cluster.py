"""The shards of a cluster, asked together."""

import threading
from collections.abc import Callable
from typing import TypeVar

from pegcount.core import CancelToken
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard
from pegcount.store.clickhouse.wire.shard_request import wait_for_all

T = TypeVar("T")


class Cluster:
    """All shards, by number. Thread-safe."""

    def __init__(self, address: ClusterAddress, query_seconds_max: float) -> None:
        """Connects to nothing yet; `query_seconds_max` is that of `Config`.

        Raises StoreAddressError if a file that the address names cannot be used.
        """
        self.address = address
        self.query_seconds_max = query_seconds_max
        self.database = address.database
        self.shards = tuple(
            Shard(f"shard {number}", replicas[0], address, query_seconds_max)
            for number, replicas in enumerate(address.shards, 1)
        )

    def ask_all(self, query: Query, cancel_token: CancelToken) -> list[bytes]:
        """Returns the answer of each shard to a SELECT, as Native blocks; raises as `Shard` does."""
        return wait_for_all([shard.select_request(query) for shard in self.shards], cancel_token)

    def each(self, function: Callable[[Shard], T], cancel_token: CancelToken) -> list[T]:
        """Returns what a function returns for each shard, called in a thread for each.

        Waits for all of them, and raises the error of the first shard that has one. The function ends by
        the token itself, as the methods of a shard do.
        """
        cancel_token.check()
        first, *others = self.shards
        outcomes: dict[Shard, T | BaseException] = {}

        def call(shard: Shard) -> None:
            try:
                outcomes[shard] = function(shard)
            except BaseException as error:
                outcomes[shard] = error

        threads = [threading.Thread(target=call, args=(shard,), daemon=True) for shard in others]
        for thread in threads:
            thread.start()
        call(first)
        for thread in threads:
            thread.join()
        return [_returned(outcomes[shard]) for shard in self.shards]

    def close(self) -> None:
        """Closes the connections that no call uses, and the others after their calls."""
        for shard in self.shards:
            shard.close()


def _returned(outcome: T | BaseException) -> T:
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
