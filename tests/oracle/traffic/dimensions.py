"""The values that calls have of the dimensions, and the filters on them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from pegcount.v1 import reports_pb2, traffic_pb2
from pegcount.v1.admin_pb2 import CodeDeckEntry

from oracle import calendar
from oracle.records import Session

Value = int | str | None
"""None: the call has no value."""

PREFIXES: dict[int, str] = {
    traffic_pb2.TRAFFIC_DIMENSION_SRC_PREFIX: "src_prefix_routing",
    traffic_pb2.TRAFFIC_DIMENSION_DST_PREFIX: "dst_prefix_routing",
}
_DECK_FIELDS = {"rates_code": "code", "rates_code_name": "name", "rates_country": "country"}


@dataclass(frozen=True)
class Reading:
    """What the values of a request depend on, besides the call."""

    zone: str
    deck: Sequence[CodeDeckEntry] | None = None


def field_of(dimension: int) -> str:
    """Returns the name of a dimension in lower case, without prefix."""
    name = traffic_pb2.TrafficDimension.Name(traffic_pb2.TrafficDimension.ValueType(dimension))
    return name.removeprefix("TRAFFIC_DIMENSION_").lower()


def key_of(call: Session, spec: traffic_pb2.GroupSpec, reading: Reading) -> Value:
    """Returns what a call is grouped by."""
    if spec.dimension not in PREFIXES:
        return value_of(call, spec.dimension, reading)
    number = number_of(call, spec.dimension)
    if spec.HasField("digits") or number is None:
        return number and number[: spec.digits]
    entry = _longest(reading.deck or (), number)
    return None if entry is None else entry.code


def number_of(call: Session, dimension: int) -> str | None:
    """Returns the routing number of a prefix dimension, without a leading plus sign."""
    return _plain(call.texts.get(PREFIXES[dimension], "")) or None


def value_of(call: Session, dimension: int, reading: Reading) -> Value:
    """Returns the value of any dimension but the prefixes."""
    name = field_of(dimension)
    leg, _, rest = name.partition("_")
    if reading.deck is not None and rest in _DECK_FIELDS:
        entry = _longest(reading.deck, call.texts.get(f"{leg}_dst_party_id", "").removeprefix("+"))
        return None if entry is None else getattr(entry, _DECK_FIELDS[rest]) or None
    cause = call.numbers.get("disconnect_cause")
    special: Mapping[str, Value] = {
        "source": call.source or None,
        "kind": call.kind,
        "last_attempt": int(call.is_last_attempt),
        "cause": cause,
        "cause_class": None if cause is None else cause // 16,
        "release_party": call.release_party or None,
    }
    if name in special:
        return special[name]
    if name in ("hour_of_day", "weekday"):
        setup_s = call.setup_us // calendar.MICROSECONDS
        local = calendar.EPOCH + timedelta(seconds=setup_s + calendar.offset_s(reading.zone, setup_s))
        return local.hour if name == "hour_of_day" else local.isoweekday()
    return call.texts.get(name, call.numbers.get(name))


def _longest(deck: Sequence[CodeDeckEntry], number: str) -> CodeDeckEntry | None:
    matching = [entry for entry in deck if number.startswith(entry.code)]
    return max(matching, key=lambda entry: len(entry.code), default=None)


def satisfies(call: Session, asked: traffic_pb2.TrafficFilter, reading: Reading) -> bool:
    """Returns whether a filter lets a call pass."""
    is_prefix = asked.dimension in PREFIXES
    value = number_of(call, asked.dimension) if is_prefix else value_of(call, asked.dimension, reading)
    return _holds(asked, value, is_prefix=is_prefix) != asked.negate


def _holds(asked: traffic_pb2.TrafficFilter, value: Value, *, is_prefix: bool) -> bool:
    if value is None:
        return asked.absent
    if isinstance(value, int):
        within = asked.HasField("range") and (
            (not asked.range.HasField("low") or asked.range.low <= value)
            and (not asked.range.HasField("high") or value <= asked.range.high)
        )
        return value in asked.integers or within
    texts = [_plain(text) for text in asked.texts] if is_prefix else asked.texts
    listed = any(map(value.startswith, texts)) if is_prefix else value in texts
    return listed or (asked.HasField("text") and _compares(asked.text, value, _plain if is_prefix else str))


def _plain(number: str) -> str:
    return number.removeprefix("+")


def _compares(asked: reports_pb2.TextFilter, value: str, read: Callable[[str], str]) -> bool:
    return (
        (not asked.HasField("eq") or value == read(asked.eq))
        and (not asked.HasField("starts_with") or value.startswith(read(asked.starts_with)))
        and (not asked.HasField("ends_with") or value.endswith(asked.ends_with))
        and (not asked.HasField("contains") or asked.contains in value)
    )
