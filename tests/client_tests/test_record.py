"""A record as the caller writes it, and its message."""

import math
import re
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from types import UnionType
from typing import Any, get_args, get_type_hints
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st
from pegcount.v1 import records_pb2
from pegcount.v1.records_pb2 import SessionRecord
from pegcount_client import Record, ReleaseParty, SessionEvent, SessionKind

SETUP = datetime(2026, 3, 29, 8, 0, 0, 123_456, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
CONTRACT = SessionRecord.DESCRIPTOR.fields_by_name


def types_of(name: str) -> set[type]:
    """Returns what a field of a record may be, other than None."""
    hint = get_type_hints(Record)[name]
    return set(get_args(hint) if isinstance(hint, UnionType) else (hint,)) - {type(None)}


TIMES = ("setup_time", "answer_time", "end_time", "alert_time")
PRICES = ("customer_price", "vendor_price")
ENUMS = {"SessionKind": SessionKind, "SessionEvent": SessionEvent, "ReleaseParty": ReleaseParty}


def wanted_types(field: Any) -> set[type]:
    if field.name in PRICES:
        return {Decimal, int, str}
    if field.enum_type is not None:
        return {ENUMS[field.enum_type.name], str}
    if field.message_type is not None:
        return {datetime}
    return {
        {
            FieldDescriptor.CPPTYPE_STRING: str,
            FieldDescriptor.CPPTYPE_BOOL: bool,
        }.get(field.cpp_type, int)
    }


def test_a_record_has_the_fields_of_the_contract() -> None:
    assert [each.name for each in fields(Record)] == list(CONTRACT)
    assert len(CONTRACT) == 61


@pytest.mark.parametrize("name", CONTRACT)
def test_a_field_has_the_type_of_the_contract(name: str) -> None:
    assert types_of(name) == wanted_types(CONTRACT[name])


def example(name: str) -> Any:
    """Returns a value of a field that is not its default."""
    names = {"event": "START", "kind": "TTS", "release_party": "SWITCH"}
    values: dict[type, Any] = {str: "7", int: 7, bool: True, datetime: SETUP}
    return names[name] if name in names else values[min(types_of(name) & set(values), key=str)]


@pytest.mark.parametrize("name", CONTRACT)
def test_each_field_arrives_and_none_other(name: str) -> None:
    given_fields: dict[str, Any] = {"session_id": "s1", "setup_time": SETUP, name: example(name)}
    message = Record(**given_fields).to_message()
    assert {field.name for field, _ in message.ListFields()} == set(given_fields)
    if CONTRACT[name].enum_type is None and CONTRACT[name].message_type is None:
        assert str(getattr(message, name)) == str(given_fields[name])


def test_what_is_left_out_is_absent() -> None:
    message = Record(session_id="s1", setup_time=SETUP).to_message()
    assert message == SessionRecord(
        session_id="s1", setup_time=Timestamp(seconds=1_774_771_200, nanos=123_456_000)
    )


@pytest.mark.parametrize("kind", [SessionKind.ASR, "ASR", "asr", "SESSION_KIND_ASR"])
def test_a_kind_is_an_enum_or_its_name(kind: SessionKind | str) -> None:
    message = Record(session_id="s1", setup_time=SETUP, kind=kind, event=SessionEvent.END).to_message()
    assert (message.kind, message.event) == (
        records_pb2.SESSION_KIND_ASR,
        records_pb2.SESSION_EVENT_END,
    )


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape('"STRAT"; did you mean "START"?')):
        Record(session_id="s1", setup_time=SETUP, event="STRAT")
    with pytest.raises(ValueError, match="Allowed: CALL, ASR, TTS"):
        Record(session_id="s1", setup_time=SETUP, kind="VIDEO")


# ---- Times ----


@given(
    st.datetimes(
        min_value=datetime(1970, 1, 2),
        max_value=datetime(2199, 12, 30),
        timezones=st.sampled_from([UTC, BERLIN, timezone(timedelta(hours=5, minutes=45))]),
    )
)
def test_a_time_keeps_its_microseconds(time: datetime) -> None:
    message = Record(session_id="s1", setup_time=time, end_time=time).to_message()
    for stamp in (message.setup_time, message.end_time):
        assert stamp.ToDatetime(tzinfo=UTC) == time.astimezone(UTC)


def test_the_hour_that_comes_twice_is_told_apart_by_fold() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    stamps = [
        Record(session_id="s1", setup_time=first.replace(fold=fold)).to_message().setup_time.seconds
        for fold in (0, 1)
    ]
    assert stamps[1] - stamps[0] == 3_600


@pytest.mark.parametrize("name", TIMES)
def test_a_time_without_a_zone_is_refused(name: str) -> None:
    times = {"setup_time": SETUP, name: datetime(2026, 3, 29, 8)}
    with pytest.raises(ValueError, match=f"{name}=2026-03-29 08:00:00 has no time zone; give tzinfo="):
        Record(session_id="s1", **times)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=f"{name} must be a datetime with a time zone, not str"):
        Record(session_id="s1", **{**times, name: "2026-03-29T08:00:00Z"})  # type: ignore[arg-type]


# ---- Prices ----


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (Decimal("0.012"), "0.012"),
        (Decimal("1E-9"), "0.000000001"),
        (Decimal("1E+3"), "1000"),
        (-3, "-3"),
        ("0.10", "0.10"),
    ],
)
def test_a_price_is_exact(price: Decimal | int | str, text: str) -> None:
    record = Record(session_id="s1", setup_time=SETUP, customer_price=price)
    assert record.to_message().customer_price == text


@pytest.mark.parametrize("price", [0.1, True])
def test_a_price_that_may_not_be_exact_is_refused(price: Any) -> None:
    with pytest.raises(TypeError, match=f"{price} is of the type {type(price).__name__}.*give a Decimal"):
        Record(session_id="s1", setup_time=SETUP, customer_price=price)


@pytest.mark.parametrize("price", ["NaN", "Infinity"])
def test_a_price_is_a_finite_number(price: str) -> None:
    with pytest.raises(ValueError, match="must be a finite number"):
        Record(session_id="s1", setup_time=SETUP, customer_price=Decimal(price))


def test_a_price_may_be_an_integer_of_numpy() -> None:
    price: Any = np.int64(7)
    assert Record(session_id="s1", setup_time=SETUP, customer_price=price).to_message().customer_price == "7"


# ---- Types ----


def wrong_values(name: str) -> list[tuple[Any, str]]:
    """Returns values of other types for a field, each with the type that the error names."""
    wanted = {
        frozenset({str}): "a text",
        frozenset({int}): "a whole number",
        frozenset({bool}): "True or False",
    }
    values: dict[str, list[Any]] = {
        "a text": [5, True, b"s1", math.nan, 1.5],
        "a whole number": ["7", 7.0, True, math.nan, pd.NA],
        "True or False": [5, 0, "true", math.nan, pd.NA],
    }
    shown = wanted.get(frozenset(types_of(name)))
    return [] if shown is None else [(value, shown) for value in values[shown]]


LIMITS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
WRONG = [(name, value, shown) for name in CONTRACT for value, shown in wrong_values(name)]


@pytest.mark.parametrize(("name", "value", "shown"), WRONG)
def test_a_value_of_another_type_is_refused_at_once(name: str, value: Any, shown: str) -> None:
    given_fields: dict[str, Any] = {"session_id": "s1", "setup_time": SETUP, name: value}
    with pytest.raises(TypeError, match=re.escape(f"{name} is {shown}, not {value!r}")) as raised:
        Record(**given_fields)
    is_missing = value is pd.NA or value != value
    assert str(raised.value).endswith("; next step: None where it is absent") == is_missing


def test_each_plain_field_is_tried() -> None:
    assert len({name for name, _, _ in WRONG}) == len(CONTRACT) - len(
        {*TIMES, *PRICES, "event", "kind", "release_party"}
    )


@pytest.mark.parametrize("name", [name for name in CONTRACT if types_of(name) == {int}])
def test_the_largest_and_least_number_of_a_field_arrive(name: str) -> None:
    least, largest = LIMITS[CONTRACT[name].cpp_type]
    for value in (least, largest):
        given_fields: dict[str, Any] = {"session_id": "s1", "setup_time": SETUP, name: value}
        assert getattr(Record(**given_fields).to_message(), name) == value


@pytest.mark.parametrize("name", [name for name in CONTRACT if types_of(name) == {int}])
def test_a_number_beyond_its_field_is_refused_at_once(name: str) -> None:
    least, largest = LIMITS[CONTRACT[name].cpp_type]
    for value in (least - 1, largest + 1):
        given_fields: dict[str, Any] = {"session_id": "s1", "setup_time": SETUP, name: value}
        with pytest.raises(ValueError, match=f"{name}={value} must be from "):
            Record(**given_fields)


def test_a_record_has_a_session_id() -> None:
    missing: Any = None
    with pytest.raises(TypeError, match="session_id is a text, not None"):
        Record(session_id=missing, setup_time=SETUP)


def test_integers_of_numpy_are_whole_numbers() -> None:
    number: Any = np.int64(7)
    assert Record(session_id="s1", setup_time=SETUP, tenant_id=number).to_message().tenant_id == 7


# ---- Times of pandas ----


@pytest.mark.parametrize("name", TIMES)
def test_a_time_with_nanoseconds_is_refused(name: str) -> None:
    times: dict[str, Any] = {"setup_time": SETUP, name: pd.Timestamp("2026-03-29T08:00:00.000000001Z")}
    with pytest.raises(ValueError, match=f"{name} has nanoseconds; next step: round it to microseconds"):
        Record(session_id="s1", **times)
    times[name] = pd.NaT
    with pytest.raises(ValueError, match=f"{name} is not a time: NaT; next step: None"):
        Record(session_id="s1", **times)


def test_a_time_of_pandas_keeps_its_microseconds() -> None:
    time: Any = pd.Timestamp("2026-03-29T10:00:00.123456+02:00")
    message = Record(session_id="s1", setup_time=time).to_message()
    assert message == Record(session_id="s1", setup_time=SETUP).to_message()
