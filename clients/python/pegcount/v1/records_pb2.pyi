import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SessionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SESSION_KIND_UNSPECIFIED: _ClassVar[SessionKind]
    SESSION_KIND_CALL: _ClassVar[SessionKind]
    SESSION_KIND_ASR: _ClassVar[SessionKind]
    SESSION_KIND_TTS: _ClassVar[SessionKind]

class SessionEvent(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SESSION_EVENT_UNSPECIFIED: _ClassVar[SessionEvent]
    SESSION_EVENT_START: _ClassVar[SessionEvent]
    SESSION_EVENT_UPDATE: _ClassVar[SessionEvent]
    SESSION_EVENT_END: _ClassVar[SessionEvent]

class ReleaseParty(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RELEASE_PARTY_UNSPECIFIED: _ClassVar[ReleaseParty]
    RELEASE_PARTY_ORIGINATION: _ClassVar[ReleaseParty]
    RELEASE_PARTY_TERMINATION: _ClassVar[ReleaseParty]
    RELEASE_PARTY_SWITCH: _ClassVar[ReleaseParty]

class RejectReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REJECT_REASON_UNSPECIFIED: _ClassVar[RejectReason]
    REJECT_REASON_MISSING_SESSION_ID: _ClassVar[RejectReason]
    REJECT_REASON_MISSING_SETUP_TIME: _ClassVar[RejectReason]
    REJECT_REASON_MISSING_END_TIME: _ClassVar[RejectReason]
    REJECT_REASON_TIME_OUT_OF_RANGE: _ClassVar[RejectReason]
    REJECT_REASON_ANSWER_BEFORE_SETUP: _ClassVar[RejectReason]
    REJECT_REASON_END_BEFORE_ANSWER: _ClassVar[RejectReason]
    REJECT_REASON_END_BEFORE_SETUP: _ClassVar[RejectReason]
    REJECT_REASON_TEXT_TOO_LONG: _ClassVar[RejectReason]
    REJECT_REASON_BAD_PRICE: _ClassVar[RejectReason]
    REJECT_REASON_UNKNOWN_ENUM_VALUE: _ClassVar[RejectReason]
    REJECT_REASON_NUMBER_OUT_OF_RANGE: _ClassVar[RejectReason]
    REJECT_REASON_BEFORE_RETENTION: _ClassVar[RejectReason]
    REJECT_REASON_TOO_MANY_PARTS: _ClassVar[RejectReason]
    REJECT_REASON_BAD_ADDRESS: _ClassVar[RejectReason]
    REJECT_REASON_CALL_TOO_LONG: _ClassVar[RejectReason]
    REJECT_REASON_ROUNDED_NUMBER: _ClassVar[RejectReason]
    REJECT_REASON_DELETED: _ClassVar[RejectReason]
    REJECT_REASON_EVENT_IN_CORRECTION: _ClassVar[RejectReason]
    REJECT_REASON_PART_MISSING: _ClassVar[RejectReason]
    REJECT_REASON_OUTSIDE_DATA_SCOPE: _ClassVar[RejectReason]
SESSION_KIND_UNSPECIFIED: SessionKind
SESSION_KIND_CALL: SessionKind
SESSION_KIND_ASR: SessionKind
SESSION_KIND_TTS: SessionKind
SESSION_EVENT_UNSPECIFIED: SessionEvent
SESSION_EVENT_START: SessionEvent
SESSION_EVENT_UPDATE: SessionEvent
SESSION_EVENT_END: SessionEvent
RELEASE_PARTY_UNSPECIFIED: ReleaseParty
RELEASE_PARTY_ORIGINATION: ReleaseParty
RELEASE_PARTY_TERMINATION: ReleaseParty
RELEASE_PARTY_SWITCH: ReleaseParty
REJECT_REASON_UNSPECIFIED: RejectReason
REJECT_REASON_MISSING_SESSION_ID: RejectReason
REJECT_REASON_MISSING_SETUP_TIME: RejectReason
REJECT_REASON_MISSING_END_TIME: RejectReason
REJECT_REASON_TIME_OUT_OF_RANGE: RejectReason
REJECT_REASON_ANSWER_BEFORE_SETUP: RejectReason
REJECT_REASON_END_BEFORE_ANSWER: RejectReason
REJECT_REASON_END_BEFORE_SETUP: RejectReason
REJECT_REASON_TEXT_TOO_LONG: RejectReason
REJECT_REASON_BAD_PRICE: RejectReason
REJECT_REASON_UNKNOWN_ENUM_VALUE: RejectReason
REJECT_REASON_NUMBER_OUT_OF_RANGE: RejectReason
REJECT_REASON_BEFORE_RETENTION: RejectReason
REJECT_REASON_TOO_MANY_PARTS: RejectReason
REJECT_REASON_BAD_ADDRESS: RejectReason
REJECT_REASON_CALL_TOO_LONG: RejectReason
REJECT_REASON_ROUNDED_NUMBER: RejectReason
REJECT_REASON_DELETED: RejectReason
REJECT_REASON_EVENT_IN_CORRECTION: RejectReason
REJECT_REASON_PART_MISSING: RejectReason
REJECT_REASON_OUTSIDE_DATA_SCOPE: RejectReason

class SessionRecord(_message.Message):
    __slots__ = ("source", "session_id", "revision", "event", "kind", "setup_time", "answer_time", "end_time", "is_last_attempt", "disconnect_cause", "tenant_id", "app_id", "comp_id", "company", "organization", "folder", "agent_id", "equipment_id", "equipment_name", "account_id", "src_country_id", "dst_country_id", "src_prefix_routing", "dst_prefix_routing", "auth_orig_ip", "customer_price", "orig_leg_id", "orig_src_party_id", "orig_dst_party_id", "orig_companies_id", "orig_owner_users_id", "orig_clients_id", "orig_clients_name", "orig_accounts_id", "orig_accounts_name", "orig_accounts_ident", "orig_rates_code", "orig_rates_code_name", "orig_rates_country", "term_leg_id", "term_src_party_id", "term_dst_party_id", "term_companies_id", "term_owner_users_id", "term_clients_id", "term_clients_name", "term_accounts_id", "term_accounts_name", "term_accounts_ident", "term_rates_code", "term_rates_code_name", "term_rates_country", "replaces", "part", "part_class", "alert_time", "vendor_price", "currency", "vendor_currency", "sip_status", "release_party")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SETUP_TIME_FIELD_NUMBER: _ClassVar[int]
    ANSWER_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    IS_LAST_ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    DISCONNECT_CAUSE_FIELD_NUMBER: _ClassVar[int]
    TENANT_ID_FIELD_NUMBER: _ClassVar[int]
    APP_ID_FIELD_NUMBER: _ClassVar[int]
    COMP_ID_FIELD_NUMBER: _ClassVar[int]
    COMPANY_FIELD_NUMBER: _ClassVar[int]
    ORGANIZATION_FIELD_NUMBER: _ClassVar[int]
    FOLDER_FIELD_NUMBER: _ClassVar[int]
    AGENT_ID_FIELD_NUMBER: _ClassVar[int]
    EQUIPMENT_ID_FIELD_NUMBER: _ClassVar[int]
    EQUIPMENT_NAME_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    SRC_COUNTRY_ID_FIELD_NUMBER: _ClassVar[int]
    DST_COUNTRY_ID_FIELD_NUMBER: _ClassVar[int]
    SRC_PREFIX_ROUTING_FIELD_NUMBER: _ClassVar[int]
    DST_PREFIX_ROUTING_FIELD_NUMBER: _ClassVar[int]
    AUTH_ORIG_IP_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_PRICE_FIELD_NUMBER: _ClassVar[int]
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
    REPLACES_FIELD_NUMBER: _ClassVar[int]
    PART_FIELD_NUMBER: _ClassVar[int]
    PART_CLASS_FIELD_NUMBER: _ClassVar[int]
    ALERT_TIME_FIELD_NUMBER: _ClassVar[int]
    VENDOR_PRICE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    VENDOR_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    SIP_STATUS_FIELD_NUMBER: _ClassVar[int]
    RELEASE_PARTY_FIELD_NUMBER: _ClassVar[int]
    source: str
    session_id: str
    revision: int
    event: SessionEvent
    kind: SessionKind
    setup_time: _timestamp_pb2.Timestamp
    answer_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    is_last_attempt: bool
    disconnect_cause: int
    tenant_id: int
    app_id: int
    comp_id: int
    company: str
    organization: str
    folder: str
    agent_id: str
    equipment_id: int
    equipment_name: str
    account_id: str
    src_country_id: int
    dst_country_id: int
    src_prefix_routing: str
    dst_prefix_routing: str
    auth_orig_ip: str
    customer_price: str
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
    replaces: bool
    part: int
    part_class: int
    alert_time: _timestamp_pb2.Timestamp
    vendor_price: str
    currency: str
    vendor_currency: str
    sip_status: int
    release_party: ReleaseParty
    def __init__(self, source: _Optional[str] = ..., session_id: _Optional[str] = ..., revision: _Optional[int] = ..., event: _Optional[_Union[SessionEvent, str]] = ..., kind: _Optional[_Union[SessionKind, str]] = ..., setup_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., answer_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., is_last_attempt: bool = ..., disconnect_cause: _Optional[int] = ..., tenant_id: _Optional[int] = ..., app_id: _Optional[int] = ..., comp_id: _Optional[int] = ..., company: _Optional[str] = ..., organization: _Optional[str] = ..., folder: _Optional[str] = ..., agent_id: _Optional[str] = ..., equipment_id: _Optional[int] = ..., equipment_name: _Optional[str] = ..., account_id: _Optional[str] = ..., src_country_id: _Optional[int] = ..., dst_country_id: _Optional[int] = ..., src_prefix_routing: _Optional[str] = ..., dst_prefix_routing: _Optional[str] = ..., auth_orig_ip: _Optional[str] = ..., customer_price: _Optional[str] = ..., orig_leg_id: _Optional[str] = ..., orig_src_party_id: _Optional[str] = ..., orig_dst_party_id: _Optional[str] = ..., orig_companies_id: _Optional[int] = ..., orig_owner_users_id: _Optional[int] = ..., orig_clients_id: _Optional[int] = ..., orig_clients_name: _Optional[str] = ..., orig_accounts_id: _Optional[int] = ..., orig_accounts_name: _Optional[str] = ..., orig_accounts_ident: _Optional[str] = ..., orig_rates_code: _Optional[str] = ..., orig_rates_code_name: _Optional[str] = ..., orig_rates_country: _Optional[str] = ..., term_leg_id: _Optional[str] = ..., term_src_party_id: _Optional[str] = ..., term_dst_party_id: _Optional[str] = ..., term_companies_id: _Optional[int] = ..., term_owner_users_id: _Optional[int] = ..., term_clients_id: _Optional[int] = ..., term_clients_name: _Optional[str] = ..., term_accounts_id: _Optional[int] = ..., term_accounts_name: _Optional[str] = ..., term_accounts_ident: _Optional[str] = ..., term_rates_code: _Optional[str] = ..., term_rates_code_name: _Optional[str] = ..., term_rates_country: _Optional[str] = ..., replaces: bool = ..., part: _Optional[int] = ..., part_class: _Optional[int] = ..., alert_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., vendor_price: _Optional[str] = ..., currency: _Optional[str] = ..., vendor_currency: _Optional[str] = ..., sip_status: _Optional[int] = ..., release_party: _Optional[_Union[ReleaseParty, str]] = ...) -> None: ...

class SourceRule(_message.Message):
    __slots__ = ("source", "rule")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    source: str
    rule: str
    def __init__(self, source: _Optional[str] = ..., rule: _Optional[str] = ...) -> None: ...

class WriteRecordsRequest(_message.Message):
    __slots__ = ("batch_id", "records", "correct", "source_rule", "accept_stored")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    CORRECT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_RULE_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_STORED_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    records: _containers.RepeatedCompositeFieldContainer[SessionRecord]
    correct: bool
    source_rule: SourceRule
    accept_stored: bool
    def __init__(self, batch_id: _Optional[str] = ..., records: _Optional[_Iterable[_Union[SessionRecord, _Mapping]]] = ..., correct: bool = ..., source_rule: _Optional[_Union[SourceRule, _Mapping]] = ..., accept_stored: bool = ...) -> None: ...

class RejectedRecord(_message.Message):
    __slots__ = ("index", "reason", "description")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    index: int
    reason: RejectReason
    description: str
    def __init__(self, index: _Optional[int] = ..., reason: _Optional[_Union[RejectReason, str]] = ..., description: _Optional[str] = ...) -> None: ...

class WriteRecordsResponse(_message.Message):
    __slots__ = ("batch_id", "accepted", "replaced", "duplicates", "rejected", "outranked", "suspected_reuse", "dropped_alert_times")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    DUPLICATES_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    OUTRANKED_FIELD_NUMBER: _ClassVar[int]
    SUSPECTED_REUSE_FIELD_NUMBER: _ClassVar[int]
    DROPPED_ALERT_TIMES_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    accepted: int
    replaced: int
    duplicates: int
    rejected: _containers.RepeatedCompositeFieldContainer[RejectedRecord]
    outranked: int
    suspected_reuse: int
    dropped_alert_times: int
    def __init__(self, batch_id: _Optional[str] = ..., accepted: _Optional[int] = ..., replaced: _Optional[int] = ..., duplicates: _Optional[int] = ..., rejected: _Optional[_Iterable[_Union[RejectedRecord, _Mapping]]] = ..., outranked: _Optional[int] = ..., suspected_reuse: _Optional[int] = ..., dropped_alert_times: _Optional[int] = ...) -> None: ...
