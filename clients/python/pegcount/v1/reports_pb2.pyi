from pegcount.v1 import records_pb2 as _records_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Granularity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GRANULARITY_UNSPECIFIED: _ClassVar[Granularity]
    GRANULARITY_MINUTE: _ClassVar[Granularity]
    GRANULARITY_FIVE_MINUTES: _ClassVar[Granularity]
    GRANULARITY_FIFTEEN_MINUTES: _ClassVar[Granularity]
    GRANULARITY_THIRTY_MINUTES: _ClassVar[Granularity]
    GRANULARITY_HOUR: _ClassVar[Granularity]
    GRANULARITY_DAY: _ClassVar[Granularity]
    GRANULARITY_WEEK: _ClassVar[Granularity]
    GRANULARITY_MONTH: _ClassVar[Granularity]

class NoticeCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NOTICE_CODE_UNSPECIFIED: _ClassVar[NoticeCode]
    NOTICE_CODE_FROM_IN_FUTURE: _ClassVar[NoticeCode]
    NOTICE_CODE_BEFORE_RETENTION: _ClassVar[NoticeCode]
    NOTICE_CODE_RANGE_REVERSED: _ClassVar[NoticeCode]
    NOTICE_CODE_ACCOUNT_NOT_SEEN: _ClassVar[NoticeCode]
    NOTICE_CODE_KIND_NOT_SEEN: _ClassVar[NoticeCode]
    NOTICE_CODE_ID_NOT_SEEN: _ClassVar[NoticeCode]
    NOTICE_CODE_CREDENTIAL_EXPIRES: _ClassVar[NoticeCode]
    NOTICE_CODE_METRICS_HIDDEN: _ClassVar[NoticeCode]
    NOTICE_CODE_CAUSES_MISSING: _ClassVar[NoticeCode]
    NOTICE_CODE_UNRATED_CALLS: _ClassVar[NoticeCode]

class Grouping(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GROUPING_UNSPECIFIED: _ClassVar[Grouping]
    GROUPING_ROLLUP: _ClassVar[Grouping]
GRANULARITY_UNSPECIFIED: Granularity
GRANULARITY_MINUTE: Granularity
GRANULARITY_FIVE_MINUTES: Granularity
GRANULARITY_FIFTEEN_MINUTES: Granularity
GRANULARITY_THIRTY_MINUTES: Granularity
GRANULARITY_HOUR: Granularity
GRANULARITY_DAY: Granularity
GRANULARITY_WEEK: Granularity
GRANULARITY_MONTH: Granularity
NOTICE_CODE_UNSPECIFIED: NoticeCode
NOTICE_CODE_FROM_IN_FUTURE: NoticeCode
NOTICE_CODE_BEFORE_RETENTION: NoticeCode
NOTICE_CODE_RANGE_REVERSED: NoticeCode
NOTICE_CODE_ACCOUNT_NOT_SEEN: NoticeCode
NOTICE_CODE_KIND_NOT_SEEN: NoticeCode
NOTICE_CODE_ID_NOT_SEEN: NoticeCode
NOTICE_CODE_CREDENTIAL_EXPIRES: NoticeCode
NOTICE_CODE_METRICS_HIDDEN: NoticeCode
NOTICE_CODE_CAUSES_MISSING: NoticeCode
NOTICE_CODE_UNRATED_CALLS: NoticeCode
GROUPING_UNSPECIFIED: Grouping
GROUPING_ROLLUP: Grouping

class Notice(_message.Message):
    __slots__ = ("code", "text", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CODE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    code: NoticeCode
    text: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, code: _Optional[_Union[NoticeCode, str]] = ..., text: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ResolvedRange(_message.Message):
    __slots__ = ("from_time", "to_time", "time_zone", "granularity", "generated_at")
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    GRANULARITY_FIELD_NUMBER: _ClassVar[int]
    GENERATED_AT_FIELD_NUMBER: _ClassVar[int]
    from_time: str
    to_time: str
    time_zone: str
    granularity: Granularity
    generated_at: str
    def __init__(self, from_time: _Optional[str] = ..., to_time: _Optional[str] = ..., time_zone: _Optional[str] = ..., granularity: _Optional[_Union[Granularity, str]] = ..., generated_at: _Optional[str] = ...) -> None: ...

class QueryAsrUsageRequest(_message.Message):
    __slots__ = ("from_time", "to_time", "granularity", "time_zone", "app_ids", "comp_ids", "tenant_ids", "sma_period", "kind", "absent")
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    GRANULARITY_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    APP_IDS_FIELD_NUMBER: _ClassVar[int]
    COMP_IDS_FIELD_NUMBER: _ClassVar[int]
    TENANT_IDS_FIELD_NUMBER: _ClassVar[int]
    SMA_PERIOD_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    from_time: str
    to_time: str
    granularity: Granularity
    time_zone: str
    app_ids: _containers.RepeatedScalarFieldContainer[int]
    comp_ids: _containers.RepeatedScalarFieldContainer[int]
    tenant_ids: _containers.RepeatedScalarFieldContainer[int]
    sma_period: int
    kind: _records_pb2.SessionKind
    absent: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, from_time: _Optional[str] = ..., to_time: _Optional[str] = ..., granularity: _Optional[_Union[Granularity, str]] = ..., time_zone: _Optional[str] = ..., app_ids: _Optional[_Iterable[int]] = ..., comp_ids: _Optional[_Iterable[int]] = ..., tenant_ids: _Optional[_Iterable[int]] = ..., sma_period: _Optional[int] = ..., kind: _Optional[_Union[_records_pb2.SessionKind, str]] = ..., absent: _Optional[_Iterable[str]] = ...) -> None: ...

class AsrUsageBin(_message.Message):
    __slots__ = ("start_time", "session_count", "sma", "complete")
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    SESSION_COUNT_FIELD_NUMBER: _ClassVar[int]
    SMA_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    start_time: str
    session_count: int
    sma: float
    complete: bool
    def __init__(self, start_time: _Optional[str] = ..., session_count: _Optional[int] = ..., sma: _Optional[float] = ..., complete: bool = ...) -> None: ...

class AsrUsageTotals(_message.Message):
    __slots__ = ("session_count", "busiest_start_time", "busiest_count")
    SESSION_COUNT_FIELD_NUMBER: _ClassVar[int]
    BUSIEST_START_TIME_FIELD_NUMBER: _ClassVar[int]
    BUSIEST_COUNT_FIELD_NUMBER: _ClassVar[int]
    session_count: int
    busiest_start_time: str
    busiest_count: int
    def __init__(self, session_count: _Optional[int] = ..., busiest_start_time: _Optional[str] = ..., busiest_count: _Optional[int] = ...) -> None: ...

class QueryAsrUsageResponse(_message.Message):
    __slots__ = ("range", "notices", "bins", "totals")
    RANGE_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    BINS_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    range: ResolvedRange
    notices: _containers.RepeatedCompositeFieldContainer[Notice]
    bins: _containers.RepeatedCompositeFieldContainer[AsrUsageBin]
    totals: AsrUsageTotals
    def __init__(self, range: _Optional[_Union[ResolvedRange, _Mapping]] = ..., notices: _Optional[_Iterable[_Union[Notice, _Mapping]]] = ..., bins: _Optional[_Iterable[_Union[AsrUsageBin, _Mapping]]] = ..., totals: _Optional[_Union[AsrUsageTotals, _Mapping]] = ...) -> None: ...

class ActiveSessionFilters(_message.Message):
    __slots__ = ("equipment_id", "orig_companies_id", "orig_owner_users_id", "orig_clients_id", "orig_accounts_id", "orig_rates_code", "orig_rates_code_name", "term_companies_id", "term_owner_users_id", "term_clients_id", "term_accounts_id", "term_rates_code", "term_rates_code_name")
    EQUIPMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_COMPANIES_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_OWNER_USERS_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_CLIENTS_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_ACCOUNTS_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_RATES_CODE_FIELD_NUMBER: _ClassVar[int]
    ORIG_RATES_CODE_NAME_FIELD_NUMBER: _ClassVar[int]
    TERM_COMPANIES_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_OWNER_USERS_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_CLIENTS_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_ACCOUNTS_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_RATES_CODE_FIELD_NUMBER: _ClassVar[int]
    TERM_RATES_CODE_NAME_FIELD_NUMBER: _ClassVar[int]
    equipment_id: _containers.RepeatedScalarFieldContainer[int]
    orig_companies_id: _containers.RepeatedScalarFieldContainer[int]
    orig_owner_users_id: _containers.RepeatedScalarFieldContainer[int]
    orig_clients_id: _containers.RepeatedScalarFieldContainer[int]
    orig_accounts_id: _containers.RepeatedScalarFieldContainer[int]
    orig_rates_code: _containers.RepeatedScalarFieldContainer[str]
    orig_rates_code_name: _containers.RepeatedScalarFieldContainer[str]
    term_companies_id: _containers.RepeatedScalarFieldContainer[int]
    term_owner_users_id: _containers.RepeatedScalarFieldContainer[int]
    term_clients_id: _containers.RepeatedScalarFieldContainer[int]
    term_accounts_id: _containers.RepeatedScalarFieldContainer[int]
    term_rates_code: _containers.RepeatedScalarFieldContainer[str]
    term_rates_code_name: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, equipment_id: _Optional[_Iterable[int]] = ..., orig_companies_id: _Optional[_Iterable[int]] = ..., orig_owner_users_id: _Optional[_Iterable[int]] = ..., orig_clients_id: _Optional[_Iterable[int]] = ..., orig_accounts_id: _Optional[_Iterable[int]] = ..., orig_rates_code: _Optional[_Iterable[str]] = ..., orig_rates_code_name: _Optional[_Iterable[str]] = ..., term_companies_id: _Optional[_Iterable[int]] = ..., term_owner_users_id: _Optional[_Iterable[int]] = ..., term_clients_id: _Optional[_Iterable[int]] = ..., term_accounts_id: _Optional[_Iterable[int]] = ..., term_rates_code: _Optional[_Iterable[str]] = ..., term_rates_code_name: _Optional[_Iterable[str]] = ...) -> None: ...

class QueryActiveSessionsRequest(_message.Message):
    __slots__ = ("return_fields", "filters", "order", "limit", "grouping", "code_deck", "time_zone")
    RETURN_FIELDS_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    GROUPING_FIELD_NUMBER: _ClassVar[int]
    CODE_DECK_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    return_fields: _containers.RepeatedScalarFieldContainer[str]
    filters: ActiveSessionFilters
    order: _containers.RepeatedScalarFieldContainer[str]
    limit: int
    grouping: Grouping
    code_deck: int
    time_zone: str
    def __init__(self, return_fields: _Optional[_Iterable[str]] = ..., filters: _Optional[_Union[ActiveSessionFilters, _Mapping]] = ..., order: _Optional[_Iterable[str]] = ..., limit: _Optional[int] = ..., grouping: _Optional[_Union[Grouping, str]] = ..., code_deck: _Optional[int] = ..., time_zone: _Optional[str] = ...) -> None: ...

class ActiveSessionRow(_message.Message):
    __slots__ = ("session_id", "session_setup_time", "session_start_time", "equipment_id", "equipment_name", "orig_leg_id", "orig_src_party_id", "orig_dst_party_id", "orig_companies_id", "orig_owner_users_id", "orig_clients_id", "orig_clients_name", "orig_accounts_id", "orig_accounts_name", "orig_accounts_ident", "orig_rates_code", "orig_rates_code_name", "orig_rates_country", "term_leg_id", "term_src_party_id", "term_dst_party_id", "term_companies_id", "term_owner_users_id", "term_clients_id", "term_clients_name", "term_accounts_id", "term_accounts_name", "term_accounts_ident", "term_rates_code", "term_rates_code_name", "term_rates_country", "quantity", "duration", "level")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_SETUP_TIME_FIELD_NUMBER: _ClassVar[int]
    SESSION_START_TIME_FIELD_NUMBER: _ClassVar[int]
    EQUIPMENT_ID_FIELD_NUMBER: _ClassVar[int]
    EQUIPMENT_NAME_FIELD_NUMBER: _ClassVar[int]
    ORIG_LEG_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_SRC_PARTY_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_DST_PARTY_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_COMPANIES_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_OWNER_USERS_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_CLIENTS_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_CLIENTS_NAME_FIELD_NUMBER: _ClassVar[int]
    ORIG_ACCOUNTS_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_ACCOUNTS_NAME_FIELD_NUMBER: _ClassVar[int]
    ORIG_ACCOUNTS_IDENT_FIELD_NUMBER: _ClassVar[int]
    ORIG_RATES_CODE_FIELD_NUMBER: _ClassVar[int]
    ORIG_RATES_CODE_NAME_FIELD_NUMBER: _ClassVar[int]
    ORIG_RATES_COUNTRY_FIELD_NUMBER: _ClassVar[int]
    TERM_LEG_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_SRC_PARTY_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_DST_PARTY_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_COMPANIES_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_OWNER_USERS_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_CLIENTS_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_CLIENTS_NAME_FIELD_NUMBER: _ClassVar[int]
    TERM_ACCOUNTS_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_ACCOUNTS_NAME_FIELD_NUMBER: _ClassVar[int]
    TERM_ACCOUNTS_IDENT_FIELD_NUMBER: _ClassVar[int]
    TERM_RATES_CODE_FIELD_NUMBER: _ClassVar[int]
    TERM_RATES_CODE_NAME_FIELD_NUMBER: _ClassVar[int]
    TERM_RATES_COUNTRY_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    session_setup_time: str
    session_start_time: str
    equipment_id: int
    equipment_name: str
    orig_leg_id: str
    orig_src_party_id: str
    orig_dst_party_id: str
    orig_companies_id: int
    orig_owner_users_id: int
    orig_clients_id: int
    orig_clients_name: str
    orig_accounts_id: int
    orig_accounts_name: str
    orig_accounts_ident: str
    orig_rates_code: str
    orig_rates_code_name: str
    orig_rates_country: str
    term_leg_id: str
    term_src_party_id: str
    term_dst_party_id: str
    term_companies_id: int
    term_owner_users_id: int
    term_clients_id: int
    term_clients_name: str
    term_accounts_id: int
    term_accounts_name: str
    term_accounts_ident: str
    term_rates_code: str
    term_rates_code_name: str
    term_rates_country: str
    quantity: int
    duration: int
    level: int
    def __init__(self, session_id: _Optional[str] = ..., session_setup_time: _Optional[str] = ..., session_start_time: _Optional[str] = ..., equipment_id: _Optional[int] = ..., equipment_name: _Optional[str] = ..., orig_leg_id: _Optional[str] = ..., orig_src_party_id: _Optional[str] = ..., orig_dst_party_id: _Optional[str] = ..., orig_companies_id: _Optional[int] = ..., orig_owner_users_id: _Optional[int] = ..., orig_clients_id: _Optional[int] = ..., orig_clients_name: _Optional[str] = ..., orig_accounts_id: _Optional[int] = ..., orig_accounts_name: _Optional[str] = ..., orig_accounts_ident: _Optional[str] = ..., orig_rates_code: _Optional[str] = ..., orig_rates_code_name: _Optional[str] = ..., orig_rates_country: _Optional[str] = ..., term_leg_id: _Optional[str] = ..., term_src_party_id: _Optional[str] = ..., term_dst_party_id: _Optional[str] = ..., term_companies_id: _Optional[int] = ..., term_owner_users_id: _Optional[int] = ..., term_clients_id: _Optional[int] = ..., term_clients_name: _Optional[str] = ..., term_accounts_id: _Optional[int] = ..., term_accounts_name: _Optional[str] = ..., term_accounts_ident: _Optional[str] = ..., term_rates_code: _Optional[str] = ..., term_rates_code_name: _Optional[str] = ..., term_rates_country: _Optional[str] = ..., quantity: _Optional[int] = ..., duration: _Optional[int] = ..., level: _Optional[int] = ...) -> None: ...

class QueryActiveSessionsResponse(_message.Message):
    __slots__ = ("range", "notices", "as_of", "rows", "subtotals", "total", "row_count")
    RANGE_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    SUBTOTALS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNT_FIELD_NUMBER: _ClassVar[int]
    range: ResolvedRange
    notices: _containers.RepeatedCompositeFieldContainer[Notice]
    as_of: str
    rows: _containers.RepeatedCompositeFieldContainer[ActiveSessionRow]
    subtotals: _containers.RepeatedCompositeFieldContainer[ActiveSessionRow]
    total: ActiveSessionRow
    row_count: int
    def __init__(self, range: _Optional[_Union[ResolvedRange, _Mapping]] = ..., notices: _Optional[_Iterable[_Union[Notice, _Mapping]]] = ..., as_of: _Optional[str] = ..., rows: _Optional[_Iterable[_Union[ActiveSessionRow, _Mapping]]] = ..., subtotals: _Optional[_Iterable[_Union[ActiveSessionRow, _Mapping]]] = ..., total: _Optional[_Union[ActiveSessionRow, _Mapping]] = ..., row_count: _Optional[int] = ...) -> None: ...

class QueryFolderStatsRequest(_message.Message):
    __slots__ = ("company", "organization", "folder", "from_date", "to_date", "time_zone")
    COMPANY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    FROM_DATE_FIELD_NUMBER: _ClassVar[int]
    TO_DATE_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    company: str
    organization: str
    folder: str
    from_date: str
    to_date: str
    time_zone: str
    def __init__(self, company: _Optional[str] = ..., organization: _Optional[str] = ..., folder: _Optional[str] = ..., from_date: _Optional[str] = ..., to_date: _Optional[str] = ..., time_zone: _Optional[str] = ...) -> None: ...

class FolderAgentStats(_message.Message):
    __slots__ = ("agent_id", "call_count", "answered_count", "duration_ms", "average_duration_seconds")
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    agent_id: str
    call_count: int
    answered_count: int
    duration_ms: int
    average_duration_seconds: float
    def __init__(self, agent_id: _Optional[str] = ..., call_count: _Optional[int] = ..., answered_count: _Optional[int] = ..., duration_ms: _Optional[int] = ..., average_duration_seconds: _Optional[float] = ...) -> None: ...

class FolderStatsRow(_message.Message):
    __slots__ = ("date", "folder", "call_count", "answered_count", "duration_ms", "average_duration_seconds", "agents")
    DATE_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    AGENTS_FIELD_NUMBER: _ClassVar[int]
    date: str
    folder: str
    call_count: int
    answered_count: int
    duration_ms: int
    average_duration_seconds: float
    agents: _containers.RepeatedCompositeFieldContainer[FolderAgentStats]
    def __init__(self, date: _Optional[str] = ..., folder: _Optional[str] = ..., call_count: _Optional[int] = ..., answered_count: _Optional[int] = ..., duration_ms: _Optional[int] = ..., average_duration_seconds: _Optional[float] = ..., agents: _Optional[_Iterable[_Union[FolderAgentStats, _Mapping]]] = ...) -> None: ...

class FolderStatsTotals(_message.Message):
    __slots__ = ("call_count", "answered_count", "duration_ms", "average_duration_seconds")
    CALL_COUNT_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    call_count: int
    answered_count: int
    duration_ms: int
    average_duration_seconds: float
    def __init__(self, call_count: _Optional[int] = ..., answered_count: _Optional[int] = ..., duration_ms: _Optional[int] = ..., average_duration_seconds: _Optional[float] = ...) -> None: ...

class QueryFolderStatsResponse(_message.Message):
    __slots__ = ("range", "notices", "rows", "totals")
    RANGE_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    range: ResolvedRange
    notices: _containers.RepeatedCompositeFieldContainer[Notice]
    rows: _containers.RepeatedCompositeFieldContainer[FolderStatsRow]
    totals: FolderStatsTotals
    def __init__(self, range: _Optional[_Union[ResolvedRange, _Mapping]] = ..., notices: _Optional[_Iterable[_Union[Notice, _Mapping]]] = ..., rows: _Optional[_Iterable[_Union[FolderStatsRow, _Mapping]]] = ..., totals: _Optional[_Union[FolderStatsTotals, _Mapping]] = ...) -> None: ...

class TextFilter(_message.Message):
    __slots__ = ("eq", "starts_with", "ends_with", "contains", "absent")
    EQ_FIELD_NUMBER: _ClassVar[int]
    STARTS_WITH_FIELD_NUMBER: _ClassVar[int]
    ENDS_WITH_FIELD_NUMBER: _ClassVar[int]
    CONTAINS_FIELD_NUMBER: _ClassVar[int]
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    eq: str
    starts_with: str
    ends_with: str
    contains: str
    absent: bool
    def __init__(self, eq: _Optional[str] = ..., starts_with: _Optional[str] = ..., ends_with: _Optional[str] = ..., contains: _Optional[str] = ..., absent: bool = ...) -> None: ...

class IntegerFilter(_message.Message):
    __slots__ = ("eq", "gt", "lt")
    EQ_FIELD_NUMBER: _ClassVar[int]
    GT_FIELD_NUMBER: _ClassVar[int]
    LT_FIELD_NUMBER: _ClassVar[int]
    eq: int
    gt: int
    lt: int
    def __init__(self, eq: _Optional[int] = ..., gt: _Optional[int] = ..., lt: _Optional[int] = ...) -> None: ...

class DecimalFilter(_message.Message):
    __slots__ = ("eq", "gt", "lt")
    EQ_FIELD_NUMBER: _ClassVar[int]
    GT_FIELD_NUMBER: _ClassVar[int]
    LT_FIELD_NUMBER: _ClassVar[int]
    eq: str
    gt: str
    lt: str
    def __init__(self, eq: _Optional[str] = ..., gt: _Optional[str] = ..., lt: _Optional[str] = ...) -> None: ...

class QueryOriginationQualityRequest(_message.Message):
    __slots__ = ("account_id", "from_time", "to_time", "sampling", "time_zone", "src_country_id", "dst_country_id", "src_prefix_routing", "dst_prefix_routing", "duration", "auth_orig_ip", "customer_price", "account_ids", "all_accounts", "absent")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    SAMPLING_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    SRC_COUNTRY_ID_FIELD_NUMBER: _ClassVar[int]
    DST_COUNTRY_ID_FIELD_NUMBER: _ClassVar[int]
    SRC_PREFIX_ROUTING_FIELD_NUMBER: _ClassVar[int]
    DST_PREFIX_ROUTING_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    AUTH_ORIG_IP_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_PRICE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_IDS_FIELD_NUMBER: _ClassVar[int]
    ALL_ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    from_time: str
    to_time: str
    sampling: Granularity
    time_zone: str
    src_country_id: int
    dst_country_id: int
    src_prefix_routing: TextFilter
    dst_prefix_routing: TextFilter
    duration: IntegerFilter
    auth_orig_ip: str
    customer_price: DecimalFilter
    account_ids: _containers.RepeatedScalarFieldContainer[str]
    all_accounts: bool
    absent: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, account_id: _Optional[str] = ..., from_time: _Optional[str] = ..., to_time: _Optional[str] = ..., sampling: _Optional[_Union[Granularity, str]] = ..., time_zone: _Optional[str] = ..., src_country_id: _Optional[int] = ..., dst_country_id: _Optional[int] = ..., src_prefix_routing: _Optional[_Union[TextFilter, _Mapping]] = ..., dst_prefix_routing: _Optional[_Union[TextFilter, _Mapping]] = ..., duration: _Optional[_Union[IntegerFilter, _Mapping]] = ..., auth_orig_ip: _Optional[str] = ..., customer_price: _Optional[_Union[DecimalFilter, _Mapping]] = ..., account_ids: _Optional[_Iterable[str]] = ..., all_accounts: bool = ..., absent: _Optional[_Iterable[str]] = ...) -> None: ...

class OriginationQualityData(_message.Message):
    __slots__ = ("t", "total_calls", "answered_calls", "duration_ms", "acd", "asr", "cps")
    T_FIELD_NUMBER: _ClassVar[int]
    TOTAL_CALLS_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_CALLS_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    ACD_FIELD_NUMBER: _ClassVar[int]
    ASR_FIELD_NUMBER: _ClassVar[int]
    CPS_FIELD_NUMBER: _ClassVar[int]
    t: _containers.RepeatedScalarFieldContainer[int]
    total_calls: _containers.RepeatedScalarFieldContainer[int]
    answered_calls: _containers.RepeatedScalarFieldContainer[int]
    duration_ms: _containers.RepeatedScalarFieldContainer[int]
    acd: _containers.RepeatedScalarFieldContainer[float]
    asr: _containers.RepeatedScalarFieldContainer[float]
    cps: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, t: _Optional[_Iterable[int]] = ..., total_calls: _Optional[_Iterable[int]] = ..., answered_calls: _Optional[_Iterable[int]] = ..., duration_ms: _Optional[_Iterable[int]] = ..., acd: _Optional[_Iterable[float]] = ..., asr: _Optional[_Iterable[float]] = ..., cps: _Optional[_Iterable[float]] = ...) -> None: ...

class OriginationQualityTotals(_message.Message):
    __slots__ = ("total_calls", "answered_calls", "duration_ms", "acd", "asr", "cps_mean", "cps_peak", "cps_sum")
    TOTAL_CALLS_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_CALLS_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    ACD_FIELD_NUMBER: _ClassVar[int]
    ASR_FIELD_NUMBER: _ClassVar[int]
    CPS_MEAN_FIELD_NUMBER: _ClassVar[int]
    CPS_PEAK_FIELD_NUMBER: _ClassVar[int]
    CPS_SUM_FIELD_NUMBER: _ClassVar[int]
    total_calls: int
    answered_calls: int
    duration_ms: int
    acd: float
    asr: float
    cps_mean: float
    cps_peak: float
    cps_sum: float
    def __init__(self, total_calls: _Optional[int] = ..., answered_calls: _Optional[int] = ..., duration_ms: _Optional[int] = ..., acd: _Optional[float] = ..., asr: _Optional[float] = ..., cps_mean: _Optional[float] = ..., cps_peak: _Optional[float] = ..., cps_sum: _Optional[float] = ...) -> None: ...

class QueryOriginationQualityResponse(_message.Message):
    __slots__ = ("range", "notices", "data", "rows", "totals")
    RANGE_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    range: ResolvedRange
    notices: _containers.RepeatedCompositeFieldContainer[Notice]
    data: OriginationQualityData
    rows: int
    totals: OriginationQualityTotals
    def __init__(self, range: _Optional[_Union[ResolvedRange, _Mapping]] = ..., notices: _Optional[_Iterable[_Union[Notice, _Mapping]]] = ..., data: _Optional[_Union[OriginationQualityData, _Mapping]] = ..., rows: _Optional[int] = ..., totals: _Optional[_Union[OriginationQualityTotals, _Mapping]] = ...) -> None: ...
