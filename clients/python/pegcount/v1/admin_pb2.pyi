from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Scope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCOPE_UNSPECIFIED: _ClassVar[Scope]
    SCOPE_READ_REPORTS: _ClassVar[Scope]
    SCOPE_WRITE_RECORDS: _ClassVar[Scope]
    SCOPE_ADMIN: _ClassVar[Scope]
    SCOPE_ROOT: _ClassVar[Scope]

class Metric(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_UNSPECIFIED: _ClassVar[Metric]
    METRIC_ASR: _ClassVar[Metric]
    METRIC_ACD: _ClassVar[Metric]
    METRIC_PRICE: _ClassVar[Metric]
SCOPE_UNSPECIFIED: Scope
SCOPE_READ_REPORTS: Scope
SCOPE_WRITE_RECORDS: Scope
SCOPE_ADMIN: Scope
SCOPE_ROOT: Scope
METRIC_UNSPECIFIED: Metric
METRIC_ASR: Metric
METRIC_ACD: Metric
METRIC_PRICE: Metric

class CodeDeckEntry(_message.Message):
    __slots__ = ("code", "name", "country")
    CODE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    code: str
    name: str
    country: str
    def __init__(self, code: _Optional[str] = ..., name: _Optional[str] = ..., country: _Optional[str] = ...) -> None: ...

class PutCodeDeckRequest(_message.Message):
    __slots__ = ("id", "entries")
    ID_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    id: int
    entries: _containers.RepeatedCompositeFieldContainer[CodeDeckEntry]
    def __init__(self, id: _Optional[int] = ..., entries: _Optional[_Iterable[_Union[CodeDeckEntry, _Mapping]]] = ...) -> None: ...

class PutCodeDeckResponse(_message.Message):
    __slots__ = ("entry_count",)
    ENTRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    entry_count: int
    def __init__(self, entry_count: _Optional[int] = ...) -> None: ...

class ListCodeDecksRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CodeDeck(_message.Message):
    __slots__ = ("id", "entry_count")
    ID_FIELD_NUMBER: _ClassVar[int]
    ENTRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    id: int
    entry_count: int
    def __init__(self, id: _Optional[int] = ..., entry_count: _Optional[int] = ...) -> None: ...

class ListCodeDecksResponse(_message.Message):
    __slots__ = ("code_decks",)
    CODE_DECKS_FIELD_NUMBER: _ClassVar[int]
    code_decks: _containers.RepeatedCompositeFieldContainer[CodeDeck]
    def __init__(self, code_decks: _Optional[_Iterable[_Union[CodeDeck, _Mapping]]] = ...) -> None: ...

class OrganizationScope(_message.Message):
    __slots__ = ("company", "organization")
    COMPANY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    company: str
    organization: str
    def __init__(self, company: _Optional[str] = ..., organization: _Optional[str] = ...) -> None: ...

class DataScope(_message.Message):
    __slots__ = ("tenant_id", "organization", "account_id", "orig_clients_id", "term_clients_id", "source", "hidden_metrics", "hidden_fields", "shown_fields")
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    ORIG_CLIENTS_ID_FIELD_NUMBER: _ClassVar[int]
    TERM_CLIENTS_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_METRICS_FIELD_NUMBER: _ClassVar[int]
    HIDDEN_FIELDS_FIELD_NUMBER: _ClassVar[int]
    SHOWN_FIELDS_FIELD_NUMBER: _ClassVar[int]
    tenant_id: _containers.RepeatedScalarFieldContainer[int]
    organization: _containers.RepeatedCompositeFieldContainer[OrganizationScope]
    account_id: _containers.RepeatedScalarFieldContainer[str]
    orig_clients_id: _containers.RepeatedScalarFieldContainer[int]
    term_clients_id: _containers.RepeatedScalarFieldContainer[int]
    source: _containers.RepeatedScalarFieldContainer[str]
    hidden_metrics: _containers.RepeatedScalarFieldContainer[Metric]
    hidden_fields: _containers.RepeatedScalarFieldContainer[str]
    shown_fields: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, tenant_id: _Optional[_Iterable[int]] = ..., organization: _Optional[_Iterable[_Union[OrganizationScope, _Mapping]]] = ..., account_id: _Optional[_Iterable[str]] = ..., orig_clients_id: _Optional[_Iterable[int]] = ..., term_clients_id: _Optional[_Iterable[int]] = ..., source: _Optional[_Iterable[str]] = ..., hidden_metrics: _Optional[_Iterable[_Union[Metric, str]]] = ..., hidden_fields: _Optional[_Iterable[str]] = ..., shown_fields: _Optional[_Iterable[str]] = ...) -> None: ...

class CredentialLimits(_message.Message):
    __slots__ = ("calls_per_second", "calls_in_progress", "write_streams", "work_ms_per_second")
    CALLS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    CALLS_IN_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    WRITE_STREAMS_FIELD_NUMBER: _ClassVar[int]
    WORK_MS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    calls_per_second: int
    calls_in_progress: int
    write_streams: int
    work_ms_per_second: int
    def __init__(self, calls_per_second: _Optional[int] = ..., calls_in_progress: _Optional[int] = ..., write_streams: _Optional[int] = ..., work_ms_per_second: _Optional[int] = ...) -> None: ...

class CreateCredentialRequest(_message.Message):
    __slots__ = ("name", "scopes", "lifetime_seconds", "certificate_names", "data_scope", "limits")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_NAMES_FIELD_NUMBER: _ClassVar[int]
    DATA_SCOPE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    name: str
    scopes: _containers.RepeatedScalarFieldContainer[Scope]
    lifetime_seconds: int
    certificate_names: _containers.RepeatedScalarFieldContainer[str]
    data_scope: DataScope
    limits: CredentialLimits
    def __init__(self, name: _Optional[str] = ..., scopes: _Optional[_Iterable[_Union[Scope, str]]] = ..., lifetime_seconds: _Optional[int] = ..., certificate_names: _Optional[_Iterable[str]] = ..., data_scope: _Optional[_Union[DataScope, _Mapping]] = ..., limits: _Optional[_Union[CredentialLimits, _Mapping]] = ...) -> None: ...

class CreateCredentialResponse(_message.Message):
    __slots__ = ("id", "secret")
    ID_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    id: str
    secret: str
    def __init__(self, id: _Optional[str] = ..., secret: _Optional[str] = ...) -> None: ...

class RotateCredentialRequest(_message.Message):
    __slots__ = ("id", "overlap_seconds")
    ID_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    id: str
    overlap_seconds: int
    def __init__(self, id: _Optional[str] = ..., overlap_seconds: _Optional[int] = ...) -> None: ...

class RotateCredentialResponse(_message.Message):
    __slots__ = ("secret", "previous_expire_time")
    SECRET_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    secret: str
    previous_expire_time: str
    def __init__(self, secret: _Optional[str] = ..., previous_expire_time: _Optional[str] = ...) -> None: ...

class RevokeCredentialRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class RevokeCredentialResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListCredentialsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Credential(_message.Message):
    __slots__ = ("id", "name", "scopes", "expire_time", "certificate_names", "create_time", "revoke_time", "last_use_time", "keys", "data_scope", "limits")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_NAMES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_USE_TIME_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    DATA_SCOPE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    scopes: _containers.RepeatedScalarFieldContainer[Scope]
    expire_time: str
    certificate_names: _containers.RepeatedScalarFieldContainer[str]
    create_time: str
    revoke_time: str
    last_use_time: str
    keys: _containers.RepeatedCompositeFieldContainer[CredentialKey]
    data_scope: DataScope
    limits: CredentialLimits
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., scopes: _Optional[_Iterable[_Union[Scope, str]]] = ..., expire_time: _Optional[str] = ..., certificate_names: _Optional[_Iterable[str]] = ..., create_time: _Optional[str] = ..., revoke_time: _Optional[str] = ..., last_use_time: _Optional[str] = ..., keys: _Optional[_Iterable[_Union[CredentialKey, _Mapping]]] = ..., data_scope: _Optional[_Union[DataScope, _Mapping]] = ..., limits: _Optional[_Union[CredentialLimits, _Mapping]] = ...) -> None: ...

class CredentialKey(_message.Message):
    __slots__ = ("prefix", "create_time", "expire_time")
    PREFIX_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    prefix: str
    create_time: str
    expire_time: str
    def __init__(self, prefix: _Optional[str] = ..., create_time: _Optional[str] = ..., expire_time: _Optional[str] = ...) -> None: ...

class ListCredentialsResponse(_message.Message):
    __slots__ = ("credentials",)
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    credentials: _containers.RepeatedCompositeFieldContainer[Credential]
    def __init__(self, credentials: _Optional[_Iterable[_Union[Credential, _Mapping]]] = ...) -> None: ...

class Retention(_message.Message):
    __slots__ = ("days", "bytes")
    DAYS_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    days: int
    bytes: int
    def __init__(self, days: _Optional[int] = ..., bytes: _Optional[int] = ...) -> None: ...

class GetRetentionRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class RefusedClock(_message.Message):
    __slots__ = ("since_time", "deviation_seconds", "waiting_days")
    SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    DEVIATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    WAITING_DAYS_FIELD_NUMBER: _ClassVar[int]
    since_time: str
    deviation_seconds: int
    waiting_days: int
    def __init__(self, since_time: _Optional[str] = ..., deviation_seconds: _Optional[int] = ..., waiting_days: _Optional[int] = ...) -> None: ...

class GetRetentionResponse(_message.Message):
    __slots__ = ("retention", "refused_clock")
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    REFUSED_CLOCK_FIELD_NUMBER: _ClassVar[int]
    retention: Retention
    refused_clock: RefusedClock
    def __init__(self, retention: _Optional[_Union[Retention, _Mapping]] = ..., refused_clock: _Optional[_Union[RefusedClock, _Mapping]] = ...) -> None: ...

class SetRetentionRequest(_message.Message):
    __slots__ = ("retention", "accept_clock")
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_CLOCK_FIELD_NUMBER: _ClassVar[int]
    retention: Retention
    accept_clock: bool
    def __init__(self, retention: _Optional[_Union[Retention, _Mapping]] = ..., accept_clock: bool = ...) -> None: ...

class SetRetentionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStoreInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStoreInfoResponse(_message.Message):
    __slots__ = ("server_version", "tzdata_version", "records", "unsealed_records", "segments", "segment_bytes", "first_setup_time", "last_setup_time", "active_records", "clock_refused_since_time", "deletions", "write_fault", "follower")
    SERVER_VERSION_FIELD_NUMBER: _ClassVar[int]
    TZDATA_VERSION_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    UNSEALED_RECORDS_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_BYTES_FIELD_NUMBER: _ClassVar[int]
    FIRST_SETUP_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_SETUP_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_RECORDS_FIELD_NUMBER: _ClassVar[int]
    CLOCK_REFUSED_SINCE_TIME_FIELD_NUMBER: _ClassVar[int]
    DELETIONS_FIELD_NUMBER: _ClassVar[int]
    WRITE_FAULT_FIELD_NUMBER: _ClassVar[int]
    FOLLOWER_FIELD_NUMBER: _ClassVar[int]
    server_version: str
    tzdata_version: str
    records: int
    unsealed_records: int
    segments: int
    segment_bytes: int
    first_setup_time: str
    last_setup_time: str
    active_records: int
    clock_refused_since_time: str
    deletions: _containers.RepeatedCompositeFieldContainer[Deletion]
    write_fault: str
    follower: FollowerInfo
    def __init__(self, server_version: _Optional[str] = ..., tzdata_version: _Optional[str] = ..., records: _Optional[int] = ..., unsealed_records: _Optional[int] = ..., segments: _Optional[int] = ..., segment_bytes: _Optional[int] = ..., first_setup_time: _Optional[str] = ..., last_setup_time: _Optional[str] = ..., active_records: _Optional[int] = ..., clock_refused_since_time: _Optional[str] = ..., deletions: _Optional[_Iterable[_Union[Deletion, _Mapping]]] = ..., write_fault: _Optional[str] = ..., follower: _Optional[_Union[FollowerInfo, _Mapping]] = ...) -> None: ...

class FollowerInfo(_message.Message):
    __slots__ = ("records", "active_records", "failed_batches", "lacks")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_RECORDS_FIELD_NUMBER: _ClassVar[int]
    FAILED_BATCHES_FIELD_NUMBER: _ClassVar[int]
    LACKS_FIELD_NUMBER: _ClassVar[int]
    records: int
    active_records: int
    failed_batches: int
    lacks: str
    def __init__(self, records: _Optional[int] = ..., active_records: _Optional[int] = ..., failed_batches: _Optional[int] = ..., lacks: _Optional[str] = ...) -> None: ...

class DeleteRecordsRequest(_message.Message):
    __slots__ = ("source", "from_time", "to_time", "time_zone", "session_ids", "all", "once", "dry_run")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    SESSION_IDS_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    ONCE_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    source: str
    from_time: str
    to_time: str
    time_zone: str
    session_ids: _containers.RepeatedScalarFieldContainer[str]
    all: bool
    once: bool
    dry_run: bool
    def __init__(self, source: _Optional[str] = ..., from_time: _Optional[str] = ..., to_time: _Optional[str] = ..., time_zone: _Optional[str] = ..., session_ids: _Optional[_Iterable[str]] = ..., all: bool = ..., once: bool = ..., dry_run: bool = ...) -> None: ...

class DeleteRecordsResponse(_message.Message):
    __slots__ = ("deleted", "rule_id")
    DELETED_FIELD_NUMBER: _ClassVar[int]
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    deleted: int
    rule_id: int
    def __init__(self, deleted: _Optional[int] = ..., rule_id: _Optional[int] = ...) -> None: ...

class Deletion(_message.Message):
    __slots__ = ("rule_id", "source", "from_time", "to_time", "session_id_count", "session_ids", "create_time", "deleted")
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    TO_TIME_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_COUNT_FIELD_NUMBER: _ClassVar[int]
    SESSION_IDS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    rule_id: int
    source: str
    from_time: str
    to_time: str
    session_id_count: int
    session_ids: _containers.RepeatedScalarFieldContainer[str]
    create_time: str
    deleted: int
    def __init__(self, rule_id: _Optional[int] = ..., source: _Optional[str] = ..., from_time: _Optional[str] = ..., to_time: _Optional[str] = ..., session_id_count: _Optional[int] = ..., session_ids: _Optional[_Iterable[str]] = ..., create_time: _Optional[str] = ..., deleted: _Optional[int] = ...) -> None: ...

class ListDeletionsRequest(_message.Message):
    __slots__ = ("rule_id",)
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    rule_id: int
    def __init__(self, rule_id: _Optional[int] = ...) -> None: ...

class ListDeletionsResponse(_message.Message):
    __slots__ = ("deletions",)
    DELETIONS_FIELD_NUMBER: _ClassVar[int]
    deletions: _containers.RepeatedCompositeFieldContainer[Deletion]
    def __init__(self, deletions: _Optional[_Iterable[_Union[Deletion, _Mapping]]] = ...) -> None: ...

class LiftDeletionRequest(_message.Message):
    __slots__ = ("rule_id",)
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    rule_id: int
    def __init__(self, rule_id: _Optional[int] = ...) -> None: ...

class LiftDeletionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ErasePartiesRequest(_message.Message):
    __slots__ = ("parties", "dry_run")
    PARTIES_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    parties: _containers.RepeatedScalarFieldContainer[str]
    dry_run: bool
    def __init__(self, parties: _Optional[_Iterable[str]] = ..., dry_run: bool = ...) -> None: ...

class ErasePartiesResponse(_message.Message):
    __slots__ = ("records", "erasure_id")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    ERASURE_ID_FIELD_NUMBER: _ClassVar[int]
    records: int
    erasure_id: int
    def __init__(self, records: _Optional[int] = ..., erasure_id: _Optional[int] = ...) -> None: ...

class Erasure(_message.Message):
    __slots__ = ("erasure_id", "party_count", "create_time", "records", "is_complete")
    ERASURE_ID_FIELD_NUMBER: _ClassVar[int]
    PARTY_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    IS_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    erasure_id: int
    party_count: int
    create_time: str
    records: int
    is_complete: bool
    def __init__(self, erasure_id: _Optional[int] = ..., party_count: _Optional[int] = ..., create_time: _Optional[str] = ..., records: _Optional[int] = ..., is_complete: bool = ...) -> None: ...

class ListErasuresRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListErasuresResponse(_message.Message):
    __slots__ = ("erasures",)
    ERASURES_FIELD_NUMBER: _ClassVar[int]
    erasures: _containers.RepeatedCompositeFieldContainer[Erasure]
    def __init__(self, erasures: _Optional[_Iterable[_Union[Erasure, _Mapping]]] = ...) -> None: ...

class LiftErasureRequest(_message.Message):
    __slots__ = ("erasure_id",)
    ERASURE_ID_FIELD_NUMBER: _ClassVar[int]
    erasure_id: int
    def __init__(self, erasure_id: _Optional[int] = ...) -> None: ...

class LiftErasureResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Masking(_message.Message):
    __slots__ = ("after_days", "keep_digits")
    AFTER_DAYS_FIELD_NUMBER: _ClassVar[int]
    KEEP_DIGITS_FIELD_NUMBER: _ClassVar[int]
    after_days: int
    keep_digits: int
    def __init__(self, after_days: _Optional[int] = ..., keep_digits: _Optional[int] = ...) -> None: ...

class GetMaskingRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetMaskingResponse(_message.Message):
    __slots__ = ("masking", "waiting_segments")
    MASKING_FIELD_NUMBER: _ClassVar[int]
    WAITING_SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    masking: Masking
    waiting_segments: int
    def __init__(self, masking: _Optional[_Union[Masking, _Mapping]] = ..., waiting_segments: _Optional[int] = ...) -> None: ...

class SetMaskingRequest(_message.Message):
    __slots__ = ("masking",)
    MASKING_FIELD_NUMBER: _ClassVar[int]
    masking: Masking
    def __init__(self, masking: _Optional[_Union[Masking, _Mapping]] = ...) -> None: ...

class SetMaskingResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AuditEntry(_message.Message):
    __slots__ = ("entry_id", "time", "method", "caller_id", "caller_name", "request", "outcome", "request_id")
    ENTRY_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    CALLER_ID_FIELD_NUMBER: _ClassVar[int]
    CALLER_NAME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    entry_id: int
    time: str
    method: str
    caller_id: str
    caller_name: str
    request: str
    outcome: str
    request_id: str
    def __init__(self, entry_id: _Optional[int] = ..., time: _Optional[str] = ..., method: _Optional[str] = ..., caller_id: _Optional[str] = ..., caller_name: _Optional[str] = ..., request: _Optional[str] = ..., outcome: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ListAuditEntriesRequest(_message.Message):
    __slots__ = ("before_entry_id", "limit")
    BEFORE_ENTRY_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    before_entry_id: int
    limit: int
    def __init__(self, before_entry_id: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ListAuditEntriesResponse(_message.Message):
    __slots__ = ("entries",)
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[AuditEntry]
    def __init__(self, entries: _Optional[_Iterable[_Union[AuditEntry, _Mapping]]] = ...) -> None: ...
