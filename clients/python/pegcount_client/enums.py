"""The enums of the contract as texts: a member or its plain name is accepted wherever one is asked for.

Zero, which the contract calls UNSPECIFIED, has no member: leave the argument out.
"""

from enum import StrEnum
from typing import Final, TypeVar

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from pegcount.v1 import feed_health_pb2, records_pb2, reports_pb2, traffic_pb2

from pegcount_client.suggestions import unknown_name


class Granularity(StrEnum):
    """Width of a bin: a calendar interval in the zone of the report, so a DAY may have 23 or 25 hours."""

    MINUTE = "MINUTE"
    FIVE_MINUTES = "FIVE_MINUTES"
    FIFTEEN_MINUTES = "FIFTEEN_MINUTES"
    THIRTY_MINUTES = "THIRTY_MINUTES"
    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    """Monday to Sunday."""
    MONTH = "MONTH"


class SessionKind(StrEnum):
    """What a session is."""

    CALL = "CALL"
    """A call attempt, both of its legs."""
    ASR = "ASR"
    """An automatic speech recognition session."""
    TTS = "TTS"
    """A text-to-speech session."""


class SessionEvent(StrEnum):
    """What a record says of its session; a record without an event is whole."""

    START = "START"
    UPDATE = "UPDATE"
    END = "END"


class ReleaseParty(StrEnum):
    """Who ended a call."""

    ORIGINATION = "ORIGINATION"
    """The calling side."""
    TERMINATION = "TERMINATION"
    """The called side."""
    SWITCH = "SWITCH"
    """The switch, such as for a limit of its own."""


class Grouping(StrEnum):
    """How rows are summed up further."""

    ROLLUP = "ROLLUP"
    """A subtotal per proper prefix of the key, and the total."""


class NoticeCode(StrEnum):
    """What a caller should know about an answer that is right but may surprise."""

    FROM_IN_FUTURE = "FROM_IN_FUTURE"
    """The range begins now or later, so the answer has no bins."""
    BEFORE_RETENTION = "BEFORE_RETENTION"
    """The range begins before the UTC day of the oldest record held."""
    RANGE_REVERSED = "RANGE_REVERSED"
    """`from_date` is after `to_date`, so the answer has no rows."""
    ACCOUNT_NOT_SEEN = "ACCOUNT_NOT_SEEN"
    """Nothing was counted, and no record carries an account that the request names."""
    KIND_NOT_SEEN = "KIND_NOT_SEEN"
    """Nothing was counted, and no record is of the kind that the request asks for."""
    ID_NOT_SEEN = "ID_NOT_SEEN"
    """Nothing was counted, and no record carries an id that the request filters by."""
    CREDENTIAL_EXPIRES = "CREDENTIAL_EXPIRES"
    """The credential of the call, or its key, expires soon."""
    METRICS_HIDDEN = "METRICS_HIDDEN"
    """The credential of the call does not show some figures of the report, which are absent."""
    CAUSES_MISSING = "CAUSES_MISSING"
    """A figure reads release causes, and some calls carry none."""
    UNRATED_CALLS = "UNRATED_CALLS"
    """A figure adds up prices, and some answered calls have none."""


class TrafficMetric(StrEnum):
    """A figure of calls; the contract says what each one is."""

    CALLS = "CALLS"
    ANSWERED = "ANSWERED"
    FAILED = "FAILED"
    DURATION_MS = "DURATION_MS"
    ASR = "ASR"
    ACD = "ACD"
    CPS = "CPS"
    CPS_PEAK = "CPS_PEAK"
    SHORT_CALLS = "SHORT_CALLS"
    SHORT_SHARE = "SHORT_SHARE"
    ANSWERED_WITHIN = "ANSWERED_WITHIN"
    RING_TIME_MEAN = "RING_TIME_MEAN"
    RING_TIME_PERCENTILE = "RING_TIME_PERCENTILE"
    DURATION_PERCENTILE = "DURATION_PERCENTILE"
    CALLS_WITH_CAUSE = "CALLS_WITH_CAUSE"
    CAUSE_KNOWN = "CAUSE_KNOWN"
    DELIVERED = "DELIVERED"
    NER = "NER"
    PDD_COUNT = "PDD_COUNT"
    PDD_MEAN = "PDD_MEAN"
    PDD_PERCENTILE = "PDD_PERCENTILE"
    REVENUE = "REVENUE"
    COST = "COST"
    MARGIN = "MARGIN"
    MARGIN_SHARE = "MARGIN_SHARE"
    UNRATED = "UNRATED"
    OCCUPIED_US = "OCCUPIED_US"
    ERLANG = "ERLANG"
    PEAK = "PEAK"
    PEAK_AT = "PEAK_AT"


class TrafficDimension(StrEnum):
    """What calls can be grouped and filtered by; the contract says which field each one is."""

    SOURCE = "SOURCE"
    KIND = "KIND"
    ACCOUNT_ID = "ACCOUNT_ID"
    TENANT_ID = "TENANT_ID"
    APP_ID = "APP_ID"
    COMP_ID = "COMP_ID"
    EQUIPMENT_ID = "EQUIPMENT_ID"
    EQUIPMENT_NAME = "EQUIPMENT_NAME"
    SRC_COUNTRY_ID = "SRC_COUNTRY_ID"
    DST_COUNTRY_ID = "DST_COUNTRY_ID"
    SRC_PREFIX = "SRC_PREFIX"
    DST_PREFIX = "DST_PREFIX"
    CAUSE = "CAUSE"
    CAUSE_CLASS = "CAUSE_CLASS"
    SIP_STATUS = "SIP_STATUS"
    RELEASE_PARTY = "RELEASE_PARTY"
    LAST_ATTEMPT = "LAST_ATTEMPT"
    COMPANY = "COMPANY"
    ORGANIZATION = "ORGANIZATION"
    FOLDER = "FOLDER"
    AGENT_ID = "AGENT_ID"
    ORIG_COMPANIES_ID = "ORIG_COMPANIES_ID"
    ORIG_OWNER_USERS_ID = "ORIG_OWNER_USERS_ID"
    ORIG_CLIENTS_ID = "ORIG_CLIENTS_ID"
    ORIG_CLIENTS_NAME = "ORIG_CLIENTS_NAME"
    ORIG_ACCOUNTS_ID = "ORIG_ACCOUNTS_ID"
    ORIG_ACCOUNTS_NAME = "ORIG_ACCOUNTS_NAME"
    ORIG_RATES_CODE = "ORIG_RATES_CODE"
    ORIG_RATES_CODE_NAME = "ORIG_RATES_CODE_NAME"
    ORIG_RATES_COUNTRY = "ORIG_RATES_COUNTRY"
    TERM_COMPANIES_ID = "TERM_COMPANIES_ID"
    TERM_OWNER_USERS_ID = "TERM_OWNER_USERS_ID"
    TERM_CLIENTS_ID = "TERM_CLIENTS_ID"
    TERM_CLIENTS_NAME = "TERM_CLIENTS_NAME"
    TERM_ACCOUNTS_ID = "TERM_ACCOUNTS_ID"
    TERM_ACCOUNTS_NAME = "TERM_ACCOUNTS_NAME"
    TERM_RATES_CODE = "TERM_RATES_CODE"
    TERM_RATES_CODE_NAME = "TERM_RATES_CODE_NAME"
    TERM_RATES_COUNTRY = "TERM_RATES_COUNTRY"
    CURRENCY = "CURRENCY"
    VENDOR_CURRENCY = "VENDOR_CURRENCY"
    HOUR_OF_DAY = "HOUR_OF_DAY"
    WEEKDAY = "WEEKDAY"


class Attempts(StrEnum):
    """Which attempts of a call count."""

    LAST = "LAST"
    """The last attempt of each call: the side of the customer."""
    ALL = "ALL"
    """All attempts, those included that another attempt followed: the side of the vendors."""


class Occupancy(StrEnum):
    """When a call occupies a line, for OCCUPIED_US, ERLANG, PEAK and PEAK_AT."""

    TALK = "TALK"
    """From answer to end."""
    SEIZED = "SEIZED"
    """From setup to end, answered or not."""


class Comparison(StrEnum):
    """Which earlier range an answer is compared with: that of the request, moved by the calendar."""

    PREVIOUS_RANGE = "PREVIOUS_RANGE"
    """The range right before: by whole local days where both ends are local midnights."""
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    """A day that a month lacks is its last day."""
    YEAR = "YEAR"
    """Not for bins of weeks."""


class AlertComparison(StrEnum):
    """How an alert rule compares a figure with its threshold."""

    ABOVE = "ABOVE"
    """The figure is greater."""
    BELOW = "BELOW"
    """The figure is less."""


class AlertState(StrEnum):
    """Whether a rule alerts for a group."""

    FIRING = "FIRING"
    """The rule holds."""
    RESOLVED = "RESOLVED"
    """The rule does not hold: it no longer does, or data are back after NO_DATA."""
    NO_DATA = "NO_DATA"
    """The last complete bin has too few calls to tell, no value, or no open hour."""


class Additivity(StrEnum):
    """How figures of several bins, or groups, give that of all of them."""

    SUM = "SUM"
    MAX = "MAX"
    """It is the greatest of them."""
    NONE = "NONE"
    """It does not follow from them."""


class FeedFinding(StrEnum):
    """What a feed lacks, or does otherwise than it usually does."""

    SILENT = "SILENT"
    """No record came although some usually do in such a time."""
    FEWER_THAN_USUAL = "FEWER_THAN_USUAL"
    MORE_THAN_USUAL = "MORE_THAN_USUAL"
    NO_FAILED_CALLS = "NO_FAILED_CALLS"
    """All calls were answered: most likely failed ones are not sent."""
    NO_CAUSES = "NO_CAUSES"
    """No call carries a release cause."""
    NO_ALERT_TIMES = "NO_ALERT_TIMES"
    """No call carries the time of ringing."""
    NO_PRICES = "NO_PRICES"
    """No answered call carries a price."""
    CLOCK_AHEAD = "CLOCK_AHEAD"
    """Calls come before the end that they carry."""
    REJECTED = "REJECTED"
    """Many records were rejected."""
    NO_RECORDS = "NO_RECORDS"
    """No record of the last 31 days has this source."""


_Member = TypeVar("_Member", bound=StrEnum)

_CONTRACT: Final[dict[type[StrEnum], tuple[EnumTypeWrapper, str]]] = {
    Granularity: (reports_pb2.Granularity, "GRANULARITY_"),
    SessionKind: (records_pb2.SessionKind, "SESSION_KIND_"),
    SessionEvent: (records_pb2.SessionEvent, "SESSION_EVENT_"),
    ReleaseParty: (records_pb2.ReleaseParty, "RELEASE_PARTY_"),
    Grouping: (reports_pb2.Grouping, "GROUPING_"),
    NoticeCode: (reports_pb2.NoticeCode, "NOTICE_CODE_"),
    TrafficMetric: (traffic_pb2.TrafficMetric, "TRAFFIC_METRIC_"),
    TrafficDimension: (traffic_pb2.TrafficDimension, "TRAFFIC_DIMENSION_"),
    Attempts: (traffic_pb2.Attempts, "ATTEMPTS_"),
    Occupancy: (traffic_pb2.Occupancy, "OCCUPANCY_"),
    Comparison: (traffic_pb2.Comparison, "COMPARISON_"),
    Additivity: (traffic_pb2.Additivity, "ADDITIVITY_"),
    FeedFinding: (feed_health_pb2.FeedFinding, "FEED_FINDING_"),
    AlertComparison: (traffic_pb2.AlertComparison, "ALERT_COMPARISON_"),
    AlertState: (traffic_pb2.AlertState, "ALERT_STATE_"),
}
"""The enum of the contract, and how its names begin there."""


def member(kind: type[_Member], value: str, *, what: str) -> _Member:
    """Returns the member that a name means, in either case and with or without the prefix of the contract.

    `what` names the argument in errors. Raises ValueError for an unknown name, TypeError for another type.

    >>> member(Granularity, "five_minutes", what="granularity")
    <Granularity.FIVE_MINUTES: 'FIVE_MINUTES'>
    >>> member(Granularity, "GRANULARITY_DAY", what="granularity")
    <Granularity.DAY: 'DAY'>
    """
    if not isinstance(value, str):
        raise TypeError(
            f'{what} is a {kind.__name__} or its name, such as "{next(iter(kind))}", not {value!r}'
        )
    prefix = _CONTRACT[kind][1]
    found = kind.__members__.get(value.upper().removeprefix(prefix))
    if found is None:
        raise ValueError(unknown_name(what, value, kind.__members__))
    return found


def number(kind: type[StrEnum], value: str, *, what: str) -> int:
    """Returns the number that the contract gives a member or its name; errors as those of `member`."""
    wrapper, prefix = _CONTRACT[kind]
    return int(wrapper.Value(prefix + member(kind, value, what=what)))


def member_of_number(kind: type[_Member], value: int) -> _Member | str:
    """Returns the member of a number of an answer; as text, one that only a newer server knows."""
    wrapper, prefix = _CONTRACT[kind]
    found = wrapper.DESCRIPTOR.values_by_number.get(value)
    return str(value) if found is None else kind.__members__.get(found.name.removeprefix(prefix), str(value))
