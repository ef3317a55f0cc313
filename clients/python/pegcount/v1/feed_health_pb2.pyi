from pegcount.v1 import records_pb2 as _records_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FeedFinding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FEED_FINDING_UNSPECIFIED: _ClassVar[FeedFinding]
    FEED_FINDING_SILENT: _ClassVar[FeedFinding]
    FEED_FINDING_FEWER_THAN_USUAL: _ClassVar[FeedFinding]
    FEED_FINDING_MORE_THAN_USUAL: _ClassVar[FeedFinding]
    FEED_FINDING_NO_FAILED_CALLS: _ClassVar[FeedFinding]
    FEED_FINDING_NO_CAUSES: _ClassVar[FeedFinding]
    FEED_FINDING_NO_ALERT_TIMES: _ClassVar[FeedFinding]
    FEED_FINDING_NO_PRICES: _ClassVar[FeedFinding]
    FEED_FINDING_CLOCK_AHEAD: _ClassVar[FeedFinding]
    FEED_FINDING_REJECTED: _ClassVar[FeedFinding]
    FEED_FINDING_NO_RECORDS: _ClassVar[FeedFinding]
FEED_FINDING_UNSPECIFIED: FeedFinding
FEED_FINDING_SILENT: FeedFinding
FEED_FINDING_FEWER_THAN_USUAL: FeedFinding
FEED_FINDING_MORE_THAN_USUAL: FeedFinding
FEED_FINDING_NO_FAILED_CALLS: FeedFinding
FEED_FINDING_NO_CAUSES: FeedFinding
FEED_FINDING_NO_ALERT_TIMES: FeedFinding
FEED_FINDING_NO_PRICES: FeedFinding
FEED_FINDING_CLOCK_AHEAD: FeedFinding
FEED_FINDING_REJECTED: FeedFinding
FEED_FINDING_NO_RECORDS: FeedFinding

class QueryFeedHealthRequest(_message.Message):
    __slots__ = ("sources", "time_zone", "rejected_days")
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    REJECTED_DAYS_FIELD_NUMBER: _ClassVar[int]
    sources: _containers.RepeatedScalarFieldContainer[str]
    time_zone: str
    rejected_days: int
    def __init__(self, sources: _Optional[_Iterable[str]] = ..., time_zone: _Optional[str] = ..., rejected_days: _Optional[int] = ...) -> None: ...

class FeedRejections(_message.Message):
    __slots__ = ("date", "reason", "count")
    DATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    date: str
    reason: _records_pb2.RejectReason
    count: int
    def __init__(self, date: _Optional[str] = ..., reason: _Optional[_Union[_records_pb2.RejectReason, str]] = ..., count: _Optional[int] = ...) -> None: ...

class FeedHealth(_message.Message):
    __slots__ = ("source", "last_received_time", "latest_setup_time", "calls_per_minute", "usual_calls_per_minute", "calls", "unanswered_share", "cause_share", "alert_share", "price_share", "median_delay_seconds", "p95_delay_seconds", "rejections", "findings", "advice")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LAST_RECEIVED_TIME_FIELD_NUMBER: _ClassVar[int]
    LATEST_SETUP_TIME_FIELD_NUMBER: _ClassVar[int]
    CALLS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    USUAL_CALLS_PER_MINUTE_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    UNANSWERED_SHARE_FIELD_NUMBER: _ClassVar[int]
    CAUSE_SHARE_FIELD_NUMBER: _ClassVar[int]
    ALERT_SHARE_FIELD_NUMBER: _ClassVar[int]
    PRICE_SHARE_FIELD_NUMBER: _ClassVar[int]
    MEDIAN_DELAY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    P95_DELAY_SECONDS_FIELD_NUMBER: _ClassVar[int]
    REJECTIONS_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    source: str
    last_received_time: str
    latest_setup_time: str
    calls_per_minute: float
    usual_calls_per_minute: float
    calls: int
    unanswered_share: float
    cause_share: float
    alert_share: float
    price_share: float
    median_delay_seconds: float
    p95_delay_seconds: float
    rejections: _containers.RepeatedCompositeFieldContainer[FeedRejections]
    findings: _containers.RepeatedScalarFieldContainer[FeedFinding]
    advice: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, source: _Optional[str] = ..., last_received_time: _Optional[str] = ..., latest_setup_time: _Optional[str] = ..., calls_per_minute: _Optional[float] = ..., usual_calls_per_minute: _Optional[float] = ..., calls: _Optional[int] = ..., unanswered_share: _Optional[float] = ..., cause_share: _Optional[float] = ..., alert_share: _Optional[float] = ..., price_share: _Optional[float] = ..., median_delay_seconds: _Optional[float] = ..., p95_delay_seconds: _Optional[float] = ..., rejections: _Optional[_Iterable[_Union[FeedRejections, _Mapping]]] = ..., findings: _Optional[_Iterable[_Union[FeedFinding, str]]] = ..., advice: _Optional[_Iterable[str]] = ...) -> None: ...

class QueryFeedHealthResponse(_message.Message):
    __slots__ = ("as_of", "time_zone", "feeds")
    AS_OF_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    FEEDS_FIELD_NUMBER: _ClassVar[int]
    as_of: str
    time_zone: str
    feeds: _containers.RepeatedCompositeFieldContainer[FeedHealth]
    def __init__(self, as_of: _Optional[str] = ..., time_zone: _Optional[str] = ..., feeds: _Optional[_Iterable[_Union[FeedHealth, _Mapping]]] = ...) -> None: ...
