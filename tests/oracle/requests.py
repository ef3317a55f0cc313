"""Random requests that suit a random world: valid ones, and ones with known damages."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from google.protobuf.message import Message
from hypothesis import strategies as st
from pegcount.v1 import reports_pb2
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, SESSION_KIND_UNSPECIFIED, SessionRecord

from . import active, calendar, records
from .strategies import DAY_US, DIMENSIONS, NUDGES_US, US, Dice, World, zones

# DAY is three times as likely, because zones matter most for days.
GRANULARITIES = (*range(1, 9), *[reports_pb2.GRANULARITY_DAY] * 3)
DATE_FORMATS = ("%Y-%m-%d", "%Y%m%d", None)
"""None leaves the date out."""
BIN_COUNT_MAX = 400
_NOMINAL_WIDTHS_US = {
    **{granularity: width_s * US for granularity, width_s in calendar.WIDTHS_S.items()},
    reports_pb2.GRANULARITY_DAY: DAY_US,
    reports_pb2.GRANULARITY_WEEK: 7 * DAY_US,
    reports_pb2.GRANULARITY_MONTH: 30 * DAY_US,
}
_BINS_BEFORE = (0, 0, 0, 1, 1, 2, 7, 30, 200)
_BINS_AFTER = (1, 1, 2, 4, 24, 190, 1, 2, 0)
_OFFSETS_S = (0, 3600, 5 * 3600 + 45 * 60, -(3 * 3600 + 30 * 60), 14 * 3600, -12 * 3600, -23 * 3600)

_Request = TypeVar("_Request", bound=Message)


def time_texts(instant_us: int, zone: str) -> st.SearchStrategy[str]:
    """Draws texts near an instant: exact ones with an offset, the local time, or the bare date."""
    instant_s, fraction_us = divmod(instant_us, US)
    own_s = calendar.offset_s(zone, instant_s)
    digits = f"{fraction_us:06d}"
    fractions = [f".{digits}", f".{digits.rstrip('0')}"] if fraction_us else ["", "", ".0", ".000000"]

    def local(offset_s: int) -> str:
        return (calendar.EPOCH + timedelta(seconds=instant_s + offset_s)).strftime("%Y-%m-%dT%H:%M:%S")

    exact = st.sampled_from(fractions).map(lambda fraction: local(0) + fraction + "Z")
    return st.one_of(
        exact,
        exact,
        st.builds(
            lambda offset_s, fraction: local(offset_s) + fraction + _offset_text(offset_s),
            st.sampled_from(_OFFSETS_S),
            st.sampled_from(fractions),
        ),
        st.sampled_from(fractions).map(lambda fraction: local(own_s) + fraction),
        st.just(local(own_s)[:10]),
    )


def _offset_text(offset_s: int) -> str:
    minutes = abs(offset_s) // 60
    return f"{'-' if offset_s < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


@st.composite
def _zone_fields(draw: st.DrawFn, world: World) -> dict[str, str]:
    zone = draw(st.sampled_from((world.zone, world.zone, world.zone, None)) | zones())
    return {} if zone is None else {"time_zone": zone}


def _is_counted_call(record: SessionRecord) -> bool:
    """Returns whether a single record counts in the folder and quality reports."""
    is_last_attempt = record.is_last_attempt or not record.HasField("is_last_attempt")
    is_call = record.kind in (SESSION_KIND_UNSPECIFIED, SESSION_KIND_CALL)
    return is_call and is_last_attempt and record.HasField("end_time")


def _is_any(record: SessionRecord) -> bool:
    return True


def pivot(
    dice: Dice, world: World, is_wanted: Callable[[SessionRecord], bool] = _is_any
) -> tuple[int, SessionRecord]:
    """Picks an instant to build a range around, mostly the setup of a record, and that record."""
    wanted = [message for message in world.messages if is_wanted(message)]
    record = dice.pick((dice.below(4) and wanted) or world.messages or [SessionRecord()])
    if not world.messages or dice.below(8) == 7:
        return dice.moment(world.ticks), record
    nudge_us = dice.pick((0, 0, 1, -1, dice.pick(NUDGES_US)))
    return records.micros(record.setup_time) + nudge_us, record


@st.composite
def range_fields(draw: st.DrawFn, world: World, granularity: int, pivot_us: int) -> dict[str, Any]:
    """Draws `from_time`, `to_time` and `time_zone` for at most about 400 bins, sometimes reversed."""
    fields: dict[str, Any] = draw(_zone_fields(world))
    zone = fields.get("time_zone", "UTC")
    width_us = _NOMINAL_WIDTHS_US[granularity]
    dice = Dice(draw(st.binary(min_size=16, max_size=16)))
    from_us = pivot_us - width_us * dice.pick(_BINS_BEFORE) + dice.pick((0, 0, 1, -1))
    to_us = pivot_us + width_us * dice.pick(_BINS_AFTER) + dice.pick((0, 0, 0, 0, 1, -1, US, -60 * US))
    fields["from_time"] = draw(time_texts(from_us, zone))
    if dice.below(4):
        fields["to_time"] = draw(time_texts(to_us, zone))
    try:
        from_us = calendar.parse_time(fields["from_time"], zone)
        to_us = calendar.parse_time(fields["to_time"], zone) if "to_time" in fields else world.now_us
    except calendar.Refused:
        return fields
    if to_us - from_us > BIN_COUNT_MAX * width_us:
        to_us = from_us + BIN_COUNT_MAX * width_us
        fields["to_time"] = (calendar.EPOCH + timedelta(microseconds=to_us)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return fields


def _absent(names: Sequence[str]) -> st.SearchStrategy[list[str]]:
    """Draws names for the list `absent`, often none."""
    lists = st.lists(st.sampled_from(names), max_size=2, unique=True)
    return st.one_of(*[st.just([])] * 4, lists)


def _some(pool: tuple[Any, ...], miss: Any) -> st.SearchStrategy[list[Any]]:
    """Draws a list of values that records have, often empty, sometimes with a value that no record has."""
    values = [value for value in dict.fromkeys(pool) if value not in (None, "")]
    lists = st.lists(st.sampled_from([*values, miss]), max_size=3)
    return st.one_of(*[st.just([])] * 5, lists)


@st.composite
def usage_requests(
    draw: st.DrawFn, world: World, granularities: Sequence[int] = GRANULARITIES
) -> reports_pb2.QueryAsrUsageRequest:
    """Draws AsrUsage requests with every granularity, kind and filter, and a moving average for some DAY
    bins."""
    granularity = draw(st.sampled_from(granularities))
    pivot_us, pivot_record = pivot(Dice(draw(st.binary(min_size=8, max_size=8))), world)
    request = reports_pb2.QueryAsrUsageRequest(
        granularity=reports_pb2.Granularity.Name(granularity),
        app_ids=draw(_some(DIMENSIONS["app_id"], 99)),
        comp_ids=draw(_some(DIMENSIONS["comp_id"], 99)),
        tenant_ids=draw(_some(DIMENSIONS["tenant_id"], 99)),
        absent=draw(_absent(("app_id", "comp_id", "tenant_id"))),
        **draw(range_fields(world, granularity, pivot_us)),
    )
    own_kind = pivot_record.kind or SESSION_KIND_CALL
    request.kind = draw(st.sampled_from((own_kind, own_kind, own_kind, 0, 1, 2, 3)))  # type: ignore[assignment]
    if granularity == reports_pb2.GRANULARITY_DAY:
        sma_period = draw(st.sampled_from((None, 1, 2, 3, 7, 30, 366)))
        if sma_period is not None:
            request.sma_period = sma_period
    return request


_NAMES_OFTEN = (
    *("quantity", "duration", "orig_clients_id", "equipment_name", "orig_rates_code"),
    *("orig_rates_code_name", "term_rates_country", "session_start_time", "session_setup_time"),
)
_FILTER_NAMES = [field.name for field in reports_pb2.ActiveSessionFilters.DESCRIPTOR.fields]


@st.composite
def active_requests(draw: st.DrawFn, world: World) -> reports_pb2.QueryActiveSessionsRequest:
    """Draws ActiveSessions requests with any key, order, filters, limit and rollup, and any code deck."""
    names = st.sampled_from(_NAMES_OFTEN) | st.sampled_from(active.FIELD_NAMES)
    return_fields = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    order = draw(st.lists(st.sampled_from(return_fields), max_size=len(return_fields), unique=True))
    descending = draw(st.integers(0, 2 ** len(order) - 1))
    filters: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(_FILTER_NAMES), max_size=2)):
        pool = DIMENSIONS[name]
        filters[name] = draw(_some(pool, "none" if name in _TEXT_FILTERS else 99))
    return reports_pb2.QueryActiveSessionsRequest(
        return_fields=return_fields,
        filters=draw(st.sampled_from((filters, filters, None))),
        order=["-" * (descending >> place & 1) + name for place, name in enumerate(order)],
        limit=draw(st.sampled_from((None, None, 1, 2, 10, 2**31 - 1))),
        grouping=draw(st.sampled_from(("GROUPING_UNSPECIFIED", "GROUPING_ROLLUP"))),
        code_deck=draw(st.sampled_from((*[None] * 8, 1, 1, 1, 1, 2, 2, 7))),
        **draw(_zone_fields(world)),
    )


_TEXT_FILTERS = frozenset(name for name in _FILTER_NAMES if "rates" in name)


@st.composite
def folder_requests(
    draw: st.DrawFn, world: World, date_formats: Sequence[str | None] = DATE_FORMATS
) -> reports_pb2.QueryFolderStatsRequest:
    """Draws FolderStats requests with known and unknown folders and both date formats, sometimes reversed."""
    fields = draw(_zone_fields(world))
    zone = fields.get("time_zone", "UTC")
    dice = Dice(draw(st.binary(min_size=16, max_size=16)))
    pivot_us, pivot_record = pivot(dice, world, _is_counted_call)
    middle = calendar.date_of(zone, pivot_us)
    first = middle - timedelta(days=dice.pick((0, 0, 1, 7, 40)))
    last = middle + timedelta(days=dice.pick((0, 0, 1, 7, 40, -1)))
    for name, day in (("from_date", first), ("to_date", last)):
        date_format = draw(st.sampled_from(date_formats))
        if date_format is not None:
            fields[name] = day.strftime(date_format)
    return reports_pb2.QueryFolderStatsRequest(
        company=dice.pick((pivot_record.company, pivot_record.company) * 12 + ("none",)) or "c",
        organization=dice.pick((pivot_record.organization, pivot_record.organization) * 12 + ("none",))
        or "o",
        folder=dice.pick(("", "", pivot_record.folder, pivot_record.folder) * 4 + ("F", "none")),
        **fields,
    )


def _number_filters(values: tuple[Any, ...]) -> st.SearchStrategy[dict[str, Any]]:
    one = st.sampled_from(values)
    return st.one_of(
        st.builds(lambda name, value: {name: value}, st.sampled_from(("eq", "gt", "lt")), one),
        st.builds(lambda low, high: {"gt": low, "lt": high}, one, one),
    )


def _text_filters(own: str) -> st.SearchStrategy[dict[str, Any]]:
    some = st.sampled_from((own or "4", (own or "4")[:1], (own or "4")[-2:], "49", "15", "+", "none"))
    compared = st.dictionaries(
        st.sampled_from(("eq", "starts_with", "ends_with", "contains")), some, min_size=1, max_size=2
    )
    return st.one_of(
        compared,
        compared,
        st.just({"absent": True}),
        compared.map(lambda chosen: {**chosen, "absent": False}),
    )


QUALITY_FILTERS = (
    *("src_country_id", "dst_country_id", "src_prefix_routing", "dst_prefix_routing"),
    *("duration", "customer_price", "auth_orig_ip"),
)
PRICES = (
    *("0", "0.1", "0.10000000000000000000001", "-0.000000001", "-1", "12.0", "9223372036.854775807"),
    *("99", "0.0999999999", "-99999999999999999999", "99999999999999999999"),
)
_NETWORKS = (
    *("198.51.100.1", "198.51.100.0/24", "198.51.100.2/31", "0.0.0.0/0", "::/0", "2001:db8::/32"),
    *("2001:db8::1", "::ffff:198.51.100.1", "::ffff:198.51.100.0/120", "203.0.113.9/32"),
)


def _quality_filter(name: str, pivot_record: SessionRecord) -> st.SearchStrategy[Any]:
    """Draws a filter that this record often matches or narrowly misses."""
    if name == "duration":
        own_us = records.micros(pivot_record.end_time) - records.micros(pivot_record.answer_time)
        own_s = (
            own_us // US if pivot_record.HasField("answer_time") and pivot_record.HasField("end_time") else 0
        )
        return _number_filters((own_s, own_s, own_s + 1, own_s - 1, 0, 1, -1, 2**63 - 1, -(2**63)))
    if name == "customer_price":
        own = pivot_record.customer_price if records.is_valid_price(pivot_record.customer_price) else "0"
        return _number_filters((*[own, own + "0" if "." in own else own + ".0"] * 4, *PRICES))
    if name == "auth_orig_ip":
        return st.sampled_from(_NETWORKS)
    if name in ("src_country_id", "dst_country_id"):
        return st.sampled_from((getattr(pivot_record, name) or 1, 1, 2, 99))
    return _text_filters(getattr(pivot_record, name))


_WAYS_TO_ASK_FOR_ACCOUNTS = (*["one"] * 8, "several", "several", "all", "all", "without")


@st.composite
def _account_fields(draw: st.DrawFn, pivot_record: SessionRecord) -> dict[str, Any]:
    """Draws the accounts of a request, and names for `absent`."""
    dice = Dice(draw(st.binary(min_size=8, max_size=8)))
    own = pivot_record.account_id or "1"
    absent = draw(_absent(("src_country_id", "dst_country_id")))
    way = dice.pick(_WAYS_TO_ASK_FOR_ACCOUNTS)
    if way == "without" or dice.below(5) == 4:
        absent = [*absent, "account_id"]
    fields: dict[str, dict[str, Any]] = {
        "one": {"account_id": dice.pick((*[own] * 12, "1", "none"))},
        "several": {"account_ids": dice.pick(((own, "2"), ("3", own, own, "none"), ("2", "3"), (own,)))},
        "all": {"all_accounts": True},
        "without": {},
    }
    return {**fields[way], "absent": absent}


@st.composite
def quality_requests(
    draw: st.DrawFn, world: World, granularities: Sequence[int] = GRANULARITIES
) -> reports_pb2.QueryOriginationQualityRequest:
    """Draws OriginationQuality requests with every sampling and at most two filters, often none."""
    sampling = draw(st.sampled_from(granularities))
    dice = Dice(draw(st.binary(min_size=8, max_size=8)))
    pivot_us, pivot_record = pivot(dice, world, _is_counted_call)
    names = (
        draw(st.lists(st.sampled_from(QUALITY_FILTERS), max_size=2, unique=True))
        if draw(st.booleans())
        else []
    )
    return reports_pb2.QueryOriginationQualityRequest(
        **draw(_account_fields(pivot_record)),
        sampling=reports_pb2.Granularity.Name(sampling),
        **draw(range_fields(world, sampling, pivot_us)),
        **{name: draw(_quality_filter(name, pivot_record)) for name in names},
    )


Damage = Callable[[Any], None]


def _set(**fields: Any) -> Damage:
    """Returns a damage that sets fields: None clears a field, a dict or list replaces it as a whole."""

    def damage(request: Any) -> None:
        for name, value in fields.items():
            request.ClearField(name)
            if isinstance(value, int | str):
                setattr(request, name, value)
            elif value is not None:
                request.MergeFrom(type(request)(**{name: value}))
            if value == {}:
                getattr(request, name).SetInParent()

    return damage


def _accounts(**fields: Any) -> Damage:
    """Returns a damage that replaces all fields on accounts."""
    return _set(**{"account_id": None, "account_ids": [], "all_accounts": None, "absent": [], **fields})


_BAD_TIMES = tuple(
    _set(from_time=text, to_time=None)
    for text in (
        "",
        "yesterday",
        "2026-02-30",
        "2026-01-01T24:00:00",
        "2026-01-01T00:00:00.1234567Z",
        "1969-07-20",
    )
)
_BAD_ZONES = tuple(_set(time_zone=zone, to_time=None) for zone in ("Mars/Base", "utc", "Europe/Berlin "))
USAGE_DAMAGES = (
    _BAD_TIMES,
    _BAD_ZONES,
    (_set(granularity=0, sma_period=None), _set(granularity=9, sma_period=None)),
    (_set(sma_period=0), _set(sma_period=367), _set(sma_period=-1)),
    (_set(kind=4),),
    (_set(absent=["app_ids"]), _set(absent=["comp_id", "tenant_id", "comp_id"])),
)
ACTIVE_DAMAGES = (
    (
        *(
            _set(return_fields=names, order=[])
            for names in ([], ["level"], ["quantity", "quantity"], ["Duration"])
        ),
        _set(return_fields=["quantity"], order=["duration"]),
        _set(return_fields=["quantity"], order=["quantity", "-quantity"]),
        _set(return_fields=["quantity"], order=["--quantity", "session"]),
    ),
    (_set(limit=0), _set(limit=-1)),
    (_set(grouping=2),),
    (_set(time_zone="Mars/Base"),),
)
FOLDER_DAMAGES = (
    (_set(company=""), _set(company="c" * 257), _set(folder="ä" * 129)),
    (_set(organization=""),),
    tuple(_set(from_date=text) for text in ("2026-0101", "20260230", "2026-1-1", "today", "22000103")),
    (_set(to_date="2026-13-01"), _set(to_date="1969-12-30")),
    (_set(time_zone="Mars/Base"),),
)
QUALITY_DAMAGES = (
    _BAD_TIMES,
    _BAD_ZONES,
    (_set(sampling=0), _set(sampling=9)),
    (
        _accounts(),
        _accounts(account_id="ä" * 129),
        _accounts(account_id="1", all_accounts=True),
        _accounts(account_ids=["1", "", "ä" * 129], all_accounts=False),
        _accounts(account_ids=["1"], all_accounts=True, absent=["account_id"]),
        _accounts(account_id="1", absent=["app_id", "account_id", "account_id"]),
    ),
    (
        _set(src_prefix_routing={}),
        _set(src_prefix_routing={"absent": False}),
        _set(src_prefix_routing={"absent": True, "ends_with": "", "eq": "4"}),
        _set(src_prefix_routing={"eq": "", "contains": "4"}),
        _set(src_prefix_routing={"ends_with": "4" * 257}),
    ),
    (_set(duration={}),),
    tuple(_set(auth_orig_ip=text) for text in ("", "host", "198.51.100.1/24", "198.51.100.0/33", "1.2.3")),
    tuple(
        _set(customer_price=value)
        for value in ({}, {"eq": ""}, {"gt": "1e3"}, {"lt": "1,5"}, {"eq": "0" * 257})
    ),
)


@st.composite
def broken(
    draw: st.DrawFn, requests: st.SearchStrategy[_Request], damages: tuple[tuple[Damage, ...], ...]
) -> _Request:
    """Draws a request with one to three independent damages, e.g. of `USAGE_DAMAGES`."""
    request = draw(requests)
    chosen = draw(st.lists(st.sampled_from(range(len(damages))), min_size=1, max_size=3, unique=True))
    for position in chosen:
        draw(st.sampled_from(damages[position]))(request)
    return request
