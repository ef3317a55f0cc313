"""The notices about the figures of an answer, without texts."""

from collections.abc import Iterator, Sequence

from pegcount.v1 import records_pb2, reports_pb2, traffic_pb2
from pegcount.v1.traffic_pb2 import QueryTrafficRequest

from oracle.records import Session

from . import figures
from .dimensions import PREFIXES, Reading, Value, field_of, value_of

_OF_CAUSES = {"calls_with_cause", "cause_known", "delivered", "ner"}
_PRICES = {
    "customer_price": {"revenue", "margin", "margin_share"},
    "vendor_price": {"cost", "margin", "margin_share"},
}
"""The metrics that add up a price."""


_VALUES_LISTED_MAX = 10
_NOT_IN_RECORDS = ("cause_class", "hour_of_day", "weekday", "last_attempt")
_ACCOUNTS = ("account_id", "orig_accounts_id", "term_accounts_id")


def notices(
    request: QueryTrafficRequest,
    calls: Sequence[Session],
    sessions: Sequence[Session],
    reading: Reading,
    *,
    counts_nothing: bool,
) -> Iterator[reports_pb2.Notice]:
    """Yields what is missing for the figures of these calls, or why nothing counts among the sessions."""
    yield from _incomplete(request, calls)
    if counts_nothing:
        kind = request.kind or records_pb2.SESSION_KIND_CALL
        yield from _unseen("kind", traffic_pb2.TRAFFIC_DIMENSION_KIND, [kind], sessions, reading)
        for position, asked in enumerate(request.filters):
            if _has_only_values(asked):
                name = "texts" if asked.texts else "integers"
                values: Sequence[Value] = [*asked.texts, *asked.integers]
                field = f"filters[{position}].{name}"
                yield from _unseen(field, asked.dimension, values, sessions, reading)


def _has_only_values(asked: traffic_pb2.TrafficFilter) -> bool:
    """Returns whether a filter lists values that records have to carry, or none at all."""
    is_open = asked.negate or asked.HasField("range") or asked.HasField("text")
    is_derived = asked.dimension in PREFIXES or field_of(asked.dimension) in _NOT_IN_RECORDS
    return not is_open and not is_derived and not asked.HasField("code_deck")


def _unseen(
    field: str, dimension: int, values: Sequence[Value], sessions: Sequence[Session], reading: Reading
) -> Iterator[reports_pb2.Notice]:
    name = field_of(dimension)
    carried = {value_of(session, dimension, reading) for session in sessions}
    unseen = [value for value in dict.fromkeys(values) if value not in carried]
    if not unseen:
        return
    names = [str(value) for value in unseen]
    code = reports_pb2.NOTICE_CODE_ID_NOT_SEEN
    if name in _ACCOUNTS:
        code = reports_pb2.NOTICE_CODE_ACCOUNT_NOT_SEEN
    if name == "kind":
        code = reports_pb2.NOTICE_CODE_KIND_NOT_SEEN
        names = [records_pb2.SessionKind.Name(records_pb2.SessionKind.ValueType(int(name))) for name in names]
    listed = ", ".join(names[:_VALUES_LISTED_MAX])
    metadata = {"field": field, "values": listed, "value_count": str(len(names))}
    yield reports_pb2.Notice(code=code, metadata=metadata)


def _incomplete(request: QueryTrafficRequest, calls: Sequence[Session]) -> Iterator[reports_pb2.Notice]:
    asked = {figures.name_of(spec) for spec in request.metrics}
    known = sum("disconnect_cause" in call.numbers for call in calls)
    if asked & _OF_CAUSES and known < len(calls):
        metadata = {"known": str(known), "calls": str(len(calls))}
        yield reports_pb2.Notice(code=reports_pb2.NOTICE_CODE_CAUSES_MISSING, metadata=metadata)
    answered = [call for call in calls if call.answered]
    for price, metrics in _PRICES.items():
        rated = sum(price in call.texts for call in answered)
        if asked & metrics and rated < len(answered):
            metadata = {"field": price, "known": str(rated), "calls": str(len(answered))}
            yield reports_pb2.Notice(code=reports_pb2.NOTICE_CODE_UNRATED_CALLS, metadata=metadata)
