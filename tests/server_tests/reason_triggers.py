"""A real call for each error reason of the contract, and the reasons that are never sent."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pegcount import core, errors
from pegcount.auth import Issued, Scope
from pegcount.config import Config
from pegcount.data_scope import CredentialLimits, DataScope, Metric
from pegcount.server import ListeningServer
from pegcount.store import PendingWrite
from pegcount.v1 import admin_pb2, records_pb2, reports_pb2, reports_pb2_grpc, traffic_pb2
from service import Service

from server_tests.example_requests import (
    ASK_ACTIVE,
    ASK_FOLDER,
    ASK_QUALITY,
    ASK_TRAFFIC,
    ASK_USAGE,
    ONE_CODE,
    call_record,
    changed,
    damage_segments,
)
from server_tests.keys import create, sent
from server_tests.streams import Stream, batch, half_sent

LIMITS = Config(bin_count_max=30, cell_count_max=2, filter_value_count_max=3)

Open = Callable[[Config], Service]
"""Starts a service with these limits and the records of `conftest.serve`."""
Trigger = Callable[[Open], object]


def usage(**fields: object) -> Trigger:
    return lambda serve: serve(LIMITS).reports.QueryAsrUsage(changed(ASK_USAGE, **fields))


def active(**fields: object) -> Trigger:
    return lambda serve: serve(LIMITS).reports.QueryActiveSessions(changed(ASK_ACTIVE, **fields))


def folder(**fields: object) -> Trigger:
    return lambda serve: serve(LIMITS).reports.QueryFolderStats(changed(ASK_FOLDER, **fields))


def quality(**fields: object) -> Trigger:
    return lambda serve: serve(LIMITS).reports.QueryOriginationQuality(changed(ASK_QUALITY, **fields))


def traffic(*metrics: str, **fields: object) -> Trigger:
    """Asks for metrics, given by their names in the contract without prefix."""
    specs = [traffic_pb2.MetricSpec(metric=f"TRAFFIC_METRIC_{name}") for name in metrics]
    request = changed(ASK_TRAFFIC, **({"metrics": specs} if specs else {}), **fields)
    return lambda serve: serve(LIMITS).traffic.QueryTraffic(request)


def with_amounts_in_two_currencies(serve: Open) -> object:
    serve(LIMITS).write(
        *(call_record(name, customer_price="1", currency=name) for name in ("EUR", "USD")),
    )
    return traffic("REVENUE")(serve)


def with_calls_that_lack(*metrics: str) -> Trigger:
    """Asks for figures of a call that has neither release cause nor price."""

    def trigger(serve: Open) -> object:
        serve(LIMITS).write(call_record("bare"))
        return traffic(*metrics)(serve)

    return trigger


def with_unknown_kind(serve: Open) -> object:
    request = changed(ASK_USAGE)
    request.kind = 4
    return serve(LIMITS).reports.QueryAsrUsage(request)


def put_deck_with_a_duplicate_code(serve: Open) -> object:
    entries = [admin_pb2.CodeDeckEntry(code="49")] * 2
    return serve(LIMITS).admin.PutCodeDeck(changed(ONE_CODE, entries=entries))


def past_the_deadline_of_the_caller(serve: Open) -> object:
    """Scans with an expired cancel token, as if the caller's 20 s had passed."""
    service = serve(LIMITS)
    scan = service.store.partials
    past = core.CancelToken(0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service.store, "partials", lambda asked, cells, _: scan(asked, cells, past))
        return service.reports.QueryAsrUsage(ASK_USAGE, timeout=20)


def with_an_expired_time_limit(serve: Open) -> object:
    return serve(Config(query_seconds_max=1e-6)).reports.QueryAsrUsage(ASK_USAGE)


def with_an_answer_limit_of_one_byte(serve: Open) -> object:
    return serve(Config(answer_bytes_max=1)).reports.QueryAsrUsage(ASK_USAGE)


def with_a_subtotal_limit_of_zero(serve: Open) -> object:
    fields = {
        "return_fields": ["equipment_id", "orig_clients_id"],
        "order": [],
        "grouping": "GROUPING_ROLLUP",
    }
    return serve(Config(subtotal_count_max=0)).reports.QueryActiveSessions(changed(ASK_ACTIVE, **fields))


def with_a_memory_limit_of_one_byte(serve: Open) -> object:
    return serve(Config(query_memory_bytes_max=1)).reports.QueryAsrUsage(ASK_USAGE)


def with_a_request_limit_of_one_byte(serve: Open) -> object:
    return serve(Config(report_request_bytes_max=1)).reports.QueryAsrUsage(ASK_USAGE)


def with_a_damaged_day(serve: Open) -> object:
    service = serve(LIMITS)
    service.store.flush()
    damage_segments(service.directory)
    return usage()(serve)


def with_an_internal_fault(serve: Open) -> object:
    service = serve(LIMITS)
    service.store.info = lambda: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    return service.admin.GetStoreInfo(admin_pb2.GetStoreInfoRequest())


def with_a_malformed_message(serve: Open) -> object:
    """Sends bytes that the generated client would not encode."""
    method = "/pegcount.v1.ReportService/QueryAsrUsage"
    parse = reports_pb2.QueryAsrUsageResponse.FromString
    return serve(LIMITS).channel.unary_unary(method, lambda message: message, parse)(b"\xff")


def write_empty_batch(service: Service) -> object:
    return write_batch(service)


def write_batch(service: Service, **fields: Any) -> object:
    return list(service.records.WriteRecords(iter([records_pb2.WriteRecordsRequest(**fields)]), timeout=20))


def writing_with_a_store_error(error: errors.PegcountError) -> Trigger:
    def trigger(serve: Open) -> object:
        def refuse(_: bytes, cancel_token: core.CancelToken, writer: object = None) -> PendingWrite:
            raise error

        service = serve(LIMITS)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(service.store, "submit", refuse)
            return write_empty_batch(service)

    return trigger


def writing_while_the_server_stops(serve: Open) -> object:
    service = serve(LIMITS)
    with Stream(service.channel) as stream:
        stream.send(batch(None))
        stream.answer()
        service.stop()
        return stream.answer()


def with_an_unknown_method(serve: Open) -> object:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = serve(LIMITS).channel.unary_unary(
        "/pegcount.v1.ReportService/QueryFolderStat"
    )
    return call(b"")


def with_an_unknown_service(serve: Open) -> object:
    health = health_pb2_grpc.HealthStub(serve(LIMITS).channel)
    return health.Check(health_pb2.HealthCheckRequest(service="pegcount.v1.Nothing"))


def without_a_request_message(serve: Open) -> object:
    service = serve(Config(request_read_seconds=0.2))
    return half_sent(service, "pegcount.v1.ReportService/QueryAsrUsage", seconds=20).result()


def with_an_idle_stream(serve: Open) -> object:
    return stream_that_waits(serve(Config(write_stream_idle_seconds=0.2)))


def with_an_old_connection(serve: Open) -> object:
    return stream_that_waits(serve(Config(connection_age_seconds_max=0.5)))


def writing_by_another_rule(serve: Open) -> object:
    return write_batch(serve(LIMITS), source_rule=records_pb2.SourceRule(rule="asterisk linkedid"))


def writing_records_of_another_source(serve: Open) -> object:
    rule = records_pb2.SourceRule(source="a", rule="asterisk linkedid")
    return write_batch(serve(LIMITS), records=[records_pb2.SessionRecord(source="b")], source_rule=rule)


def correcting_while_another_stream_does(serve: Open) -> object:
    service = serve(Config(correction_wait_seconds=0.2))
    with Stream(service.channel) as stream:
        record = records_pb2.SessionRecord(source="sbc1")
        message = records_pb2.WriteRecordsRequest(records=[record], correct=True)
        stream.send(message.SerializeToString())
        stream.answer()
        return write_batch(service, records=message.records, correct=True)


def writing_more_records_than_a_batch_may_have(serve: Open) -> object:
    records = [records_pb2.SessionRecord()] * 5
    return write_batch(serve(Config(batch_row_count_max=4)), records=records)


def stream_that_waits(service: Service) -> object:
    with Stream(service.channel) as stream:
        stream.send(batch(None))
        stream.answer()
        return stream.answer()


def with_a_displaced_stream(serve: Open) -> object:
    service = serve(Config(write_stream_count_max=1, stream_yield_seconds=0.0))
    with Stream(service.channel) as stream:
        stream.send(batch(None))
        stream.answer()
        with Stream(service.channel) as newer:
            newer.send(batch(None))
            newer.answer()
        return stream.answer()


def with_keys(serve: Open) -> tuple[Service, dict[Scope, Issued]]:
    """Starts a service with a credential for each scope."""
    store = serve(LIMITS).store
    issued = {scope: create(store, scope) for scope in Scope}
    return serve(LIMITS), issued


def without_a_key(serve: Open) -> object:
    return with_keys(serve)[0].reports.QueryAsrUsage(ASK_USAGE)


def with_a_key_of_another_scope(serve: Open) -> object:
    service, issued = with_keys(serve)
    key = sent(issued[Scope.WRITE_RECORDS].key.text)
    return service.reports.QueryAsrUsage(ASK_USAGE, metadata=key)


def making_a_credential_with_a_field_of_a_newer_contract(serve: Open) -> object:
    service, issued = with_keys(serve)
    asked = admin_pb2.CreateCredentialRequest(name="switch", scopes=["SCOPE_WRITE_RECORDS"])
    request = admin_pb2.CreateCredentialRequest.FromString(asked.SerializeToString() + b"\xa0\x06\x01")
    return service.admin.CreateCredential(request, metadata=sent(issued[Scope.ROOT].key.text))


def with_more_streams_than_a_credential_may_have(serve: Open) -> object:
    one = CredentialLimits(write_streams=1)
    issued = create(serve(LIMITS).store, Scope.WRITE_RECORDS, limits=one)
    service, key = serve(LIMITS), sent(issued.key.text)
    with Stream(service.channel, metadata=key) as first:
        first.send(batch("b1"))
        first.answer()
        return list(service.records.WriteRecords(iter([]), metadata=key, timeout=20))


def with_a_key_that_nothing_checks(serve: Open) -> object:
    return serve(LIMITS).reports.QueryAsrUsage(ASK_USAGE, metadata=sent("sesame"))


def while_the_store_opens(_: Open) -> object:
    server = ListeningServer(LIMITS, "127.0.0.1:0")
    try:
        with grpc.insecure_channel(server.addresses[0]) as channel:
            return reports_pb2_grpc.ReportServiceStub(channel).QueryAsrUsage(ASK_USAGE, timeout=20)
    finally:
        server.stop()


def with_a_key_that_expires(serve: Open) -> object:
    issued = create(serve(LIMITS).store, Scope.READ_REPORTS, lifetime_seconds=60)
    return serve(LIMITS).reports.QueryAsrUsage(ASK_USAGE, metadata=sent(issued.key.text))


def with_a_key_that_hides_the_answers(serve: Open) -> object:
    hidden = DataScope(hidden_metrics=(Metric.ASR,))
    issued = create(serve(LIMITS).store, Scope.READ_REPORTS, data_scope=hidden)
    return serve(LIMITS).reports.QueryOriginationQuality(ASK_QUALITY, metadata=sent(issued.key.text))


def managing(method: str, request: Callable[[str], Any]) -> Trigger:
    """Calls a method of credentials twice with the id of the root credential."""

    def trigger(serve: Open) -> object:
        service, issued = with_keys(serve)
        root = issued[Scope.ROOT]
        call = getattr(service.admin, method)
        return [call(request(root.row.id), metadata=sent(root.key.text)) for _ in range(2)]

    return trigger


TRIGGERS: dict[str, Trigger] = {
    "REQUIRED_FIELD_MISSING": usage(from_time=""),
    "MALFORMED_TIME": usage(from_time="now"),
    "MALFORMED_DATE": folder(from_date="today"),
    "TIME_OUT_OF_RANGE": usage(from_time="1969-01-01"),
    "UNKNOWN_TIME_ZONE": usage(time_zone="Mars"),
    "EMPTY_RANGE": usage(to_time="2026-03-29"),
    "UNKNOWN_ENUM_VALUE": with_unknown_kind,
    "VALUE_OUT_OF_RANGE": active(limit=0),
    "SMA_NEEDS_DAY": usage(sma_period=3),
    "UNKNOWN_NAME": active(return_fields=["client"]),
    "REPEATED_NAME": active(order=["quantity", "-quantity"]),
    "ORDER_NOT_RETURNED": active(order=["duration"]),
    "CONFLICTING_FIELDS": quality(all_accounts=True),
    "PARAMETER_NOT_ALLOWED": traffic(
        metrics=[traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_CALLS, percentile=95)]
    ),
    "MIXED_CURRENCIES": with_amounts_in_two_currencies,
    "UNKNOWN_FIELD": making_a_credential_with_a_field_of_a_newer_contract,
    "EMPTY_FILTER": quality(auth_orig_ip=""),
    "MALFORMED_ADDRESS": quality(auth_orig_ip="localhost"),
    "MALFORMED_DECIMAL": quality(customer_price=reports_pb2.DecimalFilter(eq="1e3")),
    "TEXT_TOO_LONG": quality(account_id="a" * 257),
    "BIN_LIMIT_EXCEEDED": usage(to_time="2026-03-31"),
    "CELL_LIMIT_EXCEEDED": active(),
    "FILTER_VALUE_LIMIT_EXCEEDED": usage(app_ids=[1, 2, 3, 4]),
    "INVALID_CODE_DECK": put_deck_with_a_duplicate_code,
    "MALFORMED_MESSAGE": with_a_malformed_message,
    "REQUEST_TOO_LARGE": with_a_request_limit_of_one_byte,
    "LIST_LIMIT_EXCEEDED": active(return_fields=["quantity"] * 34),
    "CODE_DECK_NOT_FOUND": active(code_deck=7),
    "COMPANY_NOT_FOUND": folder(company="none"),
    "ORGANIZATION_NOT_FOUND": folder(organization="none"),
    "FOLDER_NOT_FOUND": folder(folder="none"),
    "BATCH_LIMIT_EXCEEDED": writing_more_records_than_a_batch_may_have,
    "STORE_READ_ONLY": writing_with_a_store_error(errors.StoreReadOnlyError("the disk is full")),
    "STORE_UNREACHABLE": writing_with_a_store_error(
        errors.StoreUnavailableError("shard 2 does not answer", 1.0)
    ),
    "MOVE_IN_PROGRESS": writing_with_a_store_error(errors.MoveInProgressError("records move")),
    "OVERLOADED": lambda serve: write_empty_batch(serve(Config(write_stream_count_max=0))),
    "SERVER_STARTING": while_the_store_opens,
    "SERVER_STOPPING": writing_while_the_server_stops,
    "DEADLINE_PASSED": past_the_deadline_of_the_caller,
    "QUERY_TIME_LIMIT_PASSED": with_an_expired_time_limit,
    "ANSWER_TOO_LARGE": with_an_answer_limit_of_one_byte,
    "SUBTOTAL_LIMIT_EXCEEDED": with_a_subtotal_limit_of_zero,
    "MEMORY_LIMIT_EXCEEDED": with_a_memory_limit_of_one_byte,
    "DATA_DAMAGED": with_a_damaged_day,
    "CREDENTIAL_REFUSED": without_a_key,
    "ACCESS_DENIED": with_a_key_of_another_scope,
    "CREDENTIAL_UNEXPECTED": with_a_key_that_nothing_checks,
    "CREDENTIAL_LIMIT_REACHED": with_more_streams_than_a_credential_may_have,
    "ROTATION_IN_PROGRESS": managing(
        "RotateCredential", lambda root: admin_pb2.RotateCredentialRequest(id=root)
    ),
    "FIRST_CREDENTIAL_IS_LOCAL": lambda serve: serve(LIMITS).admin.CreateCredential(
        admin_pb2.CreateCredentialRequest(name="dashboard")
    ),
    "LAST_ROOT_CREDENTIAL": managing(
        "RevokeCredential", lambda root: admin_pb2.RevokeCredentialRequest(id=root)
    ),
    "CREDENTIAL_NOT_FOUND": managing(
        "RevokeCredential", lambda _: admin_pb2.RevokeCredentialRequest(id="dashboard")
    ),
    "INTERNAL_FAULT": with_an_internal_fault,
    "METHOD_UNKNOWN": with_an_unknown_method,
    "SERVICE_NOT_FOUND": with_an_unknown_service,
    "DELETION_NOT_FOUND": lambda serve: serve(LIMITS).admin.LiftDeletion(
        admin_pb2.LiftDeletionRequest(rule_id=7)
    ),
    "ERASURE_NOT_FOUND": lambda serve: serve(LIMITS).admin.LiftErasure(
        admin_pb2.LiftErasureRequest(erasure_id=7)
    ),
    "REQUEST_READ_TIMEOUT": without_a_request_message,
    "STREAM_IDLE": with_an_idle_stream,
    "STREAM_DISPLACED": with_a_displaced_stream,
    "CONNECTION_AGE": with_an_old_connection,
    "SOURCE_RULE_DIFFERS": writing_by_another_rule,
    "CORRECTION_IN_PROGRESS": correcting_while_another_stream_does,
    "SOURCE_OF_RECORD_DIFFERS": writing_records_of_another_source,
}

RESERVED = {"NOT_IMPLEMENTED"}
