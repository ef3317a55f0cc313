"""Malformed batches and rejected records."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.errors import MalformedMessageError
from pegcount.v1 import records_pb2

from store_tests.store_fixtures import (
    DAY_S,
    MANUAL_MAINTENANCE,
    SETUP_S,
    StoreHarness,
    active,
    batch,
    finished,
    session_ids,
    write,
)

Record = records_pb2.SessionRecord
END = records_pb2.SESSION_EVENT_END


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[StoreHarness]:
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        yield harness


BAD_BATCHES: dict[str, bytes] = {
    "no key": b"\xff",
    "cut in a length": batch(finished("x"))[:1],
    "cut in a record": batch(finished("x"))[:-1],
    "a length beyond the end": b"\x12\x7f\x00",
    "a group": b"\x13\x14",
    "field number 0": b"\x02\x00",
    "session_id that is no UTF-8": b"\x12\x03\x12\x01\xff",
    "an overlong form of UTF-8": b"\x12\x04\x12\x02\xc0\x80",
    "a surrogate": b"\x12\x05\x12\x03\xed\xa0\x80",
    "batch_id that is no UTF-8": b"\x0a\x01\xff",
    "customer_price that is no UTF-8": b"\x12\x04\xd2\x01\x01\xff",
    "setup_time that is cut": b"\x12\x03\x32\x01\x08",
    "a number without end": b"\x12\x0c\x18" + b"\xff" * 11,
    "good records before the bad bytes": batch(finished("x"), finished("y")) + b"\xff",
}


@pytest.mark.parametrize("content", BAD_BATCHES.values(), ids=BAD_BATCHES)
def test_a_malformed_batch_is_refused_as_a_whole(content: bytes, harness: StoreHarness) -> None:
    write(harness.store, finished("before"))
    with pytest.raises(MalformedMessageError, match="the batch is no valid message"):
        harness.store.write(content)
    assert session_ids(harness.store) == ["before"]
    harness.reopen()
    assert session_ids(harness.store) == ["before"]


def test_an_empty_batch_is_accepted(harness: StoreHarness) -> None:
    assert write(harness.store) == (0, 0, 0)
    harness.reopen()
    assert harness.store.info().records == 0


def at(seconds: int, nanos: int = 0) -> Timestamp:
    return Timestamp(seconds=seconds, nanos=nanos)


def with_enum_numbers(session_id: str = "x", **numbers: int) -> Record:
    """Builds a record with enum numbers that the enum does not define."""
    record = finished(session_id)
    for name, number in numbers.items():
        setattr(record, name, number)
    return record


YEAR_2200_S = 7_258_118_400

REJECTED: dict[str, list[Record]] = {
    "MISSING_SESSION_ID": [finished(""), Record(setup_time=at(SETUP_S))],
    "MISSING_SETUP_TIME": [Record(session_id="x"), Record(session_id="x", end_time=at(SETUP_S))],
    "MISSING_END_TIME": [active("x", event=END)],
    "TIME_OUT_OF_RANGE": [
        active("x", -1),
        active("x", YEAR_2200_S),
        active("x", 2**63 - 1),
        active("x", -(2**63)),
        active("x", end_time=at(YEAR_2200_S)),
        active("x", answer_time=at(SETUP_S, 10**9)),
        active("x", answer_time=at(SETUP_S, -1)),
    ],
    "ANSWER_BEFORE_SETUP": [active("x", answer_time=at(SETUP_S - 1, 999_999_999))],
    "END_BEFORE_ANSWER": [active("x", answer_time=at(SETUP_S + 2), end_time=at(SETUP_S + 1))],
    "END_BEFORE_SETUP": [active("x", end_time=at(SETUP_S - 1))],
    "TEXT_TOO_LONG": [
        finished("x" * 257),
        finished("x", folder="é" * 129),
        finished("x", term_rates_country="x" * 257),
    ],
    "BAD_PRICE": [
        finished("x", customer_price=price)
        for price in (
            "free",
            "1.",
            ".5",
            "1e3",
            "0.0000000001",
            "9223372036.854775808",
            " 1",
            "NaN",
            "-",
            "1,5",
        )
    ],
    "UNKNOWN_ENUM_VALUE": [with_enum_numbers(kind=4), with_enum_numbers(kind=-1), with_enum_numbers(event=4)],
    "NUMBER_OUT_OF_RANGE": [
        finished("x", tenant_id=-(2**63)),
        finished("x", revision=-(2**63)),
        finished("x", disconnect_cause=-(2**63)),
    ],
}


OF_NEW_RECORDS: dict[str, list[Record]] = {
    "BAD_ADDRESS": [
        finished("x", auth_orig_ip=text)
        for text in ("192.0.2.10:5060", "192.0.2.10/32", "[2001:db8::1]", "010.1.2.3", "pbx.example", " ")
    ],
    "CALL_TOO_LONG": [finished("x", end_time=at(SETUP_S + 7 * DAY_S, 1_000))],
    "ROUNDED_NUMBER": [
        finished("4.42079E+11"),
        finished("x", account_id="4,4E+11"),
        finished("x", orig_src_party_id="4E+11"),
    ],
}
"""Reasons for which records that were stored before there were these reasons are not rejected."""
REJECTED |= OF_NEW_RECORDS

TESTED_ELSEWHERE = [
    "BEFORE_RETENTION",
    "TOO_MANY_PARTS",
    "EVENT_IN_CORRECTION",
    "PART_MISSING",
    "DELETED",
    "OUTSIDE_DATA_SCOPE",
]
"""Reasons that depend on the state of the store, on the batch or on its writer; test_retention.py,
test_parts.py, test_corrections.py, test_deletions.py and server_tests/test_data_scopes.py cover them."""


def test_every_reject_reason_has_an_example() -> None:
    reasons = records_pb2.RejectReason.keys()[1:]
    assert sorted(f"REJECT_REASON_{reason}" for reason in [*REJECTED, *TESTED_ELSEWHERE]) == sorted(reasons)


@pytest.mark.parametrize("reason", OF_NEW_RECORDS)
def test_what_was_stored_before_comes_back(reason: str, harness: StoreHarness) -> None:
    for record in OF_NEW_RECORDS[reason]:
        request = records_pb2.WriteRecordsRequest(records=[record], accept_stored=True)
        assert harness.store.write(request.SerializeToString()).rejected == ()
    assert harness.store.write(batch(finished("x", end_time=at(SETUP_S + 7 * DAY_S)))).rejected == ()


@pytest.mark.parametrize("reason", REJECTED)
def test_a_bad_record_does_not_affect_its_neighbours(reason: str, harness: StoreHarness) -> None:
    bad = REJECTED[reason]
    mixed = [
        finished("good 0"),
        *(record for pair in zip(bad, good_records(bad), strict=True) for record in pair),
    ]
    outcome = harness.store.write(batch(*mixed))
    assert (outcome.accepted, outcome.replaced, outcome.duplicates) == (len(bad) + 1, 0, 0)
    assert [rejected.index for rejected in outcome.rejected] == list(range(1, len(mixed), 2))
    found = {records_pb2.RejectReason.Name(rejected.reason) for rejected in outcome.rejected}
    assert found == {f"REJECT_REASON_{reason}"}
    assert all(rejected.description for rejected in outcome.rejected)
    harness.reopen()
    assert sorted(session_ids(harness.store)) == sorted(
        ["good 0", *(record.session_id for record in good_records(bad))]
    )


def good_records(bad: Sequence[Record]) -> list[Record]:
    return [finished(f"good {i}") for i in range(1, len(bad) + 1)]


@pytest.mark.parametrize(
    ("record", "description"),
    [
        (finished("x", folder="é" * 129), "folder has 258 bytes; 256 are allowed"),
        (with_enum_numbers(kind=4), "kind has a number that is not known"),
        (active("x", answer_time=at(-1)), "answer_time is outside [1970-01-01Z, 2200-01-01Z)"),
        (finished("x", tenant_id=-(2**63)), "tenant_id is out of range"),
    ],
)
def test_a_rejection_names_the_field(record: Record, description: str, harness: StoreHarness) -> None:
    (rejected,) = harness.store.write(batch(record)).rejected
    assert rejected.description == description


@pytest.mark.parametrize(
    "record",
    [
        active("x" * 256, 0),
        active("x", YEAR_2200_S - 1, answer_time=at(YEAR_2200_S - 1, 999_999_999)),
        active("x", answer_time=at(SETUP_S), end_time=at(SETUP_S)),
        finished("x", customer_price="-9223372036.854775807", tenant_id=-(2**63) + 1, app_id=2**63 - 1),
        finished("x", customer_price="+0001.5"),
        finished("x", customer_price=""),
        finished("\x00"),
    ],
)
def test_records_at_the_limits_are_accepted(record: Record, harness: StoreHarness) -> None:
    assert write(harness.store, record) == (1, 0, 0)
    harness.flush_and_reopen()
    assert session_ids(harness.store) == [record.session_id]
    assert write(harness.store, record) == (0, 0, 1)
