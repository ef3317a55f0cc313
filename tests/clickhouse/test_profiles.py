"""What an operator puts into the profile of a server changes no figure, and lets no commit be made twice."""

from collections.abc import Iterator

import pytest
import seeds
from conformance.memory_store import Disk, MemoryStore
from decks import deck_of
from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.privacy import AuditEntry
from pegcount.store.clickhouse.store import ClickHouseStore
from pegcount.store.clickhouse.tables import schema
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.row_binary import row_binary
from pegcount.store.clickhouse.writing.commit import DayChains, empty_commit
from pegcount.v1.records_pb2 import WriteRecordsRequest
from properties.scoped_worlds import NOW_US

from clickhouse.random_scans import DECK, DECK_ID, ScanDice, records
from clickhouse.rig import Rig
from clickhouse.test_scans import cells

PROFILE: dict[str, str | int] = {
    # Commits would be made twice, or lost after they were acknowledged.
    "deduplicate_insert": "disable",
    "insert_deduplicate": 0,
    "use_strict_insert_block_limits": 1,
    "max_insert_block_size_bytes": 1,
    "async_insert": 1,
    "wait_for_async_insert": 0,
    # A part of the rows, or rows of before, would be the answer.
    "max_rows_to_read_leaf": 1_000_000,
    "read_overflow_mode_leaf": "break",
    "max_rows_to_group_by": 100_000,
    "group_by_overflow_mode": "any",
    "limit": 1,
    "offset": 1,
    "extremes": 1,
    "additional_result_filter": "0",
    "use_query_cache": 1,
    "query_cache_nondeterministic_function_handling": "save",
    "query_cache_system_table_handling": "save",
    # Answers would be written in another way.
    "output_format_native_encode_types_in_binary_format": 1,
    "input_format_native_decode_types_in_binary_format": 1,
    "output_format_tsv_crlf_end_of_line": 1,
    "aggregate_functions_null_for_empty": 1,
    "empty_result_for_aggregation_by_empty_set": 1,
    "join_use_nulls": 1,
    "transform_null_in": 1,
    "session_timezone": "Pacific/Auckland",
    "prefer_column_name_to_alias": 1,
    # Queries would be refused, or end otherwise.
    "force_index_by_date": 1,
    "force_primary_key": 1,
    "force_optimize_projection": 1,
    "optimize_on_insert": 0,
    "final": 1,
}
CONFIG = Config(maintenance_seconds=3_600.0)
NO_LIMIT = CancelToken(None)
_BATCH_SIZE = 40


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterAddress]:
    """A cluster whose operator has changed all that."""
    with Rig(tmp_path_factory.mktemp("profiles"), 1, profile=PROFILE) as rig:
        url = rig.url("profiles")
        made = ClusterAddress.parse(url.replace("://", "://operated@"))
        cluster = Cluster(made, 30.0)
        schema.create(cluster)
        cluster.close()
        yield made


def test_a_number_of_a_commit_is_given_once(address: ClusterAddress) -> None:
    cluster = Cluster(address, 30.0)
    chains = DayChains(cluster.shards[0], 0)
    assert chains.head(20_000, CancelToken(10.0)) == 0
    assert [chains.make(empty_commit(20_000, 1), CancelToken(10.0)) for _ in range(3)] == [True, False, False]
    assert chains.head(20_000, NO_LIMIT) == 1
    cluster.close()


def test_an_insert_with_a_token_is_one_part(address: ClusterAddress) -> None:
    cluster = Cluster(address, 30.0)
    shard = cluster.shards[0]
    rows = [(3, 1, str(code), "", "") for code in range(9)]
    block = row_binary(("Int64", "UInt64", "String", "String", "String"), rows)
    shard.insert("deck_entries", block, NO_LIMIT, token="nine", row_format="RowBinary")
    query = Query("SELECT count(), uniqExact(_part) FROM deck_entries WHERE deck_id = 3 AND version = 1")
    assert shard.rows(query, NO_LIMIT) == [["9", "1"]]
    cluster.close()


def test_figures_and_settings_are_those_of_the_store_in_memory(address: ClusterAddress) -> None:
    dice = seeds.chance("profiles")
    disk = Disk()
    memory = MemoryStore(disk, CONFIG, lambda: NOW_US)
    first, second = (ClickHouseStore(address, CONFIG, clock=lambda: NOW_US) for _ in range(2))
    for store in (memory, first):
        store.put_code_deck(DECK_ID, deck_of(*DECK))
    messages = records(dice, 60)
    for start in range(0, len(messages), _BATCH_SIZE):
        batch = WriteRecordsRequest(records=messages[start : start + _BATCH_SIZE], accept_stored=True)
        memory.write(batch.SerializeToString())
        for store in (first, second):
            store.write(batch.SerializeToString())
    drawn = ScanDice(dice, [one.row for sessions in disk.sessions.values() for one in sessions])
    for number in range(20):
        scan = drawn.scan()
        asked = (first, second)[number % 2]
        assert cells(asked.partials(scan, 100_000, NO_LIMIT)) == cells(
            memory.partials(scan, 100_000, NO_LIMIT)
        )
    assert first.info().records == memory.info().records
    assert first.first_day(NO_LIMIT) == memory.first_day(NO_LIMIT)
    entry = AuditEntry(1, "m", None, None, "{}")
    assert [store.append_audit(entry) for store in (first, second, first)] == [1, 2, 3]
    version = first.put_document("shared", b"one", None)
    assert second.put_document("shared", b"two", version) > version
    first.close()
    second.close()
