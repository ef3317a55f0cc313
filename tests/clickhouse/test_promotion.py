"""Which replica takes the writes of a shard: the statements that `promote` sends, on stand-ins of servers."""

from collections.abc import Mapping
from typing import Any, cast

import pytest
from pegcount.core import CancelToken
from pegcount.errors import StoreOpenError, StoreUnavailableError
from pegcount.store.clickhouse.tables.places import Place
from pegcount.store.clickhouse.tables.promotion import Promotion, promote
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard

TABLES = ("changes", "ledger")


class Replica:
    """A server that keeps what it is told."""

    def __init__(self, number: int, epoch: int = 0) -> None:
        self.name = f"replica {number}"
        self.place = self.name
        self.is_dead = False
        self.epoch = epoch
        self.statements: list[str] = []
        self.replicas = {"r1": "1", "r2": "1"}
        self.read_only = "0"
        self.nonce = 0

    def rows(self, query: Query, _: CancelToken) -> list[list[str]]:
        if self.is_dead:
            raise StoreUnavailableError("it does not answer", 1.0)
        if "version()" in query.text:
            return [["26.7.2.1", "0", ""]]
        if "system.tables" in query.text:
            return [["meta"], ["ledger"]]
        if "FROM meta" in query.text:
            keys = ["00" * 16] * 2
            return [["1", str(self.nonce), "c1", "1", "1", "1", str(self.epoch), "1", *keys]]
        if "replica_is_active" in query.text:
            return [[name, active] for name, active in self.replicas.items()]
        return [[table, self.read_only] for table in TABLES]

    def run(self, statement: str, _: CancelToken, __: Mapping[str, Any] | None = None) -> None:
        self.statements.append(statement)
        if statement.startswith("SYSTEM DROP REPLICA"):
            self.replicas.pop("r1", None)

    def insert(self, table: str, block: bytes, _: CancelToken, **__: Any) -> None:
        assert table == "meta"
        self.epoch = int(block.decode().split("\t")[6])


class Pair:
    """The two replicas of one shard."""

    def __init__(self) -> None:
        self.first, self.second = Replica(1), Replica(2)

    def promote(self, shard: int = 1, replica: int = 2, lost: str | None = None) -> Promotion:
        servers = enumerate((self.first, self.second), 1)
        places = [Place(1, number, 2, cast("Shard", server), "calls") for number, server in servers]
        return promote(places, shard, replica, lost, CancelToken(None))

    def refusal(self, **given: Any) -> str:
        with pytest.raises(StoreOpenError) as refused:
            self.promote(**given)
        assert self.second.epoch == 0
        return str(refused.value)

    def lose_first(self) -> None:
        self.first.is_dead = True
        self.second.replicas["r1"] = "0"


SYNCED = [f"SYSTEM SYNC REPLICA {table}" for table in TABLES]


def test_while_the_present_one_answers_the_other_gets_all_and_numbers_stay_valid() -> None:
    pair = Pair()
    assert pair.promote() == Promotion("replica 2", 0, TABLES, None)
    assert pair.second.statements == SYNCED
    assert pair.first.statements == []


def test_a_lost_one_is_forgotten_before_the_epoch_grows() -> None:
    pair = Pair()
    pair.lose_first()
    assert pair.promote(lost="r1") == Promotion("replica 2", 1, TABLES, "r1")
    dropped = [f"SYSTEM DROP REPLICA 'r1' FROM TABLE {table}" for table in TABLES]
    assert pair.second.statements == dropped + SYNCED


def test_an_unfinished_promotion_is_done_again() -> None:
    pair = Pair()
    pair.lose_first()
    pair.promote(lost="r1")
    pair.second.statements.clear()
    pair.promote(lost="r1")
    assert pair.second.statements == SYNCED


def test_wrong_states_are_refused_and_change_nothing() -> None:
    pair = Pair()
    assert "answers: stop ClickHouse there for good" in pair.refusal(lost="r1")
    assert "takes the writes of its shard already" in pair.refusal(replica=1)
    assert "has not a replica 3: 1 is replica 1, 2 is replica 2" in pair.refusal(replica=3)
    assert "there is not a shard 2" in pair.refusal(shard=2)
    pair.lose_first()
    assert "(inactive there: r1)" in pair.refusal()
    assert "inactive: r1" in pair.refusal(lost="r2")
    pair.second.read_only = "1"
    assert "without Keeper (changes, ledger)" in pair.refusal(lost="r1")
    assert pair.second.statements == []
