"""Merges received messages into records, and predicts the outcome of each message."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import records_pb2
from pegcount.v1.records_pb2 import RejectReason, SessionRecord

from . import corrections, parts

SECONDS_MAX = 7_258_118_400  # 2200-01-01Z
TEXT_BYTES_MAX = 256
PRICE_NANO_MAX = 2**63 - 1
INT64_MIN = -(2**63)
DAY_US = 86_400_000_000

_DECIMAL = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)
_EVENT_RANK = {
    records_pb2.SESSION_EVENT_START: 0,
    records_pb2.SESSION_EVENT_UPDATE: 1,
    records_pb2.SESSION_EVENT_END: 2,
    records_pb2.SESSION_EVENT_UNSPECIFIED: 2,
}

TieBreak = Callable[[SessionRecord], Any]
Rank = tuple[int, int, Any]


@dataclass(frozen=True)
class Session:
    """A record with all its versions merged. Absent dimensions are missing from `texts` and `numbers`."""

    source: str
    session_id: str
    kind: int
    setup_us: int
    answer_us: int | None
    end_us: int | None
    is_last_attempt: bool
    texts: dict[str, str]
    numbers: dict[str, int]
    received_us: int
    alert_us: int | None = None
    release_party: int = 0

    @property
    def finished(self) -> bool:
        return self.end_us is not None

    @property
    def answered(self) -> bool:
        return self.answer_us is not None

    @property
    def duration_ms(self) -> int:
        if self.answer_us is None or self.end_us is None:
            return 0
        return (self.end_us - self.answer_us) // 1000

    @property
    def price(self) -> Fraction | None:
        """The customer price as an exact fraction."""
        text = self.texts.get("customer_price")
        return None if text is None else Fraction(text)


@dataclass(frozen=True)
class MergedRecords:
    """The merged records, and the outcome of each message.

    `outcomes` has "accepted", "replaced", "duplicate" or "rejected"; `rejected` has all acceptable reasons
    by the index of the message. `has_ties` is whether only the hash of the content ranks some versions.
    """

    sessions: list[Session]
    outcomes: list[str]
    rejected: dict[int, frozenset[RejectReason]]
    has_ties: bool = False


@dataclass(frozen=True)
class _MergedSession:
    """One record: the rank of each version that still supplies a field, with those fields.

    `days` are the first and the last UTC day of setup over all its versions.
    """

    layers: tuple[tuple[Rank, frozenset[str]], ...]
    days: tuple[int, int]
    session: Session


def canonical(record: SessionRecord) -> SessionRecord:
    """Normalizes a record: messages with the same canonical form are the same version.

    Drops empty texts, enum fields of value 0 and alert times out of order, rounds times down to microseconds,
    and shortens the prices.
    """
    found = SessionRecord()
    for field, value in record.ListFields():
        if isinstance(value, Timestamp):
            seconds, nanos = divmod(micros(value) * 1000, 10**9)
            getattr(found, field.name).CopyFrom(Timestamp(seconds=seconds, nanos=nanos))
        elif field.name in PRICE_NAMES and value:
            setattr(found, field.name, _shortest(value) if is_valid_price(value) else value)
        elif value != "" and (field.enum_type is None or value):
            setattr(found, field.name, value)
    if parts.has_alert_out_of_order(parts.values(found)):
        found.ClearField("alert_time")
    return found


def encoded(version: SessionRecord) -> bytes:
    """Serializes a canonical form with ascending fields; the service hashes the same bytes to break ties."""
    return version.SerializeToString(deterministic=True)


def _shortest(price: str) -> str:
    units = int(Fraction(price) * 10**9)
    whole, fraction = divmod(abs(units), 10**9)
    return ("-" if units < 0 else "") + f"{whole}.{fraction:09d}".rstrip("0").rstrip(".")


def merge_messages(
    messages: Sequence[SessionRecord],
    received_us: int | Sequence[int] = 0,
    tie_break: TieBreak = encoded,
    corrects: Sequence[bool] = (),
) -> MergedRecords:
    """Merges messages received in this order at these times; `corrects` tells which ones are corrections.

    Without corrections, the order affects only `outcomes` and `received_us`. `tie_break` orders canonical
    versions of equal revision and event; the service orders them by a hash of `encoded`.
    """
    times = [received_us] * len(messages) if isinstance(received_us, int) else received_us
    versions: dict[tuple[str, str], dict[Rank, SessionRecord]] = {}
    merged: dict[tuple[str, str], list[_MergedSession]] = {}
    outcomes: list[str] = []
    rejected: dict[int, frozenset[RejectReason]] = {}
    for index, (message, time_us) in enumerate(zip(messages, times, strict=True)):
        key = (message.source, message.session_id)
        before = merged.get(key, [])
        is_correction = bool(corrects) and corrects[index]
        version, reasons = _received(message, versions.get(key, {}), is_correction=is_correction)
        if reasons:
            rejected[index] = reasons
            outcomes.append("rejected")
            continue
        if version is None:
            outcomes.append("duplicate")
            continue
        versions.setdefault(key, {})[rank(version, tie_break)] = version
        merged[key] = _merge_key(before, versions[key], time_us)
        outcomes.append(_outcome(before, merged[key]))
    return MergedRecords(
        [found.session for sessions_of_key in merged.values() for found in sessions_of_key],
        outcomes,
        rejected,
        any(map(_has_ties, versions.values())),
    )


def _received(
    message: SessionRecord, before: dict[Rank, SessionRecord], *, is_correction: bool
) -> tuple[SessionRecord | None, frozenset[RejectReason]]:
    """Returns the version that a message adds to those of its key, and why it is rejected."""
    reasons = reject_reasons(message)
    if is_correction and message.event:
        reasons |= {records_pb2.REJECT_REASON_EVENT_IN_CORRECTION}
    if is_correction and not message.HasField("end_time"):
        reasons |= {records_pb2.REJECT_REASON_MISSING_END_TIME}
    if reasons:
        return None, reasons
    version = canonical(message)
    if not is_correction:
        return version, reasons
    day = micros(version.setup_time) // DAY_US
    joined = [one for one in components(before) if _is_joined(one, day)]
    held = {one_rank: one for record in joined for one_rank, one in record.items()}
    part = {one_rank: one for one_rank, one in held.items() if parts.number(one) == parts.number(version)}
    if held and not part and not version.HasField("part"):
        return None, frozenset({records_pb2.REJECT_REASON_PART_MISSING})
    stands = _merged_part(part) if part else {}
    resolved = corrections.resolve(version, list(part.values()), stands, is_one_record=len(joined) == 1)
    return resolved.version, resolved.rejected


def _is_joined(versions: dict[Rank, SessionRecord], day: int) -> bool:
    days = [micros(version.setup_time) // DAY_US for version in versions.values()]
    return min(days) - 1 <= day <= max(days) + 1


def _has_ties(versions: dict[Rank, SessionRecord]) -> bool:
    ranks = [(version.session_id, parts.number(version), *found[:2]) for found, version in versions.items()]
    return len(set(ranks)) < len(ranks)


def _merge_key(
    before: list[_MergedSession], versions: dict[Rank, SessionRecord], time_us: int
) -> list[_MergedSession]:
    """Merges the versions of one key; a record that did not change keeps its `received_us`."""
    found = []
    for component in components(versions):
        days = [micros(version.setup_time) // DAY_US for version in component.values()]
        layers = tuple(layer for part in _parts(component) for layer in _layers(part))
        new = _MergedSession(layers, (min(days), max(days)), merge(component, time_us))
        found.append(next((old for old in before if (old.layers, old.days) == (new.layers, new.days)), new))
    return found


def _parts(versions: dict[Rank, SessionRecord]) -> list[dict[Rank, SessionRecord]]:
    """Groups the versions of one record by part."""
    found: dict[int | None, dict[Rank, SessionRecord]] = {}
    for version_rank, version in versions.items():
        found.setdefault(parts.number(version), {})[version_rank] = version
    return [found[number] for number in sorted(found, key=lambda number: -1 if number is None else number)]


def _layers(versions: dict[Rank, SessionRecord]) -> tuple[tuple[Rank, frozenset[str]], ...]:
    """Returns rank and fields of each version of a part that supplies a field absent from all higher-ranked
    ones, or that keeps lower-ranked ones from supplying any."""
    # These fields only say what a version is.
    given = {"revision", "event", "part", "replaces"}
    found = []
    for version_rank, version in _effective(versions):
        new = {field.name for field, _ in version.ListFields()} - given
        if new or version.replaces:
            found.append((version_rank, frozenset(new)))
        given |= new
    return tuple(found)


def _effective(versions: dict[Rank, SessionRecord]) -> list[tuple[Rank, SessionRecord]]:
    """Returns the versions of a part by descending rank, without those that a greater one replaces."""
    found = []
    for version_rank, version in sorted(versions.items(), reverse=True):
        found.append((version_rank, version))
        if version.replaces:
            break
    return found


def _outcome(before: list[_MergedSession], after: list[_MergedSession]) -> str:
    if len(after) > len(before):
        return "accepted"
    return "duplicate" if before == after else "replaced"


def components(versions: dict[Rank, SessionRecord]) -> list[dict[Rank, SessionRecord]]:
    """Groups the versions of one key into records: setup days that are equal or adjacent belong together."""
    found: list[dict[Rank, SessionRecord]] = []
    last_day = None
    for version_rank, version in sorted(versions.items(), key=lambda item: micros(item[1].setup_time)):
        day = micros(version.setup_time) // DAY_US
        if last_day is None or day > last_day + 1:
            found.append({})
        found[-1][version_rank] = version
        last_day = day
    return found


def rank(version: SessionRecord, tie_break: TieBreak) -> Rank:
    """Returns the sort key of versions of one record; the greatest wins."""
    return (version.revision, _EVENT_RANK[version.event], tie_break(version))


def merge(versions: dict[Rank, SessionRecord], received_us: int) -> Session:
    """Merges versions into one record.

    Each field of a part comes from its highest-ranked version that has it, and the parts are joined.
    """
    plain = parts.join([_merged_part(part) for part in _parts(versions)])
    numbers = {name: value for name, value in plain.items() if name in NUMBER_NAMES and name != "revision"}
    texts = {name: value for name, value in plain.items() if isinstance(value, str)}
    return Session(
        source=texts.pop("source", ""),
        session_id=texts.pop("session_id"),
        kind=plain.get("kind", 0) or records_pb2.SESSION_KIND_CALL,
        setup_us=micros(plain["setup_time"]),
        answer_us=_micros_of(plain, "answer_time"),
        end_us=_micros_of(plain, "end_time"),
        is_last_attempt=plain.get("is_last_attempt", True),
        texts=texts,
        numbers=numbers,
        received_us=received_us,
        alert_us=_micros_of(plain, "alert_time"),
        release_party=plain.get("release_party", 0),
    )


def _merged_part(versions: dict[Rank, SessionRecord]) -> parts.Values:
    """Merges the versions of a part, without times that contradict the setup time or a higher version."""
    values: dict[str, tuple[Rank, Any]] = {}
    for version_rank, version in reversed(_effective(versions)):
        for field, value in version.ListFields():
            values[field.name] = (version_rank, value)
    setup_us = micros(values["setup_time"][1])
    for name in ("answer_time", "end_time"):
        if name in values and micros(values[name][1]) < setup_us:
            del values[name]
    if "answer_time" in values and "end_time" in values:
        (answer_rank, answer), (end_rank, end) = values["answer_time"], values["end_time"]
        if micros(end) < micros(answer):
            del values["end_time" if end_rank < answer_rank else "answer_time"]
    merged = {name: value for name, (_, value) in values.items()}
    if parts.has_alert_out_of_order(merged):
        del merged["alert_time"]
    return merged


def _micros_of(values: parts.Values, name: str) -> int | None:
    return micros(values[name]) if name in values else None


def micros(time: Timestamp) -> int:
    """Converts to whole microseconds, rounded down."""
    return time.seconds * 1_000_000 + time.nanos // 1000


def _names(field_type: int) -> list[str]:
    return [field.name for field in SessionRecord.DESCRIPTOR.fields if field.type == field_type]


NUMBER_NAMES = frozenset(_names(FieldDescriptor.TYPE_INT64))
TEXT_NAMES = frozenset(_names(FieldDescriptor.TYPE_STRING))
PRICE_NAMES = ("customer_price", "vendor_price")


def is_valid_price(text: str) -> bool:
    """Returns whether a text is a whole number of units of 10^-9, of 64 bits; trailing zeros do not count."""
    if _DECIMAL.fullmatch(text) is None:
        return False
    units = Fraction(text) * 10**9
    return units.denominator == 1 and abs(units) <= PRICE_NANO_MAX


def reject_reasons(record: SessionRecord) -> frozenset[RejectReason]:
    """Returns all reasons for which the service may reject the record; empty if it is valid."""
    present = {field.name: value for field, value in record.ListFields()}
    texts = [value for value in present.values() if isinstance(value, str)]
    numbers = [value for name, value in present.items() if name in NUMBER_NAMES]
    enums = [record.kind, record.event, record.part_class, record.release_party]
    prices = [present.get(name) for name in PRICE_NAMES]
    checks = {
        records_pb2.REJECT_REASON_MISSING_SESSION_ID: not record.session_id,
        records_pb2.REJECT_REASON_MISSING_SETUP_TIME: "setup_time" not in present,
        records_pb2.REJECT_REASON_MISSING_END_TIME: (
            record.event == records_pb2.SESSION_EVENT_END and "end_time" not in present
        ),
        records_pb2.REJECT_REASON_TEXT_TOO_LONG: any(len(text.encode()) > TEXT_BYTES_MAX for text in texts),
        records_pb2.REJECT_REASON_BAD_PRICE: any(price and not is_valid_price(price) for price in prices),
        records_pb2.REJECT_REASON_UNKNOWN_ENUM_VALUE: max(enums) > 3 or min(enums) < 0,
        records_pb2.REJECT_REASON_NUMBER_OUT_OF_RANGE: (
            INT64_MIN in numbers or not 100 <= present.get("sip_status", 100) <= 699
        ),
    }
    reasons = {reason for reason, wrong in checks.items() if wrong}
    return frozenset(reasons | _time_reasons(present))


def _time_reasons(present: dict[str, Any]) -> set[RejectReason]:
    times = {name: value for name, value in present.items() if isinstance(value, Timestamp)}
    valid = {
        name: micros(value)
        for name, value in times.items()
        if 0 <= value.seconds < SECONDS_MAX and 0 <= value.nanos <= 999_999_999
    }
    reasons = set()
    if len(valid) < len(times):
        reasons.add(records_pb2.REJECT_REASON_TIME_OUT_OF_RANGE)

    def is_before(first: str, second: str) -> bool:
        return first in valid and second in valid and valid[first] < valid[second]

    if is_before("answer_time", "setup_time"):
        reasons.add(records_pb2.REJECT_REASON_ANSWER_BEFORE_SETUP)
    if is_before("end_time", "answer_time"):
        reasons.add(records_pb2.REJECT_REASON_END_BEFORE_ANSWER)
    if is_before("end_time", "setup_time"):
        reasons.add(records_pb2.REJECT_REASON_END_BEFORE_SETUP)
    return reasons
