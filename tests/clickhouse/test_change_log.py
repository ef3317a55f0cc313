"""Servers that change the settings of a cluster at once: each change is decided by what the others did."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from threading import Barrier

import pytest
from pegcount.errors import CancelledError, DeadlineError, PegcountError, StoreUnavailableError
from pegcount.store.clickhouse.shared.change_log import Change, ChangeLog, SettingsShard, Snapshot
from pegcount.store.clickhouse.tables.settings_tables import COMMIT_SLOT_COUNT
from pegcount.store.clickhouse.wire.form import Query
from waiting import at_best, wait_until

from clickhouse.faulty import Faulty, Held
from clickhouse.rig import Rig, Server
from clickhouse.settings_place import SettingsPlace, following, token


@pytest.fixture
def place(cluster: Rig) -> Iterator[SettingsPlace]:
    place = SettingsPlace(cluster)
    yield place
    place.close()


def put(log: ChangeLog, key: str, content: str | None, kind: str = "thing") -> int:
    return log.change(lambda _: [Change(kind, key, content)], token())


def contents(log: ChangeLog, kind: str = "thing") -> dict[str, str]:
    log.refresh(token())
    return {key: entry.content for key, entry in log.entries(kind).items()}


def content_of_a(log: ChangeLog) -> str | None:
    """What was read last; asks nothing."""
    entry = log.entries("thing").get("a")
    return None if entry is None else entry.content


def has_content_of_a(log: ChangeLog, content: str) -> bool:
    return content_of_a(log) == content


def counted(seen: Snapshot) -> int:
    entry = seen.entries("counter").get("")
    return 0 if entry is None else int(entry.content)


def count_one(log: ChangeLog) -> int:
    """Adds 1 to a counter: with any lost update, the sum is too small."""
    return log.change(lambda seen: [Change("counter", "", str(counted(seen) + 1))], token())


def test_an_empty_log_has_nothing(place: SettingsPlace) -> None:
    log = place.log()
    assert (log.refresh(token()), log.head, log.entries("thing")) == (0, 0, {})


def test_entries_are_put_replaced_and_removed(place: SettingsPlace) -> None:
    log = place.log()
    strange = 'Zoë\n\t\\N "報告" \x00\\'
    assert [put(log, "a", "1"), put(log, "b", strange), put(log, "a", None), put(log, "c", "")] == [
        1,
        2,
        3,
        4,
    ]
    for one in (log, place.log()):
        assert contents(one) == {"b": strange, "c": ""}
        assert [entry.version for entry in one.entries("thing").values()] == [2, 4]
        assert (one.seen.version("thing"), one.seen.version("other")) == (4, 0)


def test_an_entry_that_comes_again_has_a_greater_version(place: SettingsPlace) -> None:
    first, second = place.log(), place.log()
    versions = [put(log, "a", content) for log in (first, second) for content in ("1", None)]
    place.ask("OPTIMIZE TABLE changes FINAL")
    third = place.log()
    versions.append(put(third, "a", "1"))
    assert versions == [1, 2, 3, 4, 5]


def test_a_change_of_nothing_makes_no_commit(place: SettingsPlace) -> None:
    log = place.log()
    assert put(log, "a", "1") == 1
    assert log.change(lambda _: [], token()) == 1
    assert place.log().refresh(token()) == 1


def test_servers_that_change_at_once_lose_no_change(place: SettingsPlace) -> None:
    logs = [place.log() for _ in range(3)]
    begin = Barrier(len(logs))

    def work(log: ChangeLog) -> list[int]:
        begin.wait()
        return [count_one(log) for _ in range(12)]

    with ThreadPoolExecutor(len(logs)) as threads:
        numbers = [number for made in threads.map(work, logs) for number in made]
    assert sorted(numbers) == list(range(1, 37))
    assert contents(place.log(), "counter") == {"": "36"}


def test_of_two_that_decide_by_one_state_one_wins(place: SettingsPlace) -> None:
    """The second one decides, the first one commits, and then the second one inserts."""
    first, second = place.log(), place.log()
    decided: list[int] = []

    def decide(seen: Snapshot) -> list[Change]:
        decided.append(seen.head)
        if len(decided) == 1:
            count_one(first)
        return [Change("counter", "", str(counted(seen) + 1))]

    assert second.change(decide, token()) == 2
    assert decided == [0, 1]
    assert contents(first, "counter") == {"": "2"}


def test_a_number_that_is_taken_takes_no_other_content(place: SettingsPlace) -> None:
    """What the server answers to the second insert of a token: nothing but success."""
    put(place.log(), "a", "1")
    shard = place.cluster().shards[0]
    row = b"\x01" + bytes(7) + b"\x07" + bytes(7) + b"\x05thing" + b"\x01a" + b"\x00" + b"\x01x"
    shard.insert("changes", row, token(), token="changes:0:1", row_format="RowBinary")
    assert contents(place.log()) == {"a": "1"}
    shard.insert("changes", row, token(), token="changes:0:1 of another name", row_format="RowBinary")
    assert place.ask("SELECT count() FROM changes WHERE kind = 'thing'") == "2\n"


@pytest.mark.parametrize("faults", [["after"], ["before"], ["before", "after"], ["before", "before"]])
def test_a_commit_that_was_cut_off_is_made_once(place: SettingsPlace, faults: list[str]) -> None:
    shard = place.cluster().shards[0]
    log = ChangeLog(Faulty(shard, faults))
    assert count_one(log) == 1
    assert count_one(log) == 2
    assert contents(place.log(), "counter") == {"": "2"}
    assert place.ask("SELECT count(), uniqExact(seq) FROM changes WHERE kind = 'commit'") == "2\t2\n"


def test_a_commit_that_another_made_while_it_was_cut_off_is_decided_anew(place: SettingsPlace) -> None:
    shard, other = Faulty(place.cluster().shards[0], ["before"]), place.log()
    log = ChangeLog(shard)

    def decide(seen: Snapshot) -> list[Change]:
        if seen.head == 0:
            put(other, "other", "1")
        return [Change("thing", "mine", str(seen.head))]

    assert log.change(decide, token()) == 2
    assert contents(other) == {"mine": "1", "other": "1"}


def test_a_commit_whose_deadline_ended_as_it_was_made_is_made(place: SettingsPlace) -> None:
    log = ChangeLog(Faulty(place.cluster().shards[0], ["late"]))
    assert put(log, "a", "1") == 1
    assert contents(place.log()) == {"a": "1"}


def test_a_commit_that_was_given_up_never_comes_true_later(place: SettingsPlace) -> None:
    cluster = place.cluster()
    shard = Held(cluster.shards[0], ["hold"])
    log = ChangeLog(shard)
    with pytest.raises(DeadlineError):
        put(log, "a", "given up")
    table, block, insert_token = shard.late
    cluster.shards[0].insert(table, block, token(), token=insert_token, row_format="RowBinary")
    assert contents(place.log()) == {}
    assert put(log, "b", "1") == 2


def test_a_token_that_ended_changes_nothing(place: SettingsPlace) -> None:
    log, cancelled = place.log(), token()
    cancelled.cancel()
    with pytest.raises(CancelledError):
        log.change(lambda _: [Change("thing", "a", "1")], cancelled)
    assert place.log().refresh(token()) == 0


def test_a_follower_sees_the_changes_of_others_within_a_second(place: SettingsPlace) -> None:
    with following(place.log()) as log:
        other, waited = place.log(), []
        for number in range(5):
            begin = time.monotonic()
            put(other, "a", str(number))
            wait_until(partial(has_content_of_a, log, str(number)))
            waited.append(time.monotonic() - begin)
        # A busy host may delay one or two.
        assert sorted(waited)[2] < 1
    head = log.head
    put(other, "a", "after close")
    assert log.head == head


def test_replaced_entries_are_removed_and_the_chain_goes_on(place: SettingsPlace) -> None:
    log = place.log()
    for number in range(12):
        changes = [Change("thing", f"{i}", f"{number}") for i in range(500)]
        log.change(partial(lambda changes, _: changes, changes), token())
    put(log, "0", None)
    log.tidy(token())
    assert int(place.ask("SELECT count() FROM changes")) < 2 * 500 + 1_100
    other = place.log()
    assert contents(other) == {f"{i}": "11" for i in range(1, 500)} == contents(log)
    assert put(other, "0", "again") == 14


def remove_many(log: ChangeLog, count: int) -> None:
    for content in ("1", None):
        changes = [Change("name", f"{i}", content) for i in range(count)]
        log.change(partial(lambda changes, _: changes, changes), token())


def test_rows_of_removed_entries_go_and_no_server_misses_their_removal(place: SettingsPlace) -> None:
    log, late, fresh = place.log(), place.log(), place.log()
    put(log, "kept", "1")
    put(log, "gone", "1")
    assert contents(late) == {"gone": "1", "kept": "1"}
    version = late.seen.version("thing")
    put(log, "gone", None)
    remove_many(log, 1_200)
    log.tidy(token())
    assert place.ask("SELECT count() FROM changes WHERE is_removed = 1") == "0\n"
    assert contents(late) == contents(fresh) == contents(log) == {"kept": "1"}
    # Who keeps what it made of these entries must see that they have changed.
    assert late.seen.version("thing") > version
    put(log, "gone", "2")
    assert contents(late) == contents(fresh) == {"gone": "2", "kept": "1"}
    assert late.head == 7


def test_rows_of_removed_entries_stay_while_older_rows_are_there(place: SettingsPlace) -> None:
    log = place.log()
    put(log, "gone", "1")
    place.ask("SYSTEM STOP MERGES changes")
    put(log, "gone", None)
    remove_many(log, 1_200)
    with suppress(PegcountError):
        log.tidy(token(5))
    assert contents(place.log()) == {}
    assert place.ask("SELECT count() > 0 FROM changes WHERE is_removed = 1") == "1\n"


def test_a_small_log_is_left_alone(place: SettingsPlace) -> None:
    log = place.log()
    for number in range(3):
        put(log, "a", str(number))
    log.tidy(token())
    assert place.ask("SELECT count() FROM changes WHERE kind = 'thing'") == "3\n"


def test_of_the_rows_of_commits_the_newest_stay(place: SettingsPlace) -> None:
    place.ask(
        "INSERT INTO changes SELECT number + 1, 7, 'commit', toString((number + 1) %"
        f" {COMMIT_SLOT_COUNT}), 0, '' FROM numbers({3 * COMMIT_SLOT_COUNT})"
    )
    log = place.log()
    assert put(log, "a", "1") == 3 * COMMIT_SLOT_COUNT + 1
    log.tidy(token())
    assert int(place.ask("SELECT count() FROM changes")) <= COMMIT_SLOT_COUNT + 2
    assert put(place.log(), "a", "2") == 3 * COMMIT_SLOT_COUNT + 2


def test_a_number_that_a_crash_lost_is_skipped(place: SettingsPlace) -> None:
    """The server knows its token and has no rows of it: every commit of that number would be dropped."""
    log = place.log()
    assert put(log, "a", "1") == 1
    shard = place.cluster().shards[0]
    row = b"\x02" + bytes(7) + b"\x07" + bytes(7) + b"\x05thing" + b"\x04lost" + b"\x00" + b"\x00"
    shard.insert("changes", row, token(), token="changes:0:2", row_format="RowBinary")
    place.ask("DELETE FROM changes WHERE seq = 2")
    assert put(log, "b", "1") == 3
    assert put(place.log(), "c", "1") == 4


def test_a_shard_that_is_not_there_is_unavailable(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Rig(tmp_path_factory.mktemp("settings"), shard_count=1) as rig:
        place, server = SettingsPlace(rig), rig.servers[0]
        with following(place.log()) as log:
            put(log, "a", "1")
            server.kill()
            at_best(partial(_seconds_of_a_refusal, log), 1.0)
            # What was read stays, and the log goes on when the server is back.
            assert content_of_a(log) == "1"
            server.start()
            assert put(place.log(), "a", "3") == 2
            wait_until(lambda: content_of_a(log) == "3")
        place.close()


def test_a_server_that_freezes_costs_no_more_than_the_deadline(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with Rig(tmp_path_factory.mktemp("settings"), shard_count=1) as rig:
        place, server = SettingsPlace(rig), rig.servers[0]
        log = place.log()
        put(log, "a", "1")
        at_best(partial(_seconds_while_frozen, log, server), 2.0)
        assert contents(log) in ({"a": "1"}, {"a": "frozen"})
        assert put(log, "a", "2") > 1
        place.close()


def _seconds_of_a_refusal(log: ChangeLog) -> float:
    begin = time.monotonic()
    with pytest.raises(StoreUnavailableError):
        put(log, "a", "2")
    return time.monotonic() - begin


def _seconds_while_frozen(log: ChangeLog, server: Server) -> float:
    server.freeze()
    try:
        begin = time.monotonic()
        with pytest.raises((DeadlineError, StoreUnavailableError)):
            log.change(lambda _: [Change("thing", "a", "frozen")], token(1.0))
        return time.monotonic() - begin
    finally:
        server.thaw()


def test_a_shard_of_tests_is_one_of_the_log(place: SettingsPlace) -> None:
    shard: SettingsShard = place.cluster().shards[0]
    assert shard.rows(Query("SELECT 1"), token()) == [["1"]]
