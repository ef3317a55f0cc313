"""The audit entries of a cluster: one ascending row of numbers over all servers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pegcount.config import Config
from pegcount.privacy import AuditEntry
from pegcount.store.clickhouse.shared.audit import ClusterAudit
from pegcount.store.clickhouse.wire.row_binary import row_binary

from clickhouse.faulty import Faulty
from clickhouse.rig import Rig
from clickhouse.settings_place import SettingsPlace, token

ENTRY = AuditEntry(5, "SetRetention", "cr_a", 'Zoë "\n\t\\', "{}")


@pytest.fixture
def place(cluster: Rig) -> Iterator[SettingsPlace]:
    place = SettingsPlace(cluster)
    yield place
    place.close()


def audit(place: SettingsPlace, count_max: int = 100) -> ClusterAudit:
    return ClusterAudit(place.cluster().shards[0], Config(audit_entry_count_max=count_max))


def numbers(log: ClusterAudit) -> list[int]:
    return [entry.entry_id for entry in log.entries(None, 1_000)]


def test_servers_that_append_at_once_give_each_entry_a_number_of_its_own(place: SettingsPlace) -> None:
    logs = [audit(place) for _ in range(3)]

    def work(log: ClusterAudit) -> list[int]:
        return [log.append(ENTRY) for _ in range(8)]

    with ThreadPoolExecutor(3) as threads:
        given = list(threads.map(work, logs))
    assert sorted(number for each in given for number in each) == list(range(1, 25))
    assert all(each == sorted(each) for each in given)
    assert numbers(logs[0]) == list(range(24, 0, -1))


@pytest.mark.parametrize("faults", [["after"], ["before"]])
def test_an_entry_whose_insert_was_cut_off_is_there_once(place: SettingsPlace, faults: list[str]) -> None:
    log = ClusterAudit(Faulty(place.cluster().shards[0], faults), Config())
    assert [log.append(ENTRY), log.append(ENTRY)] == [1, 2]
    assert numbers(audit(place)) == [2, 1]


def test_an_outcome_is_seen_through_every_server(place: SettingsPlace) -> None:
    first, second = audit(place), audit(place)
    number = first.append(ENTRY)
    first.set_outcome(number, "OK")
    second.set_outcome(number, "DENIED", "{1}")
    second.set_outcome(number, "DENIED", "{1}")
    (entry,) = first.entries(None, 5)
    assert (entry.outcome, entry.request, entry.caller_name) == ("DENIED", "{1}", ENTRY.caller_name)
    first.set_outcome(99, "OK")
    assert numbers(first) == [1]
    assert place.ask("SELECT max(revision) FROM audit") == "2\n"


def test_a_number_that_a_crash_lost_is_skipped(place: SettingsPlace) -> None:
    log = audit(place)
    log.append(ENTRY)
    row = row_binary(("UInt64", "UInt32", "UInt64", "UInt64", "String"), [(2, 0, 7, 1, "")])
    shard = place.cluster().shards[0]
    shard.insert("audit", row, token(), token="audit:0:2:0", row_format="RowBinary")
    place.ask("DELETE FROM audit WHERE entry_id = 2")
    assert log.append(ENTRY) == 3
    assert audit(place).append(ENTRY) == 4


def test_old_entries_go_with_their_partition(place: SettingsPlace) -> None:
    log = audit(place, count_max=3)
    for _ in range(4):
        log.append(ENTRY)
    place.ask("INSERT INTO audit SELECT 25000, 0, 7, 2, content FROM audit WHERE entry_id = 4")
    assert log.append(ENTRY) == 25_001
    log.tidy(token())
    assert place.ask("SELECT groupArray(entry_id) FROM (SELECT entry_id FROM audit ORDER BY entry_id)") == (
        "[25000,25001]\n"
    )
    # The content of the first one says another number, as this test copied it.
    assert [entry.entry_id for entry in log.entries(25_002, 5)] == [25_001, 4]
    assert audit(place).append(ENTRY) == 25_002
