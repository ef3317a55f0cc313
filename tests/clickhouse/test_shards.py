"""Real servers take what a shard sends them: values of any length and form."""

from collections.abc import Iterator

import pytest
from pegcount.core import CancelToken
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard

from clickhouse.rig import Rig

SECONDS = 30.0


@pytest.fixture
def shard(cluster: Rig) -> Iterator[Shard]:
    shards = Cluster(ClusterAddress.parse(cluster.url("default")), SECONDS)
    yield shards.shards[0]
    shards.close()


@pytest.mark.parametrize("value", ["a", "", "+15550100", "ü'\"`%&=", "--", "{x:String}", "a b", "\r"])
def test_a_value_arrives_as_it_is(shard: Shard, value: str) -> None:
    query = Query("SELECT {v:String}, length({v:String})", {"v": value})
    assert shard.rows(query, CancelToken(SECONDS)) == [[value, str(len(value.encode()))]]


@pytest.mark.parametrize("count", [1, 400, 500, 10_000])
def test_lists_of_any_length(shard: Shard, count: int) -> None:
    """From some 500 values of 256 bytes on, they are longer than a field of a form may be."""
    values = "[" + ",".join(f"'{number:0256}'" for number in range(count)) + "]"
    text = "SELECT count() FROM numbers(20000) WHERE leftPad(toString(number), 256, '0') IN {v:Array(String)}"
    assert shard.rows(Query(text, {"v": values}), CancelToken(SECONDS)) == [[str(count)]]


@pytest.mark.parametrize("count", [10, 12_000])
def test_lists_of_texts_with_escapes(shard: Shard, count: int) -> None:
    texts = "[" + ",".join(rf"'it\'s \\\n\t{number}'" for number in range(count)) + "]"
    expected = r"concat('it\'s \\\n\t', toString(number))"
    text = f"SELECT count() FROM numbers(12000) WHERE {expected} IN {{v:Array(String)}}"
    assert shard.rows(Query(text, {"v": texts}), CancelToken(SECONDS)) == [[str(count)]]


def test_two_lists_of_numbers(shard: Shard) -> None:
    numbers = "[" + ",".join(map(str, range(50_000))) + "]"
    condition = "number IN {a:Array(UInt64)} AND number + 1 IN {b:Array(UInt64)}"
    query = Query(f"SELECT count() FROM numbers(100000) WHERE {condition}", {"a": numbers, "b": numbers})
    assert shard.rows(query, CancelToken(SECONDS)) == [["49999"]]


def test_no_rows(shard: Shard) -> None:
    query = Query("SELECT number FROM numbers(0)")
    assert shard.rows(query, CancelToken(SECONDS)) == []
    assert shard.select(query, CancelToken(SECONDS)) == b""
