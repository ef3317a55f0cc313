"""What the shards hold after a drill, beside what its writers were told."""

from collections import Counter
from collections.abc import Sequence

from clickhouse.fleet_load import (
    BATCH_SIZE,
    DAY_COUNT,
    FIRST_SECONDS,
    REVISED_SECONDS,
    Writer,
    revised_count,
    session_count,
)
from clickhouse.rig import Rig

_TOTALS = (
    "SELECT sum(sign), sum(toInt128(sign * duration_ms)) FROM ledger"
    " WHERE state = 0 AND session_kind = 1 AND last_attempt = 1"
)
_WRONG = {
    "sessions that do not count once": (
        "SELECT session_id FROM ledger WHERE state < 9 GROUP BY source, session_id HAVING sum(sign) != 1"
    ),
    "numbers that two commits have": (
        "SELECT seq FROM ledger WHERE state = 9 GROUP BY day, seq HAVING count() > 1"
    ),
}
_ROWS = "SELECT session_id, duration_ms FROM ledger WHERE state < 9 GROUP BY ALL HAVING sum(sign) > 0"


class Ledgers:
    """The ledgers of a database, into which the writers of a drill have written."""

    def __init__(self, rig: Rig, database: str) -> None:
        self._rig = rig
        self._database = database

    def batches(self, shard: int) -> Counter[tuple[str, int, int, str]]:
        """Counts the calls of a shard by what one commit has stored: writer, batch, home day, and whether the
        batch was the first to have them, or has revised them.
        """
        found: Counter[tuple[str, int, int, str]] = Counter()
        for row in self._rig.servers[shard].ask(_ROWS, database=self._database).splitlines():
            session_id, milliseconds = row.split("\t")
            writer, _, number = session_id.partition("-")
            batch = (writer, int(number) // BATCH_SIZE, int(number) % DAY_COUNT)
            found[(*batch, "first")] += 1
            if int(milliseconds) == REVISED_SECONDS * 1_000:
                found[(*batch, "revised")] += 1
        return found

    def require_exactly(self, writers: Sequence[Writer]) -> tuple[int, int]:
        """Fails unless tables and projections have what was acknowledged, once, before and after a merge.

        Returns the number of calls, and their milliseconds.
        """
        count = sum(session_count(each.acknowledged) for each in writers)
        revised = sum(revised_count(each.acknowledged) for each in writers)
        seconds = FIRST_SECONDS * (count - revised) + REVISED_SECONDS * revised
        expected = (count, seconds * 1_000)
        assert [answer for each in writers for answer in each.strange] == []
        self._require(expected)
        self._rig.ask("OPTIMIZE TABLE ledger FINAL", database=self._database)
        self._require(expected)
        return expected

    def _require(self, expected: tuple[int, int]) -> None:
        found = {
            "tables": self._totals(optimize_use_projections=0),
            "projections": self._totals(force_optimize_projection_name="folders"),
        }
        wrong = {
            name: [
                int(each) for each in self._rig.ask(f"SELECT count() FROM ({inner})", database=self._database)
            ]
            for name, inner in _WRONG.items()
        }
        is_right = set(found.values()) == {expected} and set(map(sum, wrong.values())) == {0}
        assert is_right, f"{expected} calls and ms were acknowledged: {found}, wrong by shard: {wrong}"

    def _totals(self, **settings: str | int) -> tuple[int, int]:
        rows = [row.split() for row in self._rig.ask(_TOTALS, database=self._database, **settings)]
        return sum(int(row[0]) for row in rows), sum(int(row[1]) for row in rows)
