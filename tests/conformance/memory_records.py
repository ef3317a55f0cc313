"""Records and scans of `memory_store`: the versions of a session, and which rows a scan counts where."""

import hashlib
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import model
from pegcount.v1 import records_pb2
from pegcount.v1.records_pb2 import SessionRecord

DAY_US = 86_400_000_000
DEFAULTS = {"kind": 1, "is_last_attempt": 1}
_ABSENT = -(2**63)
_END_S = 7_258_118_400  # 2200-01-01Z
_RATES = ("rates_code", "rates_code_name", "rates_country")
_FIELDS = {f.name: f for f in SessionRecord.DESCRIPTOR.fields}
_TEXTS = {f.name for f in _FIELDS.values() if f.type == f.TYPE_STRING} - {"customer_price"}
_COLUMNS = {*_FIELDS, "duration_ms", "received_time"}
_PRICE = re.compile(r"([+-]?)([0-9]+)(?:\.([0-9]{1,9})0*)?")
_ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]{2,3}|[0-9][.,][0-9]+[Ee][0-9]{1,3}")
_IDENTIFIERS = (
    *("session_id", "account_id", "agent_id", "src_prefix_routing", "dst_prefix_routing"),
    *(f"{leg}_{name}" for leg in ("orig", "term") for name in ("leg_id", "src_party_id", "dst_party_id")),
    *(f"{leg}_{name}" for leg in ("orig", "term") for name in ("accounts_ident", "rates_code")),
)
_CLASS = {records_pb2.SESSION_EVENT_START: 0, records_pb2.SESSION_EVENT_UPDATE: 1}

Row = dict[str, Any]
Rank = tuple[int, int, bytes]


@dataclass
class Session:
    """The versions of one session: their columns by rank, and the merged record."""

    versions: dict[Rank, Row]
    first_day: int
    last_day: int
    row: Row


def rejection_of_new(record: SessionRecord, call_seconds_max: int) -> tuple[int, str] | None:
    """The first rule for new records that one breaks, and a text that names the field."""
    us = micros(record.end_time) - micros(record.setup_time) if record.HasField("end_time") else 0
    rounded = [name for name in _IDENTIFIERS if _ROUNDED.fullmatch(getattr(record, name))]
    rules = [
        ("CALL_TOO_LONG", "end_time", us > call_seconds_max * 1_000_000),
        ("BAD_ADDRESS", "auth_orig_ip", record.auth_orig_ip and not _is_address(record.auth_orig_ip)),
        ("ROUNDED_NUMBER", rounded, rounded),
    ]
    return _first_broken(rules)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def micros(time: Timestamp) -> int:
    return time.seconds * 1_000_000 + time.nanos // 1_000


def reject_reason(record: SessionRecord) -> tuple[int, str] | None:
    """The first rule that a record breaks, and a text that names the field."""
    values = {f.name: value for f, value in record.ListFields()}
    times = {name: value for name, value in values.items() if isinstance(value, Timestamp)}
    us = [(name, micros(times[name])) for name in ("setup_time", "answer_time", "end_time") if name in times]
    outside = [n for n, t in times.items() if not (0 <= t.seconds < _END_S and 0 <= t.nanos < 10**9)]
    too_long = [n for n, value in values.items() if isinstance(value, str) and len(value.encode()) > 256]
    out_of_range = [n for n, v in values.items() if v in (_ABSENT, 2**63) and not isinstance(v, Timestamp)]
    price = _PRICE.fullmatch(record.customer_price or "0")
    rules = [
        ("MISSING_SESSION_ID", "session_id", not record.session_id),
        ("MISSING_SETUP_TIME", "setup_time", "setup_time" not in times),
        ("MISSING_END_TIME", "end_time", record.event == 3 and "end_time" not in times),
        ("TIME_OUT_OF_RANGE", outside, outside),
        *(
            (f"{later[:-5]}_BEFORE_{earlier[:-5]}".upper(), later, later_us < earlier_us)
            for position, (earlier, earlier_us) in enumerate(us)
            for later, later_us in us[position + 1 :]
        ),
        ("TEXT_TOO_LONG", too_long, too_long),
        ("BAD_PRICE", "customer_price", price is None or abs(nano_units(price)) >= 2**63),
        (
            "UNKNOWN_ENUM_VALUE",
            "kind, event or part_class",
            not all(0 <= number <= 3 for number in (record.kind, record.event, record.part_class)),
        ),
        ("NUMBER_OUT_OF_RANGE", out_of_range, out_of_range),
    ]
    return _first_broken(rules)


def _first_broken(rules: Sequence[tuple[str, object, object]]) -> tuple[int, str] | None:
    broken = ((name, where) for name, where, is_broken in rules if is_broken)
    found = next(broken, None)
    return found and (records_pb2.RejectReason.Value(f"REJECT_REASON_{found[0]}"), f"{found[1]} is wrong")


def nano_units(price: re.Match[str]) -> int:
    return int(f"{price[1]}{price[2]}{(price[3] or '').ljust(9, '0')}")


def columns_of(record: SessionRecord) -> Row:
    """The values that a version has, by column."""
    row: Row = {}
    for descriptor, value in record.ListFields():
        if isinstance(value, Timestamp):
            row[descriptor.name] = micros(value)
        elif descriptor.name == "customer_price" and (price := _PRICE.fullmatch(value)):
            row[descriptor.name] = nano_units(price)
        elif value != "" and (descriptor.enum_type is None or value != 0):
            row[descriptor.name] = value if isinstance(value, str) else int(value)
    return row


def rank_of(record: SessionRecord) -> Rank:
    content = repr(sorted(columns_of(record).items())).encode()
    return record.revision, _CLASS.get(record.event, 2), hashlib.blake2b(content).digest()


def _supplied(row: Row) -> set[str]:
    return row.keys() - {"revision", "event", "part", "replaces"}


def _of_part(versions: Mapping[Rank, Row], part: int | None) -> list[tuple[Rank, Row]]:
    """The versions of a part that supply values, by descending rank: those below a replacing one do not."""
    found = []
    for rank, row in sorted(versions.items(), reverse=True):
        if row.get("part") == part:
            found.append((rank, row))
            if row.get("replaces"):
                break
    return found


def changes(session: Session, rank: Rank, version: Row, day: int) -> bool:
    above = [row for other, row in _of_part(session.versions, version.get("part")) if other >= rank]
    is_replaced = any(row.get("replaces") for row in above)
    is_known = not version.get("replaces") and _supplied(version) <= set().union(*above)
    return not (session.first_day <= day <= session.last_day and (is_replaced or is_known))


def differs(session: Session, version: Row) -> bool:
    """Whether a version has another value than its part, or a value that the part lacks."""
    part = _merge_part(_of_part(session.versions, version.get("part")))
    return any(part.get(name) != version[name] for name in _supplied(version))


def is_other_call(session: Session, version: Row) -> bool:
    """Whether a version and its part look like two calls: both have ended, and see below."""
    versions = _of_part(session.versions, version.get("part"))
    part = _merge_part(versions) if versions else {}
    if "end_time" not in part or "end_time" not in version:
        return False
    revisions = {max(one.get("revision", 0), 0) for one in (part, version)}
    ended_before = part["end_time"] < version["setup_time"] or version["end_time"] < part["setup_time"]
    are_whole = "event" not in part and "event" not in version
    parties = ("orig_src_party_id", "orig_dst_party_id")
    shared = [name for name in parties if part.get(name) and version.get(name)]
    differ = any(part[name] != version[name] for name in shared)
    return len(revisions) == 1 and (ended_before or (are_whole and differ))


def merge(versions: Mapping[Rank, Row]) -> Row:
    """The merged parts of a record, joined."""
    numbers = {row.get("part") for row in versions.values()}
    merged = _join([_merge_part(_of_part(versions, number)) for number in numbers])
    answer_us, end_us = merged.get("answer_time"), merged.get("end_time")
    is_timed = answer_us is not None and end_us is not None
    return {**merged, "duration_ms": (end_us - answer_us) // 1_000 if is_timed else 0}  # type: ignore[operator]


def _merge_part(versions: Sequence[tuple[Rank, Row]]) -> Row:
    """Each value from the highest-ranked version that has it, without times that contradict each other."""
    merged: Row = {}
    ranks: dict[str, Rank] = {}
    for rank, row in reversed(versions):
        merged |= row
        ranks |= dict.fromkeys(row, rank)
    for name in ("answer_time", "end_time"):
        if merged.get(name, merged["setup_time"]) < merged["setup_time"]:
            del merged[name]
    if "answer_time" in merged and merged.get("end_time", 2**63) < merged["answer_time"]:
        del merged["end_time" if ranks["end_time"] < ranks["answer_time"] else "answer_time"]
    return merged


def _join(parts: list[Row]) -> Row:
    if len(parts) == 1:
        return parts[0]
    # The first that fits is the one of the least setup time, then of the least number.
    parts = sorted(parts, key=lambda part: (part["setup_time"], part.get("part", -1)))
    highest = max(part.get("part_class", 1) for part in parts)
    answered = [part for part in parts if part.get("part_class", 1) == highest and "answer_time" in part]
    last = max(parts, key=lambda part: (part.get("end_time", -1), part.get("part_class", 1)))
    side = min(answered, key=lambda part: part["answer_time"]) if answered else last
    joined = {name: value for name, value in parts[0].items() if not _is_terminating(name)}
    joined |= {name: value for name, value in side.items() if _is_terminating(name)}
    joined |= {"answer_time": side["answer_time"] if answered else None, "end_time": last.get("end_time")}
    if answered and last.get("end_time", -1) < side["answer_time"]:
        joined["end_time"] = None
    joined |= {"part": None, "replaces": None, "part_class": highest}
    return {name: value for name, value in joined.items() if value is not None}


def _is_terminating(name: str) -> bool:
    return name.startswith(("term_", "equipment_")) or name == "disconnect_cause"


def rates_of(row: Row, deck: Mapping[str, Sequence[str]]) -> Row:
    """The rates of both legs, by the longest code; absent ones are None."""
    found: Row = {}
    for leg in ("orig", "term"):
        number = row.get(f"{leg}_dst_party_id", "").removeprefix("+")
        codes = (number[:length] for length in range(len(number), 0, -1))
        entry = next((deck[code] for code in codes if code in deck), ["", "", ""])
        found |= {f"{leg}_{name}": text or None for name, text in zip(_RATES, entry, strict=True)}
    return found


def measured(row: Row, measure: model.Measure) -> tuple[int, int, int]:
    answer_us = row.get("answer_time")
    if measure.name == "calls":
        return 1, int(answer_us is not None), row["duration_ms"]
    if measure.name == "elapsed" and answer_us is not None:
        return 1, max(0, measure.as_of_us - answer_us) // 1_000, 0
    return 1, 0, 0


def key_column(name: str, values: Sequence[Any]) -> Any:
    if name not in _TEXTS:
        return np.array([_ABSENT if value is None else value for value in values], np.int64)
    codes: dict[str, int] = {"": 0}
    return np.array([codes.setdefault(value or "", len(codes)) for value in values], np.int64), list(codes)


def check_column(name: str) -> None:
    if name not in _COLUMNS:
        raise ValueError(f"records have no column {name!r}")


def condition_of(predicate: model.Predicate) -> Callable[[Row], bool]:
    check_column(predicate.column)
    match predicate:
        case model.Present(column, wanted):
            return lambda row: (row.get(column) is not None) == wanted
        case model.Between(_, low, high):
            holds: Callable[[Any], bool] = lambda value: low <= value <= high  # noqa: E731
        case model.OneOf(_, values):
            holds = frozenset(values).__contains__
        case model.InNetwork(_, network):
            holds = lambda text: _is_within(text, network)  # noqa: E731
        case model.TextMatch(_, how, text):
            compare: dict[str, Callable[[str, str], bool]] = {
                "eq": str.__eq__,
                "starts_with": str.startswith,
                "ends_with": str.endswith,
                "contains": str.__contains__,
            }
            holds = lambda value: compare[how](value, text)  # noqa: E731
    default = DEFAULTS.get(predicate.column)
    return lambda row: (value := row.get(predicate.column, default)) is not None and holds(value)


@lru_cache(1_000)
def _is_within(text: str, network: str) -> bool:
    try:
        address: Any = ipaddress.ip_address("" if "%" in text else text)
    except ValueError:
        return False
    block: Any = ipaddress.ip_network(network, strict=False)
    if block.version == 6 and block.prefixlen >= 96 and (mapped := block.network_address.ipv4_mapped):
        block = ipaddress.ip_network(f"{mapped}/{block.prefixlen - 96}")
    return (getattr(address, "ipv4_mapped", None) or address) in block
