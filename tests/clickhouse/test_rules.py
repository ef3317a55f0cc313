"""The registry of deletions and erasures of a cluster, and what the writes of all servers are held to."""

from collections.abc import Iterator
from typing import Any

import pytest
from pegcount import core
from pegcount.config import Config
from pegcount.errors import DeletionLimitError, ErasureLimitError, NotFoundError
from pegcount.model import Deletion, DeletionOutcome, DeletionRule
from pegcount.privacy import Erasure, Masking
from pegcount.store.clickhouse.shared.change_log import ChangeLog
from pegcount.store.clickhouse.shared.deletions import Deletions
from pegcount.store.clickhouse.shared.erasures import Erasures
from pegcount.store.clickhouse.shared.rules import Rules
from pegcount.store.clickhouse.shared.settings import Settings
from pegcount.v1 import records_pb2

from clickhouse.rig import Rig
from clickhouse.settings_place import SettingsPlace, token

NOW_US = 1_774_872_000_000_000
KEY = bytes(16)
NUMBER = "+1 555 0101"


@pytest.fixture
def place(cluster: Rig) -> Iterator[SettingsPlace]:
    place = SettingsPlace(cluster)
    yield place
    place.close()


def deletions(log: ChangeLog, **limits: Any) -> Deletions:
    return Deletions(log, Config(**limits), lambda: NOW_US)


def erasures(log: ChangeLog, **limits: Any) -> Erasures:
    return Erasures(log, Config(**limits), lambda: NOW_US, KEY)


def test_a_deletion_is_a_rule_once_it_is_finished(place: SettingsPlace) -> None:
    first, second = deletions(place.log()), deletions(place.log())
    begun = first.begin(Deletion(source="a", session_ids=("x", "y")), token())
    assert (begun.rule_id, list(second.rules())) == (1, [])
    assert [one.key for one in second.at_work()] == [begun.key]
    with pytest.raises(NotFoundError):
        second.lift(1, token())
    assert second.finish(begun.key, 5, token()) == DeletionOutcome(5, 1)
    # The server that began it, and had been given up for lost, changes nothing any more.
    assert first.finish(begun.key, 2, token()) == DeletionOutcome(5, 1)
    first.withdraw(begun.key, token())
    assert list(first.rules()) == [DeletionRule(1, "a", None, None, 2, NOW_US, 5)]
    assert second.rule(1).session_ids == ("x", "y")
    second.lift(1, token())
    with pytest.raises(NotFoundError):
        first.rule(1)
    assert first.begin(Deletion(), token()).rule_id == 2


def test_a_deletion_that_is_withdrawn_leaves_no_rule(place: SettingsPlace) -> None:
    first = deletions(place.log())
    first.withdraw(first.begin(Deletion(), token()).key, token())
    assert (list(first.rules()), list(first.at_work())) == ([], [])
    assert first.begin(Deletion(), token()).rule_id == 2


def test_a_deletion_of_once_leaves_no_rule_and_takes_no_number(place: SettingsPlace) -> None:
    first = deletions(place.log(), deletion_count_max=1)
    ones = [first.begin(Deletion(once=True), token()) for _ in range(2)]
    assert first.finish(ones[0].key, 3, token()) == DeletionOutcome(3, None)
    assert len(first.at_work()) == 1
    assert first.finish(ones[0].key, 3, token()) == DeletionOutcome(3, None)
    assert first.begin(Deletion(), token()).rule_id == 1


def test_rules_are_limited_over_all_servers(place: SettingsPlace) -> None:
    first, second = (
        deletions(place.log(), deletion_count_max=2, deletion_session_id_total_max=3) for _ in range(2)
    )
    first.begin(Deletion(session_ids=("a", "b")), token())
    with pytest.raises(DeletionLimitError, match="session ids"):
        second.begin(Deletion(session_ids=("c", "d")), token())
    second.begin(Deletion(), token())
    with pytest.raises(DeletionLimitError, match="deletion_count_max"):
        first.begin(Deletion(), token())


def test_an_erasure_is_in_force_before_it_is_complete(place: SettingsPlace) -> None:
    first, second = erasures(place.log()), erasures(place.log())
    digests = first.digests([NUMBER, "15550101", "+1 555 0102"])
    assert len(digests) == 2
    assert first.begin(digests, 4, token()) == 1
    assert list(second.all()) == [Erasure(1, 2, NOW_US, 4, is_complete=False)]
    assert [one.digests for one in second.at_work()] == [tuple(digests)]
    assert not second.lift_complete(1, token())
    assert second.complete(1, token())
    assert second.complete(1, token())
    assert list(first.all()) == [Erasure(1, 2, NOW_US, 4, is_complete=True)]
    assert first.lift_complete(1, token())
    assert not second.complete(1, token())
    with pytest.raises(NotFoundError):
        second.lift_complete(1, token())
    assert second.begin(digests, 0, token()) == 2


def test_erased_numbers_are_limited_over_all_servers(place: SettingsPlace) -> None:
    first, second = (erasures(place.log(), erased_party_total_max=3) for _ in range(2))
    first.begin(first.digests(["1", "2"]), 0, token())
    for begin in (second.require_room, lambda digests, end: second.begin(digests, 0, end)):
        with pytest.raises(ErasureLimitError):
            begin(second.digests(["3", "4"]), token())
    assert second.begin(second.digests(["3"]), 0, token()) == 2


def test_rules_are_made_once_per_change_of_a_rule(place: SettingsPlace) -> None:
    log, other = place.log(), place.log()
    rules = Rules(log, KEY)
    known = rules(token())
    Settings(other, Config(), lambda: NOW_US).put_document("a", b"1", None)
    assert rules(token()) is known
    erasures(other).begin([bytes(16)], 0, token())
    assert rules(token()) is not known
    assert rules.version == 2


def written(rules: core.LedgerRules, **fields: Any) -> tuple[records_pb2.WriteRecordsResponse, bytes]:
    """The response to one record that is written to an empty ledger, and the rows that it becomes."""
    record = records_pb2.SessionRecord(session_id="one", **fields)
    record.setup_time.FromMicroseconds(NOW_US)
    batch = records_pb2.WriteRecordsRequest(records=[record]).SerializeToString()
    group = core.LedgerGroup([(core.LedgerBatch(batch, Config()), None)], rules, bytes(16), 1)
    plan = group.plan(0, b"", {}, oldest_us=0, received_us=NOW_US, nonce=1)
    if plan.unknown_days:
        heads = dict.fromkeys(plan.unknown_days, 0)
        plan = group.plan(0, b"", heads, oldest_us=0, received_us=NOW_US, nonce=1)
    for commit in plan.commits:
        group.settle(0, commit.day)
    rows = b"".join(commit.rows for commit in plan.commits)
    return records_pb2.WriteRecordsResponse.FromString(group.responses()[0]), rows


def rejected(rules: core.LedgerRules, source: str) -> list[int]:
    """Why a record of a source is rejected; nothing: it is accepted."""
    response, rows = written(rules, source=source)
    assert bool(rows) == (response.accepted == 1)
    return [each.reason for each in response.rejected]


def test_writes_are_held_to_each_rule_and_no_more_after_its_end(place: SettingsPlace) -> None:
    log = place.log()
    rules, registry = Rules(log, KEY), deletions(place.log())
    assert rejected(rules(token()), "a") == []
    begun = registry.begin(Deletion(source="a"), token())
    assert rejected(rules(token()), "a") == [records_pb2.REJECT_REASON_DELETED]
    assert rejected(rules(token()), "b") == []
    registry.finish(begun.key, 0, token())
    assert rejected(rules(token()), "a") == [records_pb2.REJECT_REASON_DELETED]
    registry.lift(1, token())
    assert rejected(rules(token()), "a") == []


def test_written_records_have_no_erased_number_and_masked_ones(place: SettingsPlace) -> None:
    log = place.log()
    rules, registry = Rules(log, KEY), erasures(place.log())
    settings = Settings(place.log(), Config(), lambda: NOW_US + 40 * 86_400_000_000)
    registry.begin(registry.digests([NUMBER]), 0, token())
    settings.set_masking(Masking(after_days=7, keep_digits=3))
    _, rows = written(rules(token()), orig_src_party_id="+15550101", orig_dst_party_id="+15550199")
    assert b"15550101" not in rows
    assert b"15550199" not in rows
    assert b"+155*****" in rows
