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
SCOPE_UNSPECIFIED: Scope
SCOPE_READ_REPORTS: Scope
SCOPE_WRITE_RECORDS: Scope
SCOPE_ADMIN: Scope
SCOPE_ROOT: Scope

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

class CreateCredentialRequest(_message.Message):
    __slots__ = ("name", "scopes", "lifetime_seconds", "certificate_names")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_SECONDS_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_NAMES_FIELD_NUMBER: _ClassVar[int]
    name: str
    scopes: _containers.RepeatedScalarFieldContainer[Scope]
    lifetime_seconds: int
    certificate_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., scopes: _Optional[_Iterable[_Union[Scope, str]]] = ..., lifetime_seconds: _Optional[int] = ..., certificate_names: _Optional[_Iterable[str]] = ...) -> None: ...

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
    __slots__ = ("id", "name", "scopes", "expire_time", "certificate_names", "create_time", "revoke_time", "last_use_time", "keys")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_NAMES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    REVOKE_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_USE_TIME_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    scopes: _containers.RepeatedScalarFieldContainer[Scope]
    expire_time: str
    certificate_names: _containers.RepeatedScalarFieldContainer[str]
    create_time: str
    revoke_time: str
    last_use_time: str
    keys: _containers.RepeatedCompositeFieldContainer[CredentialKey]
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., scopes: _Optional[_Iterable[_Union[Scope, str]]] = ..., expire_time: _Optional[str] = ..., certificate_names: _Optional[_Iterable[str]] = ..., create_time: _Optional[str] = ..., revoke_time: _Optional[str] = ..., last_use_time: _Optional[str] = ..., keys: _Optional[_Iterable[_Union[CredentialKey, _Mapping]]] = ...) -> None: ...

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
    __slots__ = ("server_version", "tzdata_version", "records", "unsealed_records", "segments", "segment_bytes", "first_setup_time", "last_setup_time", "active_records", "clock_refused_since_time", "deletions")
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
    def __init__(self, server_version: _Optional[str] = ..., tzdata_version: _Optional[str] = ..., records: _Optional[int] = ..., unsealed_records: _Optional[int] = ..., segments: _Optional[int] = ..., segment_bytes: _Optional[int] = ..., first_setup_time: _Optional[str] = ..., last_setup_time: _Optional[str] = ..., active_records: _Optional[int] = ..., clock_refused_since_time: _Optional[str] = ..., deletions: _Optional[_Iterable[_Union[Deletion, _Mapping]]] = ...) -> None: ...

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
