"""A power cut makes ClickHouse forget which numbers of commits are taken, though the commits are there.

It writes the tokens of inserts into a file that it does not flush. The tests remove this file.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from pegcount.core import CancelToken
from pegcount.errors import WriteFateUnknownError
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard
from pegcount.store.clickhouse.writing.commit import DayChains, empty_commit

from clickhouse.rig import Rig, Server
from clickhouse.test_writer import Place

DAY = 20_000
MARKERS = "SELECT seq, count() FROM ledger WHERE state = 9 GROUP BY seq ORDER BY seq"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path, shard_count=1) as rig:
        yield rig


@pytest.fixture
def place(rig: Rig) -> Iterator[Place]:
    place = Place(rig)
    yield place
    place.close()


def cut(server: Server) -> None:
    """Leaves what a power cut may leave."""
    server.kill()
    logs = list(server.data.glob("store/*/*/deduplication_logs"))
    assert logs
    for each in logs:
        shutil.rmtree(each)
    server.start()


class CutOff(Shard):
    """A shard whose power is cut after its first insert, before the answer."""

    def __init__(self, shard: Shard, server: Server) -> None:
        self.name, self.place = shard.name, shard.place
        self._whole = shard
        self._server = server
        self._is_cut = False

    def insert(
        self,
        table: str,
        block: bytes,
        cancel_token: CancelToken,
        *,
        token: str | None = None,
        row_format: str = "Native",
        settings: Mapping[str, str | int] | None = None,
    ) -> None:
        self._whole.insert(table, block, cancel_token, token=token, row_format=row_format, settings=settings)
        if not self._is_cut:
            self._is_cut = True
            cut(self._server)
            raise WriteFateUnknownError("cut off", 0.0)

    def rows(self, query: Query, cancel_token: CancelToken) -> list[list[str]]:
        return self._whole.rows(query, cancel_token)


def commit_next(chains: DayChains) -> int:
    """Makes an empty commit, and returns its number."""
    seq = chains.head(DAY, CancelToken(60.0)) + 1
    assert chains.make(empty_commit(DAY, seq), CancelToken(60.0))
    return seq


def test_a_commit_whose_answer_is_lost_is_made_once(rig: Rig, place: Place) -> None:
    (whole,) = place.commits().chains
    chains = DayChains(CutOff(whole.shard, rig.servers[0]), 0)
    assert commit_next(chains) == 1
    assert place.ask(MARKERS) == [["1", "1"]]


def test_a_writer_that_read_the_head_before_the_cut_loses(rig: Rig, place: Place) -> None:
    first, second = (place.commits().chains[0] for _ in range(2))
    assert commit_next(first) == 1
    late = empty_commit(DAY, second.head(DAY, CancelToken(60.0)) + 1)
    assert commit_next(first) == 2
    cut(rig.servers[0])
    assert not second.make(late, CancelToken(60.0))
    assert place.ask(MARKERS) == [["1", "1"], ["2", "1"]]
