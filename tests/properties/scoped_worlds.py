"""Random records, data scopes and requests, whose values meet often: few of them, and some absent."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.auth import ACTIVE_FIELDS, SCOPE_FIELDS, hidden_fields
from pegcount.data_scope import DataScope, Metric, OrganizationScope
from pegcount.v1 import reports_pb2
from pegcount.v1.records_pb2 import SessionRecord

NOW_US = 1_774_872_000_000_000
"""2026-03-30T12:00:00Z."""
_US = 1_000_000
_DAY_US = 86_400 * _US
_WRONG_SHARE = 0.04
"""Share of the requests that break a rule of one kind."""

TENANTS = (1, 2, 3)
COMPANIES = ("acme", "bell")
ORGANIZATIONS = ("sales", "support")
ACCOUNTS = ("a1", "a2", "a3")
CLIENTS = (11, 12)
SOURCES = ("pbx", "sbc")
_POOLS: dict[str, Sequence[Any]] = {
    "tenant_id": TENANTS,
    "app_id": (5, 6),
    "comp_id": (7, 8),
    "company": COMPANIES,
    "organization": ORGANIZATIONS,
    "folder": ("f1", "f2"),
    "agent_id": ("x", "y"),
    "account_id": ACCOUNTS,
    "orig_clients_id": CLIENTS,
    "term_clients_id": CLIENTS,
    "orig_clients_name": ("north", "south"),
    "term_clients_name": ("east", "west"),
    "term_accounts_id": (21, 22),
    "orig_rates_code": ("49", "44"),
    "orig_dst_party_id": ("+49301", "4477", "1555"),
    "term_dst_party_id": ("4930", "+44"),
    "src_country_id": (1, 2),
    "dst_country_id": (1, 2),
    "src_prefix_routing": ("100", "200"),
    "dst_prefix_routing": ("300", "310"),
    "auth_orig_ip": ("192.0.2.1", "198.51.100.7", "2001:db8::1"),
    "customer_price": ("0.5", "1.25", "-2"),
    "equipment_id": (31, 32),
}


@dataclass(frozen=True)
class Session:
    """The messages of one session, in the order in which they are written; its key is its own."""

    messages: tuple[SessionRecord, ...]
    has_correction: bool
    """Whether the last message is a correction."""


def sessions(dice: random.Random, count: int) -> list[Session]:
    return [_session(dice, number) for number in range(count)]


def _session(dice: random.Random, number: int) -> Session:
    setup_us = NOW_US - dice.choice((dice.randrange(_DAY_US), dice.randrange(6 * _DAY_US), 40 * _DAY_US))
    key: dict[str, Any] = {"session_id": f"s{number}", "setup_time": _stamp(setup_us)}
    if dice.random() < 0.9:
        key["source"] = dice.choice(SOURCES)
    if dice.random() < 0.3:
        key["kind"] = dice.choice((1, 2, 3))
    answer_us = setup_us + dice.randrange(20 * _US)
    times: dict[str, Any] = {}
    if dice.random() < 0.7:
        times["answer_time"] = _stamp(answer_us)
    end: dict[str, Any] = {"end_time": _stamp(answer_us + dice.randrange(300 * _US))}
    whole = SessionRecord(**key, **times, **end, **_dimensions(dice))
    if dice.random() < 0.1:
        whole.is_last_attempt = False
    match dice.randrange(8):
        case 0 | 1:
            return Session((SessionRecord(**key, **times, **_dimensions(dice)),), has_correction=False)
        case 2:
            start = SessionRecord(event="SESSION_EVENT_START", **key, **_dimensions(dice))
            update = SessionRecord(event="SESSION_EVENT_UPDATE", **key, **times, **_dimensions(dice))
            ended = SessionRecord(event="SESSION_EVENT_END", **key, **end)
            found = (start, update, ended)[: dice.randint(1, 3)]
            return Session(found, has_correction=False)
        case 3:
            again = SessionRecord(**key, **times, **end, **_dimensions(dice))
            return Session((whole, again), has_correction=True)
        case _:
            return Session((whole,), has_correction=False)


def _dimensions(dice: random.Random) -> dict[str, Any]:
    return {name: dice.choice(pool) for name, pool in _POOLS.items() if dice.random() < 0.9}


def _stamp(us: int) -> Timestamp:
    return Timestamp(seconds=us // _US, nanos=us % _US * 1_000)


def scope(dice: random.Random) -> DataScope:
    """Draws a data scope of a few dimensions, of which each may have values that nothing carries."""
    dimensions: dict[str, Any] = {
        "tenant_id": _some(dice, (*TENANTS, 99)),
        "organization": tuple(dict.fromkeys(_organization(dice) for _ in range(dice.randint(1, 3)))),
        "account_id": _some(dice, (*ACCOUNTS, "nobody")),
        "orig_clients_id": _some(dice, (*CLIENTS, 99)),
        "term_clients_id": _some(dice, (*CLIENTS, 99)),
        "source": _some(dice, (*SOURCES, "nobody")),
    }
    names = dice.sample(sorted(dimensions), dice.choice((0, 1, 1, 1, 2, 3)))
    return DataScope(
        **{name: dimensions[name] for name in names},
        hidden_metrics=tuple(metric for metric in Metric if dice.random() < 0.2),
        hidden_fields=_some(dice, ("session_id", "equipment_id")) if dice.random() < 0.2 else (),
        shown_fields=dice.choice(((), (), ACTIVE_FIELDS, SCOPE_FIELDS)),
    )


def _organization(dice: random.Random) -> OrganizationScope:
    return OrganizationScope(
        dice.choice((*COMPANIES, "nobody")), dice.choice((None, *ORGANIZATIONS, "nobody"))
    )


def _some(dice: random.Random, values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(dice.sample(values, dice.randint(1, len(values) - 1)))


def is_visible(record: SessionRecord, of: DataScope) -> bool:
    """Whether a merged record is within a data scope, from the definition."""
    for name in ("tenant_id", "account_id", "orig_clients_id", "term_clients_id", "source"):
        values = getattr(of, name)
        if values and not (record.HasField(name) and getattr(record, name) in values):
            return False
    return not of.organization or any(
        record.company == one.company and one.organization in (None, record.organization)
        for one in of.organization
    )


def is_denied(asked: Any, of: DataScope) -> bool:
    """Whether a request names what is outside a data scope, or hidden by it, from the definition."""
    if of.term_clients_id and _customer_filters(asked, of) - set(of.shown_fields):
        return True
    measured = {Metric.ASR, Metric.ACD} & set(of.hidden_metrics)
    match asked:
        case reports_pb2.QueryAsrUsageRequest():
            return bool(of.tenant_id) and not set(asked.tenant_ids) <= set(of.tenant_id)
        case reports_pb2.QueryOriginationQualityRequest():
            accounts = {asked.account_id, *asked.account_ids} - {""}
            is_outside = bool(of.account_id) and not accounts <= set(of.account_id)
            is_priced = bool(of.hidden_metrics) and asked.HasField("customer_price")
            return is_outside or is_priced or bool(measured and asked.HasField("duration"))
        case reports_pb2.QueryFolderStatsRequest():
            fit = [one for one in of.organization if asked.company in ("", one.company)]
            fit = [
                one for one in fit if not asked.organization or one.organization in (None, asked.organization)
            ]
            return bool(of.organization) and not fit
    filters = asked.filters
    if any(
        not set(getattr(filters, name)) <= set(getattr(of, name) or getattr(filters, name))
        for name in ("orig_clients_id", "term_clients_id")
    ):
        return True
    names = {*asked.return_fields, *(name.removeprefix("-") for name in asked.order)}
    names |= {descriptor.name for descriptor, _ in filters.ListFields()}
    return bool(names & hidden_fields(of))


def _customer_filters(asked: Any, of: DataScope) -> set[str]:
    """Returns the fields of customers by which a request filters, without those that a data scope lists."""
    match asked:
        case reports_pb2.QueryAsrUsageRequest():
            named = {"tenant_id": bool(asked.tenant_ids) or "tenant_id" in asked.absent}
            return {name for name, is_named in named.items() if is_named and not of.tenant_id}
        case reports_pb2.QueryOriginationQualityRequest():
            names_account = asked.account_id or asked.account_ids or "account_id" in asked.absent
            of_accounts = {"account_id"} if names_account and not of.account_id else set[str]()
            return of_accounts | ({"customer_price"} if asked.HasField("customer_price") else set[str]())
        case reports_pb2.QueryFolderStatsRequest():
            names = {name for name in ("company", "organization", "folder") if getattr(asked, name)}
            return set() if of.organization else names
    return set()


def request(dice: random.Random, of: DataScope) -> Message:
    """Draws a request for any report, in most of which nothing is outside the data scope, some invalid."""
    draw: Callable[[random.Random, DataScope], Any] = dice.choice((_usage, _active, _folder, _quality))
    found: Message = draw(dice, of)
    return found


def _id(dice: random.Random, allowed: Sequence[Any], pool: Sequence[Any]) -> Any:
    """Draws an id: most often one that is allowed, else any, or one that nothing carries."""
    if allowed and dice.random() < 0.8:
        return dice.choice(allowed)
    return dice.choice((*pool, type(pool[0])(99)))


def _range(dice: random.Random) -> dict[str, Any]:
    back = dice.choice((0, 1, 2, 2, 7, 7, 45, -2))
    found: dict[str, Any] = {"from_time": _day(back) + dice.choice(("", "T07:30:00.5"))}
    if dice.random() < 0.6:
        found["to_time"] = dice.choice((_day(back - 1), _day(back - 5), _day(0) + "T12:00:00"))
    if dice.random() < 0.3:
        found["time_zone"] = dice.choice(("Europe/Berlin", "Asia/Kathmandu"))
    if _is_wrong(dice):
        found |= dice.choice(({"from_time": "yesterday"}, {"to_time": _day(back)}, {"time_zone": "Mars"}))
    return found


def _is_wrong(dice: random.Random) -> bool:
    return dice.random() < _WRONG_SHARE


def _day(back: int) -> str:
    return Timestamp(seconds=NOW_US // _US - back * 86_400).ToJsonString()[:10]


def _granularity(dice: random.Random, back: str) -> int:
    # Bins of minutes only of short ranges: an answer of 40 days of them would take most of the time.
    if _is_wrong(dice):
        return 0
    return dice.choice((5, 6, 6, 7, 8) if back < _day(3) else (3, 4, 5, 6, 6, 7, 8, 1))


def _usage(dice: random.Random, of: DataScope) -> Any:
    found: Any = reports_pb2.QueryAsrUsageRequest(**_range(dice))
    found.kind = 9 if _is_wrong(dice) else dice.choice((0, 1, 1, 1, 2, 3))
    found.granularity = _granularity(dice, found.from_time)
    if dice.random() < 0.4:
        found.tenant_ids.extend(_id(dice, of.tenant_id, TENANTS) for _ in range(dice.randint(1, 3)))
    for name, pool in (("app_ids", (5, 6)), ("comp_ids", (7, 8))):
        if dice.random() < 0.2:
            getattr(found, name).append(_id(dice, (), pool))
    if dice.random() < 0.1:
        found.absent.append("nothing" if _is_wrong(dice) else dice.choice(("tenant_id", "app_id")))
    if found.granularity == reports_pb2.GRANULARITY_DAY and dice.random() < 0.3:
        found.sma_period = dice.choice((1, 3, 30))
    if _is_wrong(dice):
        found.sma_period = 0
    return found


def _active(dice: random.Random, of: DataScope) -> Any:
    shown = [name for name in ACTIVE_FIELDS if name not in hidden_fields(of) or dice.random() < 0.05]
    names = dice.sample(("quantity", *shown), dice.choice((1, 2, 3)))
    if _is_wrong(dice):
        names = dice.choice(([], ["tenant"]))
    found: Any = reports_pb2.QueryActiveSessionsRequest(return_fields=dict.fromkeys(names))
    if names and dice.random() < 0.4:
        found.order.append(dice.choice(("", "-")) + ("session_id" if _is_wrong(dice) else names[0]))
    if dice.random() < 0.3:
        found.limit = 0 if _is_wrong(dice) else dice.choice((1, 2))
    if dice.random() < 0.3:
        found.grouping = 5 if _is_wrong(dice) else 1
    if dice.random() < 0.3:
        found.code_deck = 2 if _is_wrong(dice) else 1
    filters: tuple[tuple[str, Sequence[Any], Sequence[Any]], ...] = (
        ("orig_clients_id", of.orig_clients_id, CLIENTS),
        ("term_clients_id", of.term_clients_id, CLIENTS),
        ("term_accounts_id", (), (21, 22)),
        ("equipment_id", (), (31, 32)),
        ("orig_rates_code", (), ("49", "44")),
    )
    for name, allowed, pool in filters:
        if dice.random() < 0.15:
            getattr(found.filters, name).append(_id(dice, allowed, pool))
    return found


def _folder(dice: random.Random, of: DataScope) -> Any:
    allowed = dice.choice(of.organization) if of.organization else OrganizationScope("acme")
    found: Any = reports_pb2.QueryFolderStatsRequest(
        company=dice.choice((*[allowed.company] * 6, *COMPANIES, "nobody")),
        organization=dice.choice((*[allowed.organization or "sales"] * 6, *ORGANIZATIONS, "nobody")),
        folder=dice.choice(("", "", "", "f1", "f2", "nothing")),
    )
    if dice.random() < 0.9:
        found.from_date = dice.choice((_day(0), _day(3), _day(5), _day(45), _day(-2)))
        found.to_date = dice.choice((_day(0), _day(0), _day(2), _day(44)))
    if _is_wrong(dice):
        found.from_date = "2026-13-01"
    if _is_wrong(dice):
        found.ClearField(dice.choice(("company", "organization")))
    if dice.random() < 0.2:
        found.time_zone = dice.choice(("America/Sao_Paulo", "Asia/Kathmandu"))
    return found


def _quality(dice: random.Random, of: DataScope) -> Any:
    found: Any = reports_pb2.QueryOriginationQualityRequest(**_range(dice))
    found.sampling = _granularity(dice, found.from_time)
    match dice.randrange(6):
        case 0 | 1:
            found.account_id = _id(dice, of.account_id, ACCOUNTS)
        case 2:
            found.account_ids.extend(_id(dice, of.account_id, ACCOUNTS) for _ in range(dice.randint(1, 3)))
        case 3 | 4:
            found.all_accounts = True
        case _:
            found.absent.append("account_id")
    _filter_quality(dice, found)
    return found


def _filter_quality(dice: random.Random, found: reports_pb2.QueryOriginationQualityRequest) -> None:
    if dice.random() < 0.2:
        found.src_country_id = dice.choice((1, 2, 99))
    if dice.random() < 0.2:
        text_filter = getattr(found, dice.choice(("src_prefix_routing", "dst_prefix_routing")))
        how = dice.choice(("eq", "starts_with", "ends_with", "contains", "absent"))
        setattr(text_filter, how, True if how == "absent" else dice.choice(("100", "3", "0", "00")))
    if dice.random() < 0.15:
        setattr(found.duration, dice.choice(("eq", "gt", "lt")), dice.choice((0, 60, 120)))
    if dice.random() < 0.1:
        found.auth_orig_ip = dice.choice(("192.0.2.0/24", "198.51.100.7", "2001:db8::/32"))
    if dice.random() < 0.15:
        setattr(found.customer_price, dice.choice(("eq", "gt", "lt")), dice.choice(("0.5", "1", "-2")))
    if _is_wrong(dice):
        found.src_prefix_routing.starts_with = ""
    if _is_wrong(dice):
        found.auth_orig_ip = "pbx.example"
