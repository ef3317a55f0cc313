"""`core.decode_batch` and `core.Versions`, with which a store holds to the rules of records."""

from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core, errors
from pegcount.config import Config
from pegcount.v1 import records_pb2

SETUP_S = 1_774_771_200
"""2026-03-29T08:00:00Z."""
DAY_S = 86_400
UTC_DAY = SETUP_S // DAY_S


def record(session_id: str = "a", day: int = 0, **more: Any) -> records_pb2.SessionRecord:
    setup = Timestamp(seconds=SETUP_S + day * DAY_S)
    return records_pb2.SessionRecord(session_id=session_id, setup_time=setup, **more)


def decoded(*records: records_pb2.SessionRecord, **more: Any) -> core.DecodedBatch:
    request = records_pb2.WriteRecordsRequest(records=records, **more)
    return core.decode_batch(request.SerializeToString(), Config(batch_row_count_max=3, batch_id_bytes_max=4))


def version(**more: Any) -> core.Versions:
    ((_, found),) = decoded(record(**more)).versions
    return found


def counted(counts: core.BatchCounts) -> tuple[int, ...]:
    names = ("accepted", "replaced", "duplicates", "outranked", "suspected_reuse")
    return tuple(getattr(counts, name) for name in names)


def test_a_batch_has_its_records_and_those_that_break_a_rule() -> None:
    batch = decoded(record(), record(""), record("b", auth_orig_ip="192.0.2.10:5060"), batch_id="b1")
    assert batch.batch_id == "b1"
    assert [index for index, _ in batch.versions] == [0]
    assert [(one.index, one.reason) for one in batch.rejected] == [
        (1, records_pb2.REJECT_REASON_MISSING_SESSION_ID),
        (2, records_pb2.REJECT_REASON_BAD_ADDRESS),
    ]
    assert "auth_orig_ip" in batch.rejected[1].description


def test_records_of_an_export_are_taken_though_new_ones_are_rejected() -> None:
    batch = decoded(record(auth_orig_ip="192.0.2.10:5060"), record(""), accept_stored=True)
    assert [index for index, _ in batch.versions] == [0]
    assert [one.index for one in batch.rejected] == [1]


def test_a_batch_beyond_its_limits_is_refused() -> None:
    with pytest.raises(errors.BatchLimitError) as too_many:
        decoded(*[record()] * 4)
    assert (too_many.value.metadata["asked"], too_many.value.metadata["allowed"]) == ("4", "3")
    with pytest.raises(errors.BatchIdTooLongError):
        decoded(batch_id="12345")
    with pytest.raises(errors.MalformedMessageError):
        core.decode_batch(b"\xff", Config())


def test_a_version_is_joined_with_those_that_are_stored() -> None:
    first = version(folder="f", agent_id="x", revision=1)
    assert counted(first.join([])[1]) == (1, 0, 0, 0, 0)
    assert counted(first.join([first])[1]) == (0, 0, 1, 0, 0)
    assert counted(version(folder="g").join([first])[1]) == (0, 0, 1, 1, 0)
    second, counts = version(folder="g", revision=2, customer_price="0.10").join([first])
    assert counted(counts) == (0, 1, 0, 0, 0)
    merged = records_pb2.SessionRecord.FromString(second.record)
    assert (merged.folder, merged.agent_id, merged.customer_price) == ("g", "x", "0.1")


def test_a_correction_takes_the_place_of_what_is_stored() -> None:
    first = version(folder="f", agent_id="x", revision=7)
    assert counted(version(folder="g").correct([])[1]) == (1, 0, 0, 0, 0)
    second, counts = version(folder="g").correct([first])
    assert counted(counts) == (0, 1, 0, 0, 0)
    merged = records_pb2.SessionRecord.FromString(second.record)
    assert (merged.folder, merged.agent_id, merged.revision, merged.replaces) == ("g", "", 8, True)
    again, counts = version(folder="g").correct([second])
    assert counted(counts) == (0, 0, 1, 0, 0)
    assert (again.record, again.state) == (second.record, second.state)
    with pytest.raises(OverflowError, match="revision: the record held has 9223372036854775807"):
        version(folder="g").correct([version(revision=2**63 - 1)])


def test_a_batch_says_whether_it_corrects() -> None:
    for corrects in (False, True):
        request = records_pb2.WriteRecordsRequest(records=[record()], correct=corrects)
        assert core.decode_batch(request.SerializeToString(), Config()).corrects == corrects


def test_a_version_between_two_records_makes_one_of_them() -> None:
    days = version(), version(day=2), version(day=1)
    assert [one.joinable_days for one in days] == [
        (UTC_DAY + day - 1, UTC_DAY + day + 1) for day in (0, 2, 1)
    ]
    joined, counts = days[2].join(days[:2])
    assert counted(counts) == (0, 1, 0, 0, 0)
    assert joined.joinable_days == (UTC_DAY - 1, UTC_DAY + 3)


def test_versions_are_kept_as_bytes() -> None:
    first = version(folder="f", revision=1)
    second = version(day=1, agent_id="x").join([first])[0]
    assert first.state == b""
    assert second.state != b""
    for kept in (first, second):
        again = core.Versions(kept.record, kept.state)
        assert (again.record, again.state) == (kept.record, kept.state)
        assert again.joinable_days == kept.joinable_days
    assert version(folder="f", revision=1).join([core.Versions(second.record, second.state)])[1].duplicates
    with pytest.raises(ValueError, match="these are several versions"):
        second.join([])
    with pytest.raises(errors.MalformedMessageError):
        core.Versions(b"\xff", b"")
    with pytest.raises(errors.DataDamagedError):
        core.Versions(first.record, b"\xff")
