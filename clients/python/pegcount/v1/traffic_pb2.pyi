from pegcount.v1 import feed_health_pb2 as _feed_health_pb2
from pegcount.v1 import records_pb2 as _records_pb2
from pegcount.v1 import reports_pb2 as _reports_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrafficMetric(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRAFFIC_METRIC_UNSPECIFIED: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_CALLS: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_ANSWERED: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_FAILED: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_DURATION_MS: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_ASR: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_ACD: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_CPS: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_CPS_PEAK: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_SHORT_CALLS: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_SHORT_SHARE: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_ANSWERED_WITHIN: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_RING_TIME_MEAN: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_RING_TIME_PERCENTILE: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_DURATION_PERCENTILE: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_CALLS_WITH_CAUSE: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_CAUSE_KNOWN: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_DELIVERED: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_NER: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_PDD_COUNT: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_PDD_MEAN: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_PDD_PERCENTILE: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_REVENUE: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_COST: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_MARGIN: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_MARGIN_SHARE: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_UNRATED: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_OCCUPIED_US: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_ERLANG: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_PEAK: _ClassVar[TrafficMetric]
    TRAFFIC_METRIC_PEAK_AT: _ClassVar[TrafficMetric]

class Occupancy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OCCUPANCY_UNSPECIFIED: _ClassVar[Occupancy]
    OCCUPANCY_TALK: _ClassVar[Occupancy]
    OCCUPANCY_SEIZED: _ClassVar[Occupancy]

class TrafficDimension(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRAFFIC_DIMENSION_UNSPECIFIED: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_SOURCE: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_KIND: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_ACCOUNT_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_TENANT_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_APP_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_COMP_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_EQUIPMENT_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_EQUIPMENT_NAME: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_SRC_COUNTRY_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_DST_COUNTRY_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_SRC_PREFIX: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_DST_PREFIX: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_CAUSE: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_CAUSE_CLASS: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_SIP_STATUS: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_RELEASE_PARTY: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_LAST_ATTEMPT: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_COMPANY: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_ORGANIZATION: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_FOLDER: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_AGENT_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_ORIG_COMPANIES_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_ORIG_OWNER_USERS_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_ORIG_CLIENTS_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_ORIG_CLIENTS_NAME: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_ORIG_ACCOUNTS_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_ORIG_ACCOUNTS_NAME: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_ORIG_RATES_CODE: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_ORIG_RATES_CODE_NAME: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_ORIG_RATES_COUNTRY: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_TERM_COMPANIES_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_TERM_OWNER_USERS_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_TERM_CLIENTS_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_TERM_CLIENTS_NAME: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_TERM_ACCOUNTS_ID: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_TERM_ACCOUNTS_NAME: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_TERM_RATES_CODE: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_TERM_RATES_CODE_NAME: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_TERM_RATES_COUNTRY: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_CURRENCY: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_VENDOR_CURRENCY: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_HOUR_OF_DAY: _ClassVar[TrafficDimension]
    TRAFFIC_DIMENSION_WEEKDAY: _ClassVar[TrafficDimension]

class Attempts(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTEMPTS_UNSPECIFIED: _ClassVar[Attempts]
    ATTEMPTS_LAST: _ClassVar[Attempts]
    ATTEMPTS_ALL: _ClassVar[Attempts]

class Comparison(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPARISON_UNSPECIFIED: _ClassVar[Comparison]
    COMPARISON_PREVIOUS_RANGE: _ClassVar[Comparison]
    COMPARISON_DAY: _ClassVar[Comparison]
    COMPARISON_WEEK: _ClassVar[Comparison]
    COMPARISON_MONTH: _ClassVar[Comparison]
    COMPARISON_YEAR: _ClassVar[Comparison]

class Additivity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ADDITIVITY_UNSPECIFIED: _ClassVar[Additivity]
    ADDITIVITY_SUM: _ClassVar[Additivity]
    ADDITIVITY_MAX: _ClassVar[Additivity]
    ADDITIVITY_NONE: _ClassVar[Additivity]

class AlertComparison(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALERT_COMPARISON_UNSPECIFIED: _ClassVar[AlertComparison]
    ALERT_COMPARISON_ABOVE: _ClassVar[AlertComparison]
    ALERT_COMPARISON_BELOW: _ClassVar[AlertComparison]

class AlertState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALERT_STATE_UNSPECIFIED: _ClassVar[AlertState]
    ALERT_STATE_FIRING: _ClassVar[AlertState]
    ALERT_STATE_RESOLVED: _ClassVar[AlertState]
    ALERT_STATE_NO_DATA: _ClassVar[AlertState]
TRAFFIC_METRIC_UNSPECIFIED: TrafficMetric
TRAFFIC_METRIC_CALLS: TrafficMetric
TRAFFIC_METRIC_ANSWERED: TrafficMetric
TRAFFIC_METRIC_FAILED: TrafficMetric
TRAFFIC_METRIC_DURATION_MS: TrafficMetric
TRAFFIC_METRIC_ASR: TrafficMetric
TRAFFIC_METRIC_ACD: TrafficMetric
TRAFFIC_METRIC_CPS: TrafficMetric
TRAFFIC_METRIC_CPS_PEAK: TrafficMetric
TRAFFIC_METRIC_SHORT_CALLS: TrafficMetric
TRAFFIC_METRIC_SHORT_SHARE: TrafficMetric
TRAFFIC_METRIC_ANSWERED_WITHIN: TrafficMetric
TRAFFIC_METRIC_RING_TIME_MEAN: TrafficMetric
TRAFFIC_METRIC_RING_TIME_PERCENTILE: TrafficMetric
TRAFFIC_METRIC_DURATION_PERCENTILE: TrafficMetric
TRAFFIC_METRIC_CALLS_WITH_CAUSE: TrafficMetric
TRAFFIC_METRIC_CAUSE_KNOWN: TrafficMetric
TRAFFIC_METRIC_DELIVERED: TrafficMetric
TRAFFIC_METRIC_NER: TrafficMetric
TRAFFIC_METRIC_PDD_COUNT: TrafficMetric
TRAFFIC_METRIC_PDD_MEAN: TrafficMetric
TRAFFIC_METRIC_PDD_PERCENTILE: TrafficMetric
TRAFFIC_METRIC_REVENUE: TrafficMetric
TRAFFIC_METRIC_COST: TrafficMetric
TRAFFIC_METRIC_MARGIN: TrafficMetric
TRAFFIC_METRIC_MARGIN_SHARE: TrafficMetric
TRAFFIC_METRIC_UNRATED: TrafficMetric
TRAFFIC_METRIC_OCCUPIED_US: TrafficMetric
TRAFFIC_METRIC_ERLANG: TrafficMetric
TRAFFIC_METRIC_PEAK: TrafficMetric
TRAFFIC_METRIC_PEAK_AT: TrafficMetric
OCCUPANCY_UNSPECIFIED: Occupancy
OCCUPANCY_TALK: Occupancy
OCCUPANCY_SEIZED: Occupancy
TRAFFIC_DIMENSION_UNSPECIFIED: TrafficDimension
TRAFFIC_DIMENSION_SOURCE: TrafficDimension
TRAFFIC_DIMENSION_KIND: TrafficDimension
TRAFFIC_DIMENSION_ACCOUNT_ID: TrafficDimension
TRAFFIC_DIMENSION_TENANT_ID: TrafficDimension
TRAFFIC_DIMENSION_APP_ID: TrafficDimension
TRAFFIC_DIMENSION_COMP_ID: TrafficDimension
TRAFFIC_DIMENSION_EQUIPMENT_ID: TrafficDimension
TRAFFIC_DIMENSION_EQUIPMENT_NAME: TrafficDimension
TRAFFIC_DIMENSION_SRC_COUNTRY_ID: TrafficDimension
TRAFFIC_DIMENSION_DST_COUNTRY_ID: TrafficDimension
TRAFFIC_DIMENSION_SRC_PREFIX: TrafficDimension
TRAFFIC_DIMENSION_DST_PREFIX: TrafficDimension
TRAFFIC_DIMENSION_CAUSE: TrafficDimension
TRAFFIC_DIMENSION_CAUSE_CLASS: TrafficDimension
TRAFFIC_DIMENSION_SIP_STATUS: TrafficDimension
TRAFFIC_DIMENSION_RELEASE_PARTY: TrafficDimension
TRAFFIC_DIMENSION_LAST_ATTEMPT: TrafficDimension
TRAFFIC_DIMENSION_COMPANY: TrafficDimension
TRAFFIC_DIMENSION_ORGANIZATION: TrafficDimension
TRAFFIC_DIMENSION_FOLDER: TrafficDimension
TRAFFIC_DIMENSION_AGENT_ID: TrafficDimension
TRAFFIC_DIMENSION_ORIG_COMPANIES_ID: TrafficDimension
TRAFFIC_DIMENSION_ORIG_OWNER_USERS_ID: TrafficDimension
TRAFFIC_DIMENSION_ORIG_CLIENTS_ID: TrafficDimension
TRAFFIC_DIMENSION_ORIG_CLIENTS_NAME: TrafficDimension
TRAFFIC_DIMENSION_ORIG_ACCOUNTS_ID: TrafficDimension
TRAFFIC_DIMENSION_ORIG_ACCOUNTS_NAME: TrafficDimension
TRAFFIC_DIMENSION_ORIG_RATES_CODE: TrafficDimension
TRAFFIC_DIMENSION_ORIG_RATES_CODE_NAME: TrafficDimension
TRAFFIC_DIMENSION_ORIG_RATES_COUNTRY: TrafficDimension
TRAFFIC_DIMENSION_TERM_COMPANIES_ID: TrafficDimension
TRAFFIC_DIMENSION_TERM_OWNER_USERS_ID: TrafficDimension
TRAFFIC_DIMENSION_TERM_CLIENTS_ID: TrafficDimension
TRAFFIC_DIMENSION_TERM_CLIENTS_NAME: TrafficDimension
TRAFFIC_DIMENSION_TERM_ACCOUNTS_ID: TrafficDimension
TRAFFIC_DIMENSION_TERM_ACCOUNTS_NAME: TrafficDimension
TRAFFIC_DIMENSION_TERM_RATES_CODE: TrafficDimension
TRAFFIC_DIMENSION_TERM_RATES_CODE_NAME: TrafficDimension
TRAFFIC_DIMENSION_TERM_RATES_COUNTRY: TrafficDimension
TRAFFIC_DIMENSION_CURRENCY: TrafficDimension
TRAFFIC_DIMENSION_VENDOR_CURRENCY: TrafficDimension
TRAFFIC_DIMENSION_HOUR_OF_DAY: TrafficDimension
TRAFFIC_DIMENSION_WEEKDAY: TrafficDimension
ATTEMPTS_UNSPECIFIED: Attempts
ATTEMPTS_LAST: Attempts
ATTEMPTS_ALL: Attempts
COMPARISON_UNSPECIFIED: Comparison
COMPARISON_PREVIOUS_RANGE: Comparison
COMPARISON_DAY: Comparison
COMPARISON_WEEK: Comparison
COMPARISON_MONTH: Comparison
COMPARISON_YEAR: Comparison
ADDITIVITY_UNSPECIFIED: Additivity
ADDITIVITY_SUM: Additivity
ADDITIVITY_MAX: Additivity
ADDITIVITY_NONE: Additivity
ALERT_COMPARISON_UNSPECIFIED: AlertComparison
ALERT_COMPARISON_ABOVE: AlertComparison
ALERT_COMPARISON_BELOW: AlertComparison
ALERT_STATE_UNSPECIFIED: AlertState
ALERT_STATE_FIRING: AlertState
ALERT_STATE_RESOLVED: AlertState
ALERT_STATE_NO_DATA: AlertState

class MetricSpec(_message.Message):
    __slots__ = ("metric", "threshold_ms", "percentile", "causes", "occupancy")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_MS_FIELD_NUMBER: _ClassVar[int]
    PERCENTILE_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    OCCUPANCY_FIELD_NUMBER: _ClassVar[int]
    metric: TrafficMetric
    threshold_ms: int
    percentile: int
    causes: _containers.RepeatedScalarFieldContainer[int]
    occupancy: Occupancy
    def __init__(self, metric: _Optional[_Union[TrafficMetric, str]] = ..., threshold_ms: _Optional[int] = ..., percentile: _Optional[int] = ..., causes: _Optional[_Iterable[int]] = ..., occupancy: _Optional[_Union[Occupancy, str]] = ...) -> None: ...

class GroupSpec(_message.Message):
    __slots__ = ("dimension", "digits", "code_deck")
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    DIGITS_FIELD_NUMBER: _ClassVar[int]
    CODE_DECK_FIELD_NUMBER: _ClassVar[int]
    dimension: TrafficDimension
    digits: int
    code_deck: int
    def __init__(self, dimension: _Optional[_Union[TrafficDimension, str]] = ..., digits: _Optional[int] = ..., code_deck: _Optional[int] = ...) -> None: ...

class IntegerRange(_message.Message):
    __slots__ = ("low", "high")
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    low: int
    high: int
    def __init__(self, low: _Optional[int] = ..., high: _Optional[int] = ...) -> None: ...

class TrafficFilter(_message.Message):
    __slots__ = ("dimension", "integers", "texts", "text", "range", "absent", "negate", "code_deck")
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    INTEGERS_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    NEGATE_FIELD_NUMBER: _ClassVar[int]
    CODE_DECK_FIELD_NUMBER: _ClassVar[int]
    dimension: TrafficDimension
    integers: _containers.RepeatedScalarFieldContainer[int]
    texts: _containers.RepeatedScalarFieldContainer[str]
    text: _reports_pb2.TextFilter
    range: IntegerRange
    absent: bool
    negate: bool
    code_deck: int
    def __init__(self, dimension: _Optional[_Union[TrafficDimension, str]] = ..., integers: _Optional[_Iterable[int]] = ..., texts: _Optional[_Iterable[str]] = ..., text: _Optional[_Union[_reports_pb2.TextFilter, _Mapping]] = ..., range: _Optional[_Union[IntegerRange, _Mapping]] = ..., absent: bool = ..., negate: bool = ..., code_deck: _Optional[int] = ...) -> None: ...

class TopSpec(_message.Message):
    __slots__ = ("metric", "limit", "ascending", "other")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ASCENDING_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    metric: int
    limit: int
    ascending: bool
    other: bool
    def __init__(self, metric: _Optional[int] = ..., limit: _Optional[int] = ..., ascending: bool = ..., other: bool = ...) -> None: ...

class OpenHours(_message.Message):
    __slots__ = ("weekdays", "from_time", "to_time", "excluded_dates")
    WEEKDAYS_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_DATES_FIELD_NUMBER: _ClassVar[int]
    weekdays: _containers.RepeatedScalarFieldContainer[int]
    from_time: str
    to_time: str
    excluded_dates: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, weekdays: _Optional[_Iterable[int]] = ..., from_time: _Optional[str] = ..., to_time: _Optional[str] = ..., excluded_dates: _Optional[_Iterable[str]] = ...) -> None: ...

class QueryTrafficRequest(_message.Message):
    __slots__ = ("from_time", "to_time", "time_zone", "granularity", "metrics", "group_by", "filters", "attempts", "kind", "top", "compare", "open_hours")
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    GRANULARITY_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    GROUP_BY_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    COMPARE_FIELD_NUMBER: _ClassVar[int]
    OPEN_HOURS_FIELD_NUMBER: _ClassVar[int]
    from_time: str
    to_time: str
    time_zone: str
    granularity: _reports_pb2.Granularity
    metrics: _containers.RepeatedCompositeFieldContainer[MetricSpec]
    group_by: _containers.RepeatedCompositeFieldContainer[GroupSpec]
    filters: _containers.RepeatedCompositeFieldContainer[TrafficFilter]
    attempts: Attempts
    kind: _records_pb2.SessionKind
    top: TopSpec
    compare: Comparison
    open_hours: OpenHours
    def __init__(self, from_time: _Optional[str] = ..., to_time: _Optional[str] = ..., time_zone: _Optional[str] = ..., granularity: _Optional[_Union[_reports_pb2.Granularity, str]] = ..., metrics: _Optional[_Iterable[_Union[MetricSpec, _Mapping]]] = ..., group_by: _Optional[_Iterable[_Union[GroupSpec, _Mapping]]] = ..., filters: _Optional[_Iterable[_Union[TrafficFilter, _Mapping]]] = ..., attempts: _Optional[_Union[Attempts, str]] = ..., kind: _Optional[_Union[_records_pb2.SessionKind, str]] = ..., top: _Optional[_Union[TopSpec, _Mapping]] = ..., compare: _Optional[_Union[Comparison, str]] = ..., open_hours: _Optional[_Union[OpenHours, _Mapping]] = ...) -> None: ...

class TrafficKey(_message.Message):
    __slots__ = ("integer", "text")
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    integer: int
    text: str
    def __init__(self, integer: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class TrafficGroup(_message.Message):
    __slots__ = ("keys", "other")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    OTHER_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[TrafficKey]
    other: bool
    def __init__(self, keys: _Optional[_Iterable[_Union[TrafficKey, _Mapping]]] = ..., other: bool = ...) -> None: ...

class TrafficColumn(_message.Message):
    __slots__ = ("metric", "over_bins", "over_groups", "integers", "doubles", "decimals")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    OVER_BINS_FIELD_NUMBER: _ClassVar[int]
    OVER_GROUPS_FIELD_NUMBER: _ClassVar[int]
    INTEGERS_FIELD_NUMBER: _ClassVar[int]
    DOUBLES_FIELD_NUMBER: _ClassVar[int]
    DECIMALS_FIELD_NUMBER: _ClassVar[int]
    metric: MetricSpec
    over_bins: Additivity
    over_groups: Additivity
    integers: _containers.RepeatedScalarFieldContainer[int]
    doubles: _containers.RepeatedScalarFieldContainer[float]
    decimals: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, metric: _Optional[_Union[MetricSpec, _Mapping]] = ..., over_bins: _Optional[_Union[Additivity, str]] = ..., over_groups: _Optional[_Union[Additivity, str]] = ..., integers: _Optional[_Iterable[int]] = ..., doubles: _Optional[_Iterable[float]] = ..., decimals: _Optional[_Iterable[str]] = ...) -> None: ...

class QueryTrafficResponse(_message.Message):
    __slots__ = ("range", "notices", "t", "covered_us", "complete", "groups", "columns", "group_totals", "totals", "group_count", "latest_setup_time", "compared")
    RANGE_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    T_FIELD_NUMBER: _ClassVar[int]
    COVERED_US_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    GROUP_TOTALS_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    GROUP_COUNT_FIELD_NUMBER: _ClassVar[int]
    LATEST_SETUP_TIME_FIELD_NUMBER: _ClassVar[int]
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    range: _reports_pb2.ResolvedRange
    notices: _containers.RepeatedCompositeFieldContainer[_reports_pb2.Notice]
    t: _containers.RepeatedScalarFieldContainer[int]
    covered_us: _containers.RepeatedScalarFieldContainer[int]
    complete: _containers.RepeatedScalarFieldContainer[bool]
    groups: _containers.RepeatedCompositeFieldContainer[TrafficGroup]
    columns: _containers.RepeatedCompositeFieldContainer[TrafficColumn]
    group_totals: _containers.RepeatedCompositeFieldContainer[TrafficColumn]
    totals: _containers.RepeatedCompositeFieldContainer[TrafficColumn]
    group_count: int
    latest_setup_time: str
    compared: TrafficComparison
    def __init__(self, range: _Optional[_Union[_reports_pb2.ResolvedRange, _Mapping]] = ..., notices: _Optional[_Iterable[_Union[_reports_pb2.Notice, _Mapping]]] = ..., t: _Optional[_Iterable[int]] = ..., covered_us: _Optional[_Iterable[int]] = ..., complete: _Optional[_Iterable[bool]] = ..., groups: _Optional[_Iterable[_Union[TrafficGroup, _Mapping]]] = ..., columns: _Optional[_Iterable[_Union[TrafficColumn, _Mapping]]] = ..., group_totals: _Optional[_Iterable[_Union[TrafficColumn, _Mapping]]] = ..., totals: _Optional[_Iterable[_Union[TrafficColumn, _Mapping]]] = ..., group_count: _Optional[int] = ..., latest_setup_time: _Optional[str] = ..., compared: _Optional[_Union[TrafficComparison, _Mapping]] = ...) -> None: ...

class TrafficChange(_message.Message):
    __slots__ = ("percent",)
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    percent: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, percent: _Optional[_Iterable[float]] = ...) -> None: ...

class TrafficComparison(_message.Message):
    __slots__ = ("range", "t", "columns", "group_totals", "totals", "changes", "group_total_changes", "total_changes")
    RANGE_FIELD_NUMBER: _ClassVar[int]
    T_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    GROUP_TOTALS_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    GROUP_TOTAL_CHANGES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_CHANGES_FIELD_NUMBER: _ClassVar[int]
    range: _reports_pb2.ResolvedRange
    t: _containers.RepeatedScalarFieldContainer[int]
    columns: _containers.RepeatedCompositeFieldContainer[TrafficColumn]
    group_totals: _containers.RepeatedCompositeFieldContainer[TrafficColumn]
    totals: _containers.RepeatedCompositeFieldContainer[TrafficColumn]
    changes: _containers.RepeatedCompositeFieldContainer[TrafficChange]
    group_total_changes: _containers.RepeatedCompositeFieldContainer[TrafficChange]
    total_changes: _containers.RepeatedCompositeFieldContainer[TrafficChange]
    def __init__(self, range: _Optional[_Union[_reports_pb2.ResolvedRange, _Mapping]] = ..., t: _Optional[_Iterable[int]] = ..., columns: _Optional[_Iterable[_Union[TrafficColumn, _Mapping]]] = ..., group_totals: _Optional[_Iterable[_Union[TrafficColumn, _Mapping]]] = ..., totals: _Optional[_Iterable[_Union[TrafficColumn, _Mapping]]] = ..., changes: _Optional[_Iterable[_Union[TrafficChange, _Mapping]]] = ..., group_total_changes: _Optional[_Iterable[_Union[TrafficChange, _Mapping]]] = ..., total_changes: _Optional[_Iterable[_Union[TrafficChange, _Mapping]]] = ...) -> None: ...

class AlertRule(_message.Message):
    __slots__ = ("metric", "comparison", "threshold", "clear_threshold", "least_denominator", "bins")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    CLEAR_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    LEAST_DENOMINATOR_FIELD_NUMBER: _ClassVar[int]
    BINS_FIELD_NUMBER: _ClassVar[int]
    metric: int
    comparison: AlertComparison
    threshold: float
    clear_threshold: float
    least_denominator: int
    bins: int
    def __init__(self, metric: _Optional[int] = ..., comparison: _Optional[_Union[AlertComparison, str]] = ..., threshold: _Optional[float] = ..., clear_threshold: _Optional[float] = ..., least_denominator: _Optional[int] = ..., bins: _Optional[int] = ...) -> None: ...

class WatchTrafficRequest(_message.Message):
    __slots__ = ("query", "last_bins", "interval_ms", "rules")
    QUERY_FIELD_NUMBER: _ClassVar[int]
    LAST_BINS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    query: QueryTrafficRequest
    last_bins: int
    interval_ms: int
    rules: _containers.RepeatedCompositeFieldContainer[AlertRule]
    def __init__(self, query: _Optional[_Union[QueryTrafficRequest, _Mapping]] = ..., last_bins: _Optional[int] = ..., interval_ms: _Optional[int] = ..., rules: _Optional[_Iterable[_Union[AlertRule, _Mapping]]] = ...) -> None: ...

class TrafficValue(_message.Message):
    __slots__ = ("integer", "number", "decimal")
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DECIMAL_FIELD_NUMBER: _ClassVar[int]
    integer: int
    number: float
    decimal: str
    def __init__(self, integer: _Optional[int] = ..., number: _Optional[float] = ..., decimal: _Optional[str] = ...) -> None: ...

class TrafficCell(_message.Message):
    __slots__ = ("group", "t", "values")
    GROUP_FIELD_NUMBER: _ClassVar[int]
    T_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    group: TrafficGroup
    t: int
    values: _containers.RepeatedCompositeFieldContainer[TrafficValue]
    def __init__(self, group: _Optional[_Union[TrafficGroup, _Mapping]] = ..., t: _Optional[int] = ..., values: _Optional[_Iterable[_Union[TrafficValue, _Mapping]]] = ...) -> None: ...

class TrafficUpdate(_message.Message):
    __slots__ = ("t", "covered_us", "complete", "groups", "cells", "total", "group_count", "notices")
    T_FIELD_NUMBER: _ClassVar[int]
    COVERED_US_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    CELLS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    GROUP_COUNT_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    t: _containers.RepeatedScalarFieldContainer[int]
    covered_us: _containers.RepeatedScalarFieldContainer[int]
    complete: _containers.RepeatedScalarFieldContainer[bool]
    groups: _containers.RepeatedCompositeFieldContainer[TrafficGroup]
    cells: _containers.RepeatedCompositeFieldContainer[TrafficCell]
    total: TrafficCell
    group_count: int
    notices: _containers.RepeatedCompositeFieldContainer[_reports_pb2.Notice]
    def __init__(self, t: _Optional[_Iterable[int]] = ..., covered_us: _Optional[_Iterable[int]] = ..., complete: _Optional[_Iterable[bool]] = ..., groups: _Optional[_Iterable[_Union[TrafficGroup, _Mapping]]] = ..., cells: _Optional[_Iterable[_Union[TrafficCell, _Mapping]]] = ..., total: _Optional[_Union[TrafficCell, _Mapping]] = ..., group_count: _Optional[int] = ..., notices: _Optional[_Iterable[_Union[_reports_pb2.Notice, _Mapping]]] = ...) -> None: ...

class Alert(_message.Message):
    __slots__ = ("rule", "group", "state", "t", "value", "denominator")
    RULE_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    T_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DENOMINATOR_FIELD_NUMBER: _ClassVar[int]
    rule: int
    group: TrafficGroup
    state: AlertState
    t: int
    value: TrafficValue
    denominator: int
    def __init__(self, rule: _Optional[int] = ..., group: _Optional[_Union[TrafficGroup, _Mapping]] = ..., state: _Optional[_Union[AlertState, str]] = ..., t: _Optional[int] = ..., value: _Optional[_Union[TrafficValue, _Mapping]] = ..., denominator: _Optional[int] = ...) -> None: ...

class WatchTrafficResponse(_message.Message):
    __slots__ = ("revision", "as_of", "latest_setup_time", "snapshot", "update", "alerts")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    LATEST_SETUP_TIME_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    revision: int
    as_of: str
    latest_setup_time: str
    snapshot: QueryTrafficResponse
    update: TrafficUpdate
    alerts: _containers.RepeatedCompositeFieldContainer[Alert]
    def __init__(self, revision: _Optional[int] = ..., as_of: _Optional[str] = ..., latest_setup_time: _Optional[str] = ..., snapshot: _Optional[_Union[QueryTrafficResponse, _Mapping]] = ..., update: _Optional[_Union[TrafficUpdate, _Mapping]] = ..., alerts: _Optional[_Iterable[_Union[Alert, _Mapping]]] = ...) -> None: ...
