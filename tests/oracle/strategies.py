"""Random worlds: a zone, an instant of interest in it, records around that instant, and the current time."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st
from pegcount.v1 import records_pb2, reports_pb2
from pegcount.v1.admin_pb2 import CodeDeckEntry
from pegcount.v1.records_pb2 import SessionRecord

from . import calendar, records

US = calendar.MICROSECONDS
DAY_US = 86_400 * US

ZONES = (
    *("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns"),
    *("America/Sao_Paulo", "Pacific/Apia", "Asia/Kathmandu", "Africa/Monrovia", "America/Havana"),
    *("Asia/Kolkata", "Pacific/Chatham", "Africa/Casablanca", "Africa/El_Aaiun", "Asia/Gaza"),
    *("Africa/Cairo", "Asia/Tehran", "Asia/Beirut", "Asia/Amman", "Asia/Damascus"),
    *("Europe/London", "Europe/Dublin", "Europe/Moscow", "Europe/Lisbon", "Europe/Kyiv"),
    *("America/Caracas", "America/Asuncion", "America/Santiago", "America/Nuuk", "America/Godthab"),
    *("Antarctica/Troll", "Antarctica/Casey", "Asia/Pyongyang", "Asia/Singapore", "Pacific/Kiritimati"),
    *("Pacific/Kwajalein", "Pacific/Enderbury", "Pacific/Norfolk", "Africa/Khartoum", "Asia/Ust-Nera"),
    *("America/Scoresbysund", "Atlantic/Azores", "Etc/GMT+12", "Etc/GMT-14", "Factory"),
)
# Instants far from clock changes of most zones: year ends, a leap day, plain days.
PLAIN_INSTANTS = tuple(
    calendar.parse_time(text, "UTC")
    for text in (
        *("2026-01-01", "2024-02-29", "2023-02-28T23:59:59", "2026-06-15T12:00:00"),
        *("1972-01-07T00:44:30", "1999-12-31", "2038-01-19T03:14:07", "2100-02-28", "2150-07-01"),
    )
)
# Near these instants, some records and requests are out of range.
END_INSTANTS = tuple(calendar.parse_time(text, "UTC") for text in ("1970-01-02", "2199-12-31"))
NUDGES_US = (
    *(0, 0, 0, -1, 1, -1, 500_000, -999_999, US, -US, 60 * US, -60 * US, 300 * US - 1),
    *(1800 * US, 3600 * US, -3600 * US, 7200 * US, -7200 * US, DAY_US, -DAY_US, 7 * DAY_US, -31 * DAY_US),
)
TALK_US = (
    *(0, 1, 999, 1000, 1001, 400_000, 999_999, US, 1_999_999, 2 * US, 59 * US, 60 * US, 290_400_000),
    *(3600 * US, DAY_US, 3 * DAY_US),
)
DECKS = {
    1: [
        CodeDeckEntry(code="49", name="Germany", country="DE"),
        CodeDeckEntry(code="4915", name="Germany mobile", country="DE"),
        CodeDeckEntry(code="33", country="FR"),
    ],
    2: [CodeDeckEntry(code="4", name="four"), CodeDeckEntry(code="49151", country="")],
}

_PARTIES = (None, "49", "4915", "+49151", "+33", "331", "7", "+")
_IDS = (None, 1, 2, 3)
_NAMES = (None, "a", "b", "B", "ä", "\U0001f4de")
_CODES = (None, "49", "4915", "33")
_OF_LEG: dict[str, tuple[Any, ...]] = {
    "leg_id": _NAMES,
    "src_party_id": _PARTIES,
    "dst_party_id": _PARTIES,
    "companies_id": _IDS,
    "owner_users_id": _IDS,
    "clients_id": _IDS,
    "clients_name": _NAMES,
    "accounts_id": (None, 0, -1, 2**63 - 1, -(2**63) + 1),
    "accounts_name": _NAMES,
    "accounts_ident": _NAMES,
    "rates_code": _CODES,
    "rates_code_name": (None, "Germany", "Germany mobile", "a"),
    "rates_country": (None, "DE", "FR"),
}
# Few values per field, so that groups collide; examples shrink to the first.
DIMENSIONS: dict[str, tuple[Any, ...]] = {
    "account_id": ("1", "1", None, "2", "1", "1", "3", ""),
    "company": ("c", "c", "c", "c", "d", None, "c", "c"),
    "organization": ("o", "o", "o", "p", "o", None, "o", "o"),
    "folder": (None, "f", "g", "", "F", "ä"),
    "agent_id": (None, "x", "y", "10", "9"),
    "is_last_attempt": (None, True, None, False, None, True, None, None),
    "tenant_id": _IDS,
    "app_id": _IDS,
    "comp_id": _IDS,
    "disconnect_cause": (None, 16, 17),
    "equipment_id": _IDS,
    "equipment_name": _NAMES,
    "src_country_id": _IDS,
    "dst_country_id": _IDS,
    "src_prefix_routing": _PARTIES,
    "dst_prefix_routing": _PARTIES,
    "auth_orig_ip": (
        *(None, "198.51.100.1", "198.51.100.2", "::ffff:198.51.100.1", "2001:db8::1", "2001:DB8:0::1"),
        *("no address", "203.0.113.9"),
    ),
    "customer_price": (
        None,
        "0.1",
        "0.100",
        "-0.000000001",
        "12",
        "0",
        "9223372036.854775807",
        "0.100000001",
    ),
    **{f"{leg}_{name}": pool for leg in ("orig", "term") for name, pool in _OF_LEG.items()},
    "vendor_price": (None, "0.1", "0.05", "-0.10", "0", "9223372036.854775807"),
    "currency": (None, "EUR", "EUR", "USD", "EUR", ""),
    "vendor_currency": (None, "EUR", "EUR", "USD", "EUR", ""),
    "sip_status": (None, 200, 486, 100, 699),
    "release_party": (None, 1, 2, 3, 0),
}
# Enough bytes for all choices of the longest session.
_SESSION_BYTES = 110

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class World:
    """Messages in sending order, the instants of interest, and the current time."""

    zone: str
    ticks: tuple[int, ...] = field(repr=False)
    now_us: int
    messages: list[SessionRecord]
    decks: dict[int, list[CodeDeckEntry]] = field(repr=False)


def zones() -> st.SearchStrategy[str]:
    """Draws mostly zones with unusual rules, sometimes any zone of tzdata."""
    return st.sampled_from(ZONES) | st.sampled_from(ZONES) | st.sampled_from(sorted(calendar.zone_names()))


@cache
def offset_changes(zone: str) -> tuple[int, ...]:
    """Returns the instants from mid 1970 to 2040 at which the offset of the zone changes."""
    first_day, last_day = 180, 25_568
    found = []
    for day in range(first_day, last_day, 6):
        start_s, end_s = day * calendar.DAY_S, (day + 6) * calendar.DAY_S
        if calendar.offset_s(zone, start_s) != calendar.offset_s(zone, end_s):
            found += calendar.changes(zone, start_s, end_s)
    return tuple(instant_s * US for instant_s in found)


@cache
def changes_at_midnight() -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Returns zones and the instants at which their clocks skip or repeat a midnight."""
    found = []
    for zone in ZONES:
        changes = tuple(change for change in offset_changes(zone) if _has_midnight(zone, change // US))
        if changes:
            found.append((zone, changes))
    return tuple(found)


def _has_midnight(zone: str, change_s: int) -> bool:
    offsets_s = (calendar.offset_s(zone, change_s - 1), calendar.offset_s(zone, change_s))
    first_s, last_s = (change_s + offset_s for offset_s in sorted(offsets_s))
    return first_s // calendar.DAY_S != last_s // calendar.DAY_S or first_s % calendar.DAY_S == 0


@cache
def ticks_around(zone: str, centre_us: int) -> tuple[int, ...]:
    """Returns the instant and the starts of hours, days, weeks and months around it, nearest first."""
    found = {centre_us}
    today = calendar.date_of(zone, centre_us)
    found.update(calendar.day_start(zone, today + timedelta(days=days)) for days in range(-2, 4))
    for granularity in (
        *(reports_pb2.GRANULARITY_HOUR, reports_pb2.GRANULARITY_FIFTEEN_MINUTES),
        *(reports_pb2.GRANULARITY_WEEK, reports_pb2.GRANULARITY_MONTH),
    ):
        edges = calendar.edges_from(zone, granularity, centre_us - 1)
        found.update(next(edges) for _ in range(3))
    return tuple(sorted(found, key=lambda tick: (abs(tick - centre_us), tick)))


def moments(ticks: tuple[int, ...]) -> st.SearchStrategy[int]:
    """Draws instants on a tick, a microsecond from one, or up to two days off."""
    return st.binary(min_size=8, max_size=8).map(lambda drawn: Dice(drawn).moment(ticks))


class Dice:
    """Turns drawn bytes into choices. One draw per session makes thousands of worlds affordable.

    Zero bytes and exhausted bytes choose the first option, so that examples shrink to it.
    """

    def __init__(self, drawn: bytes) -> None:
        self._left = int.from_bytes(drawn, "little")

    def below(self, count: int) -> int:
        bits = (count - 1).bit_length() + 3
        drawn = self._left & ((1 << bits) - 1)
        self._left >>= bits
        return drawn % count

    def pick(self, pool: Sequence[_Item]) -> _Item:
        return pool[self.below(len(pool))]

    def moment(self, ticks: Sequence[int]) -> int:
        """Picks an instant on a tick, a microsecond from one, or up to two days off; earlier ticks are
        likelier."""
        tick = ticks[self.below(1 + self.below(len(ticks)))]
        if self.below(4) == 3:
            return tick + self.below(4 * DAY_US) - 2 * DAY_US
        return tick + self.pick(NUDGES_US)

    def dimensions(self) -> dict[str, Any]:
        """Picks the dimensions of one record; absent ones are left out, some texts are present but empty."""
        found = {name: self.pick(pool) for name, pool in DIMENSIONS.items()}
        return {name: value for name, value in found.items() if value is not None}


def stamp(instant_us: int | None, nanos: int = 0) -> Timestamp | None:
    """Converts an instant plus some nanoseconds to a Timestamp."""
    if instant_us is None:
        return None
    return Timestamp(seconds=instant_us // US, nanos=instant_us % US * 1000 + nanos)


def sessions(ticks: tuple[int, ...]) -> st.SearchStrategy[list[SessionRecord]]:
    """Draws the messages of one session: whole, active, as events, revised or sent twice."""
    drawn = st.binary(min_size=_SESSION_BYTES, max_size=_SESSION_BYTES)
    return drawn.map(lambda drawn: _session_of(Dice(drawn), ticks))


def _session_of(dice: Dice, ticks: tuple[int, ...]) -> list[SessionRecord]:
    often = (_whole, _whole, _whole, _active, _events, _revised, _twice)
    build = dice.pick((*often, *often, _chained))
    setup_us = dice.moment(ticks)
    answer_us = dice.pick((setup_us, setup_us, None)) and setup_us + dice.pick(TALK_US)
    talk_us = dice.pick((dice.pick(TALK_US), dice.below(3600 * US)))
    fields = {
        "source": dice.pick((None, None, "a")),
        "session_id": f"s{dice.below(20)}",
        "kind": dice.pick(
            (None, "SESSION_KIND_CALL", "SESSION_KIND_ASR", "SESSION_KIND_CALL", "SESSION_KIND_TTS")
        ),
        "setup_time": stamp(setup_us, dice.pick((0, 0, 999))),
    }
    end_us = (setup_us if answer_us is None else answer_us) + talk_us
    times = {"answer_time": stamp(answer_us), "end_time": stamp(end_us, dice.pick((0, 1)))}
    if dice.below(2):
        # Also before the setup or after the answer.
        fields["alert_time"] = stamp(max(0, setup_us + dice.pick((*TALK_US, -1))), dice.pick((0, 999)))
    return _in_parts(dice, build(dice, fields, times))


_REPLACEMENTS: tuple[dict[str, Any], ...] = ({}, {}, {}, {"replaces": True}, {}, {"replaces": False})


def _in_parts(dice: Dice, messages: list[SessionRecord]) -> list[SessionRecord]:
    """Makes each message of some sessions a version of a part, and lets some messages replace others."""
    if dice.below(3) == 2:
        for message in messages:
            message.MergeFrom(
                SessionRecord(part=dice.pick((1, 2, 2**64 - 1)), part_class=dice.pick((None, 1, 2, 3)))
            )
    for message in messages:
        message.MergeFrom(SessionRecord(**dice.pick(_REPLACEMENTS)))
    return messages


def _whole(dice: Dice, fields: dict[str, Any], times: dict[str, Any]) -> list[SessionRecord]:
    return [SessionRecord(**fields, **times, **dice.dimensions())]


def _active(dice: Dice, fields: dict[str, Any], times: dict[str, Any]) -> list[SessionRecord]:
    return [SessionRecord(**fields, answer_time=times["answer_time"], **dice.dimensions())]


def _twice(dice: Dice, fields: dict[str, Any], times: dict[str, Any]) -> list[SessionRecord]:
    return _whole(dice, fields, times) * 2


def _events(dice: Dice, fields: dict[str, Any], times: dict[str, Any]) -> list[SessionRecord]:
    """Picks some of START, UPDATE and END, whose dimensions may disagree."""
    few = dict(list(dice.dimensions().items())[::2])
    answered = {**fields, "answer_time": times["answer_time"]}
    events = [
        SessionRecord(event="SESSION_EVENT_START", **fields, **dice.dimensions()),
        SessionRecord(event="SESSION_EVENT_UPDATE", **answered, **few),
        SessionRecord(event="SESSION_EVENT_END", **fields, end_time=times["end_time"]),
    ]
    chosen = dice.pick(((0, 1, 2), (0, 2), (0, 1), (0,), (2,), (1, 2)))
    return [events[position] for position in chosen]


def _revised(dice: Dice, fields: dict[str, Any], times: dict[str, Any]) -> list[SessionRecord]:
    """Builds a record and a correction whose times may contradict it or make it a separate record."""
    first = SessionRecord(**fields, **times, **dice.dimensions())
    moved_us = records.micros(fields["setup_time"]) + dice.pick(NUDGES_US)
    again = {**fields, "setup_time": stamp(moved_us), "revision": dice.pick((-1, 1, 2))}
    for name in dice.pick(((), ("answer_time",), ("end_time",))):
        again[name] = stamp(moved_us + dice.pick(TALK_US))
    return [first, SessionRecord(**again, **dice.dimensions())]


def _chained(dice: Dice, fields: dict[str, Any], times: dict[str, Any]) -> list[SessionRecord]:
    """Builds versions set up on several days; versions of adjacent days form one record of any span."""
    dimensions = dice.dimensions()
    found = []
    for days in dice.pick(
        ((0, 1, 2, 3), (0, 2, 1), (0, 3, 1, 2), (0, 2, 4, 1, 3), (0, 1, 3, 4), (0, 1, 2, 4))
    ):
        moved_us = records.micros(fields["setup_time"]) + days * DAY_US
        version = SessionRecord(**{**fields, **dimensions, "setup_time": stamp(moved_us)})
        version.revision = dice.below(4)
        version.folder = f"day {days}"
        if dice.below(4):
            version.end_time.CopyFrom(SessionRecord(end_time=stamp(moved_us + dice.pick(TALK_US))).end_time)
        found.append(version)
    return found


_DAMAGES: tuple[Callable[[SessionRecord], object], ...] = (
    lambda record: record.ClearField("session_id"),
    lambda record: record.ClearField("setup_time"),
    lambda record: record.MergeFrom(SessionRecord(setup_time=Timestamp(seconds=-1))),
    lambda record: record.MergeFrom(SessionRecord(setup_time=Timestamp(seconds=records.SECONDS_MAX))),
    lambda record: record.MergeFrom(SessionRecord(end_time=Timestamp(seconds=1))),
    lambda record: record.MergeFrom(SessionRecord(answer_time=Timestamp(seconds=1))),
    lambda record: record.MergeFrom(SessionRecord(company="ä" * 129)),
    lambda record: record.MergeFrom(SessionRecord(customer_price="0.1234567891")),
    lambda record: record.MergeFrom(SessionRecord(customer_price="1e3")),
    lambda record: record.MergeFrom(SessionRecord(vendor_price="0.1234567891")),
    lambda record: record.MergeFrom(SessionRecord(tenant_id=records.INT64_MIN)),
    lambda record: record.MergeFrom(SessionRecord(sip_status=99)),
    lambda record: record.MergeFrom(SessionRecord(sip_status=700)),
)


@st.composite
def bad_records(draw: st.DrawFn, ticks: tuple[int, ...]) -> SessionRecord:
    """Draws a record that must be rejected."""
    damaged = SessionRecord()
    damaged.CopyFrom(draw(sessions(ticks))[0])
    draw(st.sampled_from(_DAMAGES))(damaged)
    return damaged


def without_ties(messages: list[SessionRecord]) -> list[SessionRecord]:
    """Raises revisions until no two different versions of a record have the same rank."""
    taken: dict[tuple[Any, ...], bytes] = {}
    found = []
    for message in messages:
        version = SessionRecord()
        version.CopyFrom(message)
        content = records.encoded(records.canonical(message))
        while taken.setdefault(_rank_key(version), content) != content:
            version.revision += 1
            content = records.encoded(records.canonical(version))
        found.append(version)
    return found


def _rank_key(version: SessionRecord) -> tuple[Any, ...]:
    is_last = version.event in (records_pb2.SESSION_EVENT_UNSPECIFIED, records_pb2.SESSION_EVENT_END)
    return (version.source, version.session_id, version.revision, "last" if is_last else version.event)


@st.composite
def worlds(
    draw: st.DrawFn, session_count_max: int = 24, *, with_ties: bool = False, with_bad: bool = True
) -> World:
    """Draws records around one instant of one zone.

    Without `with_ties`, the hash of the content never decides between two versions of a record.
    """
    zone = draw(zones())
    dice = Dice(draw(st.binary(min_size=16, max_size=16)))
    ends = END_INSTANTS if with_bad else ()
    centre_us = dice.pick((*PLAIN_INSTANTS, *ends, *offset_changes(zone)))
    if dice.below(4) == 3:
        zone, changes = dice.pick(changes_at_midnight())
        centre_us = dice.pick(changes)
    ticks = ticks_around(zone, centre_us)
    # The session count is drawn separately, since Hypothesis then shrinks it.
    least = draw(st.integers(0, session_count_max))
    drawn = draw(st.lists(sessions(ticks), min_size=least, max_size=session_count_max))
    messages = [message for of_session in drawn for message in of_session]
    if with_bad and dice.below(10) == 9:
        messages.append(draw(bad_records(ticks)))
    shuffle_seed = dice.below(256)
    shuffler = random.Random(shuffle_seed)
    shuffler.shuffle(messages)
    later_us = dice.pick((DAY_US, 40 * DAY_US, 3 * DAY_US, 3600 * US, 0, 400 * DAY_US, 1, *[2 * DAY_US] * 5))
    return World(
        zone=zone,
        ticks=ticks,
        now_us=dice.moment(ticks) + later_us,
        messages=messages if with_ties else without_ties(messages),
        decks=DECKS,
    )
