"""Checks the oracle's merging of records against examples worked out by hand."""

from itertools import permutations
from typing import Any

import pytest
from pegcount.v1 import records_pb2
from pegcount.v1.records_pb2 import SessionRecord

from . import compare, records
from .samples import US, record, stamp

DAY_US = 86_400 * US


def merge_to_one(*messages: SessionRecord) -> records.Session:
    """Returns the one record that these messages form, after asserting that their order does not matter."""
    (first,) = records.merge_messages(messages).sessions
    for order in permutations(messages):
        assert records.merge_messages(order).sessions == [first]
    return first


def test_events_of_one_session_in_any_order() -> None:
    session = merge_to_one(
        record("a", 10, event="SESSION_EVENT_START", folder="f", company="c"),
        record("a", 10, answer=20, event="SESSION_EVENT_UPDATE", folder=""),
        record("a", 10, end=3020, event="SESSION_EVENT_END", company="d"),
    )
    assert (session.setup_us, session.answer_us, session.end_us, session.duration_ms) == (10, 20, 3020, 3)
    assert session.texts == {"folder": "f", "company": "d"}


def test_higher_revision_wins_over_an_end() -> None:
    session = merge_to_one(
        record("a", 10, end=30, event="SESSION_EVENT_END", folder="f"),
        record("a", 11, event="SESSION_EVENT_START", folder="g", revision=1),
    )
    assert (session.setup_us, session.end_us, session.texts["folder"]) == (11, 30, "g")


def test_ties_are_broken_by_the_given_order() -> None:
    versions = [record("a", 10, folder="f"), record("a", 10, folder="g")]
    for best in ("f", "g"):

        def tie_break(version: SessionRecord, best: str = best) -> bool:
            return version.folder == best

        (session,) = records.merge_messages(versions, 0, tie_break).sessions
        assert session.texts["folder"] == best


def test_versions_of_adjacent_days_chain_into_one_record() -> None:
    days = [record("a", day * DAY_US + DAY_US - 1, revision=day) for day in (1, 2, 3, 5, 6)]
    found = records.merge_messages([days[0], days[4], days[2], days[3], days[1]])
    assert sorted(session.setup_us // DAY_US for session in found.sessions) == [3, 6]
    # The fourth version supplies no field but extends its record by a day; the fifth joins two records.
    assert found.outcomes == ["accepted", "accepted", "accepted", "replaced", "replaced"]
    assert (
        len(
            records.merge_messages(
                [days[0], record("a", days[0].setup_time.seconds * US, source="s")]
            ).sessions
        )
        == 2
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ({"answer": 15, "end": 30}, {"setup": 20}, (20, None, 30)),
        ({"answer": 15, "end": 30}, {"setup": 40}, (40, None, None)),
        ({"end": 30}, {"answer": 40}, (10, 40, None)),
        ({"answer": 40}, {"end": 30}, (10, None, 30)),
        ({"answer": 40, "end": 50}, {"setup": 45, "end": 46}, (45, None, 46)),
    ],
)
def test_contradicting_times_of_the_lower_version_are_dropped(
    low: dict[str, Any], high: dict[str, Any], expected: tuple[int | None, ...]
) -> None:
    setup = high.pop("setup", 10)
    session = merge_to_one(record("a", 10, **low), record("a", setup, revision=1, **high))
    assert (session.setup_us, session.answer_us, session.end_us) == expected


def test_defaults_of_a_bare_record() -> None:
    session = merge_to_one(SessionRecord(session_id="a", setup_time={"seconds": 1, "nanos": 1999}))
    assert session.kind == records_pb2.SESSION_KIND_CALL
    assert session.setup_us == US + 1
    assert session.is_last_attempt
    assert not session.finished
    assert session.price is None


@pytest.mark.parametrize(
    ("message", "reasons"),
    [
        (SessionRecord(), {"MISSING_SESSION_ID", "MISSING_SETUP_TIME"}),
        (record("a", 0, event="SESSION_EVENT_END"), {"MISSING_END_TIME"}),
        (record("a", -1), {"TIME_OUT_OF_RANGE"}),
        (record("a", records.SECONDS_MAX * US), {"TIME_OUT_OF_RANGE"}),
        (record("a", records.SECONDS_MAX * US - 1), set()),
        (record("a", 5, answer=4), {"ANSWER_BEFORE_SETUP"}),
        (record("a", 5, answer=7, end=6), {"END_BEFORE_ANSWER"}),
        (record("a", 5, end=4), {"END_BEFORE_SETUP"}),
        (record("a", 5, answer=5, end=5), set()),
        (record("ä" * 128, 0), set()),
        (record("ä" * 128 + "a", 0), {"TEXT_TOO_LONG"}),
        (record("a", 0, customer_price="0.1234567891"), {"BAD_PRICE"}),
        (record("a", 0, customer_price="0.1234567890"), set()),
        (record("a", 0, customer_price="9223372036.854775808"), {"BAD_PRICE"}),
        (record("a", 0, customer_price="-9223372036.854775807"), set()),
        (record("a", 0, customer_price="cheap"), {"BAD_PRICE"}),
        (record("a", 0, customer_price=""), set()),
        (record("a", 0, kind=4), {"UNKNOWN_ENUM_VALUE"}),
        (record("a", 0, tenant_id=-(2**63)), {"NUMBER_OUT_OF_RANGE"}),
    ],
)
def test_reject_reasons(message: SessionRecord, reasons: set[str]) -> None:
    names = {records_pb2.RejectReason.Name(reason) for reason in records.reject_reasons(message)}
    assert names == {f"REJECT_REASON_{reason}" for reason in reasons}
    assert records.merge_messages([message]).outcomes == ["rejected" if reasons else "accepted"]


def test_received_time_is_that_of_the_last_effective_version() -> None:
    messages = [record("a", 0), record("a", 0, answer=5, revision=1), record("a", 0)]
    merged = records.merge_messages(messages, [100, 200, 300])
    assert merged.outcomes == ["accepted", "replaced", "duplicate"]
    assert merged.sessions[0].received_us == 200


def test_differences_are_named() -> None:
    one = SessionRecord(session_id="a", setup_time=stamp(1))
    other = SessionRecord(session_id="a", setup_time=stamp(2), folder="f")
    with pytest.raises(AssertionError, match=r"^setup_time\.nanos: actual 1000, expected 2000"):
        compare.assert_equal(one, other)
    assert list(compare.differences(one, other, ""))[1] == "folder: actual 'absent', expected 'f'"
    assert compare.is_close(float("nan"), float("nan"))
    assert compare.is_close(0.1 + 0.2, 0.3)
    assert not compare.is_close(0.3000000000000001, 0.3)
