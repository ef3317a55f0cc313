"""Asks a service for reports by queries, with the typed answer beside the raw one."""

from dataclasses import fields
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from google.protobuf.message import Message
from pegcount.v1 import reports_pb2
from pegcount_client.enums import Granularity
from pegcount_client.reports import (
    ActiveSessions,
    AsrUsage,
    FolderStats,
    OriginationQuality,
)
from pegcount_client.requests import (
    active_sessions_request,
    asr_usage_request,
    folder_stats_request,
    origination_quality_request,
)
from service import Service

from client_tests.report_records import ACTIVE_FIELDS

BERLIN = ZoneInfo("Europe/Berlin")
SHORT_DAY = {
    "from_time": datetime(2026, 3, 29, tzinfo=BERLIN),
    "to_time": datetime(2026, 3, 30, tzinfo=BERLIN),
}


def asr_usage(service: Service, **query: Any) -> tuple[AsrUsage, reports_pb2.QueryAsrUsageResponse]:
    request = asr_usage_request({**SHORT_DAY, "granularity": Granularity.HOUR, **query})  # type: ignore[typeddict-item]
    response = service.reports.QueryAsrUsage(request)
    return AsrUsage.from_response(response), response


def quality(
    service: Service, **query: Any
) -> tuple[OriginationQuality, reports_pb2.QueryOriginationQualityResponse]:
    asked = {**SHORT_DAY, "sampling": Granularity.HOUR, "account_id": "1001", **query}
    response = service.reports.QueryOriginationQuality(origination_quality_request(asked))  # type: ignore[arg-type]
    return OriginationQuality.from_response(response), response


def folders(service: Service, **query: Any) -> tuple[FolderStats, reports_pb2.QueryFolderStatsResponse]:
    asked = {"company": "acme", "organization": "north", "time_zone": BERLIN, **query}
    response = service.reports.QueryFolderStats(folder_stats_request(asked))  # type: ignore[arg-type]
    return FolderStats.from_response(response), response


def active(service: Service, **query: Any) -> tuple[ActiveSessions, reports_pb2.QueryActiveSessionsResponse]:
    asked = {"return_fields": ACTIVE_FIELDS, "order": ["-session_setup_time"], **query}
    request = active_sessions_request(asked)  # type: ignore[arg-type]
    response = service.reports.QueryActiveSessions(request)
    return ActiveSessions.from_response(response, request.return_fields), response


def present(message: Message) -> dict[str, Any]:
    """The fields of a message, None where absent."""
    return {
        field.name: getattr(message, field.name) if message.HasField(field.name) else None
        for field in message.DESCRIPTOR.fields
        if not field.is_repeated
    }


def shown(row: Any) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(row)}
