"""A client of Pegcount, a service for telephone-traffic reports from call records."""

from importlib.metadata import version

from pegcount_client.async_client import AsyncClient
from pegcount_client.async_record_writer import AsyncRecordWriter
from pegcount_client.channel import Tls
from pegcount_client.client import Client
from pegcount_client.enums import Granularity, Grouping, NoticeCode, SessionEvent, SessionKind
from pegcount_client.errors import PegcountError, RecordsRejectedError, Violation
from pegcount_client.record import Record
from pegcount_client.record_writer import RecordWriter
from pegcount_client.retry import RetryPolicy
from pegcount_client.write_summary import Rejection, WriteSummary

__version__ = version("pegcount-client")

__all__ = [
    "AsyncClient",
    "AsyncRecordWriter",
    "Client",
    "Granularity",
    "Grouping",
    "NoticeCode",
    "PegcountError",
    "Record",
    "RecordWriter",
    "RecordsRejectedError",
    "Rejection",
    "RetryPolicy",
    "SessionEvent",
    "SessionKind",
    "Tls",
    "Violation",
    "WriteSummary",
]
