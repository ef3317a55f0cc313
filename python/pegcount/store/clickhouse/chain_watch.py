"""Notices that a shard has gone back to an older state, or has a part of its ledger twice.

An old copy of its data, a disk that was rolled back, or a part that somebody attached again make figures
wrong, and nothing fails. The numbers of commits tell: they never fall, and no commit is there twice.
"""

import logging
import time
from dataclasses import dataclass
from datetime import date
from typing import Final

from pegcount.core import CancelToken
from pegcount.errors import DataDamagedError
from pegcount.store.clickhouse.tables.ledger_table import LEDGER, MARKER
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard

_EPOCH: Final = date(1970, 1, 1).toordinal()
_LOG = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 20.0
"""Seconds between two looks; a look reads the markers of the days whose parts are other ones than before."""
_PARTS: Final = Query(
    "SELECT toInt32(extract(partition, '-?[0-9]+')) AS home_day, groupBitXor(cityHash64(name))"
    f" FROM system.parts WHERE active AND database = currentDatabase() AND table = '{LEDGER}'"
    " GROUP BY home_day"
)
_CHAINS: Final = (
    "SELECT day, max(seq), count() - uniqExact(seq, writer)"
    f" FROM {LEDGER} WHERE state = {MARKER} AND day IN {{days:Array(Int32)}} GROUP BY day"
)
_NEXT_STEP: Final = (
    "its operator has to restore it, or to restart this server, which goes on with what is there then"
)


@dataclass(frozen=True, slots=True)
class _Chain:
    """The commits of a home day."""

    head: int
    parts: str
    """A hash of the names of all parts: with the same parts, the commits are the same."""


_NONE: Final = _Chain(0, "")


class ChainWatch:
    """Remembers the last commit of each home day that it has seen. Thread-safe: one thread looks."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._chains: dict[str, dict[int, _Chain]] = {}
        """By shard and home day."""
        self._looked_s = float("-inf")
        self._damage: tuple[str, str] | None = None
        """What is wrong, and with which shard."""

    @property
    def damage(self) -> str | None:
        """What is wrong, None while nothing was seen."""
        return None if self._damage is None else self._damage[0]

    def require_whole(self) -> None:
        """Raises DataDamagedError once a shard was seen to lack commits, or to have one twice."""
        if self._damage is not None:
            text, shard = self._damage
            raise DataDamagedError(text, file=shard)

    def look_soon(self) -> None:
        """Makes the next look due, as after a shard was away."""
        self._looked_s = float("-inf")

    def look(self, cancel_token: CancelToken) -> None:
        """Looks at all shards if that is due; raises as `Shard`."""
        if time.monotonic() < self._looked_s + _LOOK_SECONDS:
            return
        self._chains = {shard.name: self._looked_at(shard, cancel_token) for shard in self._cluster.shards}
        self._looked_s = time.monotonic()

    def _looked_at(self, shard: Shard, cancel_token: CancelToken) -> dict[int, _Chain]:
        """Returns the chains of a shard by home day; of days without parts, which may begin anew, none."""
        before = self._chains.get(shard.name, {})
        parts = {int(day): hash_of_names for day, hash_of_names in shard.rows(_PARTS, cancel_token)}
        chains = {
            day: before[day] for day, parts_now in parts.items() if before.get(day, _NONE).parts == parts_now
        }
        changed = ",".join(str(day) for day in parts if day not in chains)
        if not changed:
            return chains
        for day_text, head_text, doubled in shard.rows(
            Query(_CHAINS, {"days": f"[{changed}]"}), cancel_token
        ):
            day, head = int(day_text), int(head_text)
            highest = max(head, before.get(day, _NONE).head)
            chains[day] = _Chain(highest, parts.get(day, ""))
            if head < highest:
                self._note(shard.name, day, f"has commits up to {head} of {highest}")
            elif int(doubled):
                self._note(shard.name, day, "has a commit twice")
        return chains

    def _note(self, shard: str, day: int, found: str) -> None:
        if self._damage is None:
            text = f"{shard} {found} in its ledger of {date.fromordinal(_EPOCH + day)}: {_NEXT_STEP}"
            _LOG.critical("%s", text)
            self._damage = text, shard
