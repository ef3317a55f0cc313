"""Removes from the disks what was taken out of the records.

A change of a record leaves the row that it replaces, and one that cancels it, until a merge removes both. A
merge leaves the files that it has read for some minutes, or until a partition is dropped and no report reads
them any more.
"""

from collections.abc import Sequence
from typing import Final

from pegcount.core import CancelToken
from pegcount.errors import ShardFaultError
from pegcount.store.clickhouse.tables.ledger_table import LEDGER, OF_RECORDS
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard
from pegcount.store.clickhouse.writing.commit import pause

_UNMERGED: Final = Query(
    f"SELECT day FROM {LEDGER} WHERE {OF_RECORDS} GROUP BY day HAVING uniqExact(_part) > 1 ORDER BY day"
)
_LEFT: Final = Query(
    "SELECT count() FROM system.parts WHERE database = currentDatabase()"
    f" AND table = '{LEDGER}' AND NOT active AND name IN {{names:Array(String)}}"
)
_REPLACED: Final = Query(
    f"SELECT name FROM system.parts WHERE database = currentDatabase() AND table = '{LEDGER}' AND NOT active"
)
_CANNOT_MERGE: Final = 388
"""Code of the error CANNOT_ASSIGN_OPTIMIZE: another merge of these parts is at work."""
_NO_DAY: Final = -(2**31)


def partition(day: int) -> str:
    """Returns the partition of a home day, as DDL names it."""
    return f"({day}, 0, 0, 0)"


def purge(shard: Shard, cancel_token: CancelToken) -> None:
    """Waits until the files of a shard have no row that does not count any more. Raises as `Shard` does.

    Rows that were taken away before the call began are meant. Only days with records in several parts may
    have such rows: a merge of all parts of a day leaves none.
    """
    for (day,) in shard.rows(_UNMERGED, cancel_token):
        _merge(shard, int(day), cancel_token)
    names = [name for (name,) in shard.rows(_REPLACED, cancel_token)]
    attempt = 0
    while names and _count_left(shard, names, cancel_token):
        # The server looks for files to remove once in a while, and whenever a partition is dropped.
        shard.run(f"ALTER TABLE {LEDGER} DROP PARTITION {partition(_NO_DAY)}", cancel_token)
        attempt += 1
        pause(attempt, cancel_token)


def _merge(shard: Shard, day: int, cancel_token: CancelToken) -> None:
    attempt = 0
    while True:
        try:
            shard.run(
                f"OPTIMIZE TABLE {LEDGER} PARTITION {partition(day)} FINAL",
                cancel_token,
                {"optimize_throw_if_noop": 1},
            )
        except ShardFaultError as error:
            if error.code != _CANNOT_MERGE:
                raise
        else:
            return
        attempt += 1
        pause(attempt, cancel_token)


def _count_left(shard: Shard, names: Sequence[str], cancel_token: CancelToken) -> int:
    listed = ",".join(f"'{name}'" for name in names)
    rows = shard.rows(Query(_LEFT.text, {"names": f"[{listed}]"}), cancel_token)
    return int(rows[0][0])
