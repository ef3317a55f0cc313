"""What callers with a data scope see, and what they may write: each report and stream by a key, over gRPC."""

from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from pegcount.auth import Scope
from pegcount.server.query_cache import QueryCache
from pegcount.v1 import admin_pb2, records_pb2, reports_pb2

from server_tests.example_requests import (
    ASK_ACTIVE,
    ASK_FOLDER,
    ASK_QUALITY,
    ASK_USAGE,
    active_record,
    call_record,
    changed,
)
from server_tests.keys import Guarded, guarded, sent
from server_tests.refusal import Refusal, refusal
from server_tests.streams import Stream

DENIED = (grpc.StatusCode.PERMISSION_DENIED, "ACCESS_DENIED")
ASK_ALL = changed(ASK_QUALITY, account_id="", all_accounts=True)
ASK_CALLS = changed(ASK_USAGE, kind=records_pb2.SESSION_KIND_CALL)
ASK_SALES = changed(ASK_FOLDER, folder="sales")
PRICE = reports_pb2.DecimalFilter(gt="1")
V21 = {"term_clients_id": 21}
VENDOR: dict[str, Any] = {"term_clients_id": [21]}
MINE: dict[str, Any] = {"account_id": "a1", "tenant_id": 1, "orig_clients_id": 11, "source": "pbx"}
THEIRS: dict[str, Any] = {"account_id": "a2", "tenant_id": 2, "orig_clients_id": 12, "source": "sbc"}


_NUMBERS = count()


class Asking:
    """Calls with the key of a credential that has a data scope."""

    def __init__(self, held: Guarded, **scope: Any) -> None:
        scopes = [Scope.READ_REPORTS, *([Scope.WRITE_RECORDS] if "source" in scope else [])]
        made = held.create(f"scoped {next(_NUMBERS)}", *scopes, data_scope=admin_pb2.DataScope(**scope))
        self.service = held.service
        self.metadata = sent(made.secret)

    def ask(self, request: Any) -> Any:
        method = type(request).__name__.removesuffix("Request")
        return getattr(self.service.reports, method)(request, metadata=self.metadata, timeout=20)

    def refused(self, request: Any) -> Refusal:
        return refusal(partial(self.ask, request))

    def denied(self, request: Any) -> dict[str, str]:
        """Returns the metadata of a refusal, which must be one for the data scope."""
        found = self.refused(request)
        assert (found.code, found.info.reason) == DENIED
        return found.metadata


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path) as running:
        running.service.write(
            call_record("c1", **MINE),
            call_record("c2", company="bell", **THEIRS),
            call_record("c3", account_id="", source=""),
            active_record("d1", **MINE, term_clients_id=21, term_clients_name="east"),
            active_record("d2", **THEIRS, term_clients_id=22),
        )
        yield running


def test_each_report_counts_the_visible_records(held: Guarded) -> None:
    caller = Asking(held, tenant_id=[1])
    assert caller.ask(ASK_CALLS).totals.session_count == 2
    assert caller.ask(ASK_FOLDER).totals.call_count == 1
    assert caller.ask(ASK_ALL).totals.total_calls == 1
    assert [row.session_id for row in caller.ask(ASK_ACTIVE).rows] == ["d1"]


@pytest.mark.parametrize(
    ("scope", "request_", "field", "value"),
    [
        ({"tenant_id": [1]}, changed(ASK_CALLS, tenant_ids=[1, 2]), "tenant_ids[1]", "2"),
        ({"account_id": ["a1"]}, changed(ASK_QUALITY, account_id="a2"), "account_id", "a2"),
        (
            {"account_id": ["a1"]},
            changed(ASK_QUALITY, account_id="", account_ids=["a9"]),
            "account_ids[0]",
            "a9",
        ),
        ({"organization": [{"company": "bell"}]}, ASK_FOLDER, "company", "acme"),
        (
            {"organization": [{"company": "acme", "organization": "south"}, {"company": "bell"}]},
            ASK_FOLDER,
            "organization",
            "north",
        ),
        (
            {"orig_clients_id": [11]},
            changed(ASK_ACTIVE, filters=reports_pb2.ActiveSessionFilters(orig_clients_id=[12])),
            "filters.orig_clients_id[0]",
            "12",
        ),
        (
            {"tenant_id": [1]},
            changed(ASK_ACTIVE, return_fields=["term_clients_name"]),
            "return_fields[0]",
            "",
        ),
        ({"tenant_id": [1]}, changed(ASK_ACTIVE, order=["-term_clients_id"]), "order[0]", ""),
        (
            {"tenant_id": [1]},
            changed(ASK_ACTIVE, filters=reports_pb2.ActiveSessionFilters(term_clients_id=[21])),
            "filters.term_clients_id",
            "",
        ),
        (
            {"hidden_metrics": [admin_pb2.METRIC_ASR]},
            changed(ASK_ALL, duration=reports_pb2.IntegerFilter(gt=0)),
            "duration",
            "",
        ),
        *(
            (
                {"hidden_metrics": [metric]},
                changed(ASK_ALL, customer_price=reports_pb2.DecimalFilter(gt="0")),
                "customer_price",
                "",
            )
            for metric in (admin_pb2.METRIC_ASR, admin_pb2.METRIC_ACD, admin_pb2.METRIC_PRICE)
        ),
        (VENDOR, changed(ASK_CALLS, tenant_ids=[1]), "tenant_ids", "tenant_id"),
        (VENDOR, changed(ASK_CALLS, absent=["tenant_id"]), "absent[0]", "tenant_id"),
        (VENDOR, ASK_FOLDER, "company", "company"),
        ({**VENDOR, "shown_fields": ["company", "organization"]}, ASK_SALES, "folder", "folder"),
        (VENDOR, ASK_QUALITY, "account_id", "account_id"),
        (VENDOR, changed(ASK_QUALITY, account_id="", account_ids=["no"]), "account_ids", "account_id"),
        (VENDOR, changed(ASK_ALL, customer_price=PRICE), "customer_price", "customer_price"),
        ({**VENDOR, "account_id": ["a1"]}, changed(ASK_QUALITY, account_id="a2"), "account_id", "a2"),
    ],
)
def test_what_is_outside_is_refused_before_the_rest_is_validated(
    held: Guarded, scope: dict[str, Any], request_: Any, field: str, value: str
) -> None:
    caller = Asking(held, **scope)
    expected = caller.denied(request_)
    assert expected["field"] == field
    assert expected["value"] == (value or expected["value"])
    assert caller.denied(changed(request_, time_zone="Mars")) == expected, "the rest does not matter"


def test_a_request_that_another_caller_has_asked_is_refused(held: Guarded) -> None:
    """Callers share the queries that the server keeps."""
    held.service.reports.QueryAsrUsage(changed(ASK_CALLS, tenant_ids=[2]), metadata=held.sent(Scope.ROOT))
    assert Asking(held, tenant_id=[1]).denied(changed(ASK_CALLS, tenant_ids=[2]))["value"] == "2"


def test_a_refusal_does_not_look_at_what_others_have_asked(
    held: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time would tell whether another caller had sent the same request."""
    caller = Asking(held, tenant_id=[1])
    with monkeypatch.context() as patch:
        patch.delattr(QueryCache, "query")
        caller.denied(changed(ASK_CALLS, tenant_ids=[2]))
        assert caller.refused(ASK_CALLS).info.reason == "INTERNAL_FAULT"


def test_only_callers_without_a_data_scope_see_the_times_of_their_calls(held: Guarded) -> None:
    caller = Asking(held, tenant_id=[1])
    for metadata, is_timed in ((caller.metadata, False), (held.sent(Scope.ROOT), True)):
        for request in (ASK_CALLS, changed(ASK_CALLS, time_zone="Mars"), changed(ASK_CALLS, tenant_ids=[2])):
            call = held.service.reports.QueryAsrUsage.future(request, metadata=metadata, timeout=20)
            names = {name for name, _ in call.trailing_metadata()}
            assert ("server-timing" in names, "x-request-id" in names) == (is_timed, True)


def test_filters_on_other_columns_select_nothing_of_others(held: Guarded) -> None:
    caller = Asking(held, tenant_id=[1])
    answer = caller.ask(changed(ASK_QUALITY, account_id="a2"))
    unknown = caller.ask(changed(ASK_QUALITY, account_id="a9"))
    assert (answer.totals, answer.data) == (unknown.totals, unknown.data)
    [notice] = answer.notices
    assert notice.code == reports_pb2.NOTICE_CODE_ACCOUNT_NOT_SEEN
    assert notice.text == 'no record that the credential reads carries account_id "a2"'


def test_a_vendor_counts_its_calls_and_those_of_listed_or_shown_customers(held: Guarded) -> None:
    held.service.write(call_record("v1", **MINE, **V21), call_record("v2", **THEIRS, **V21))
    assert Asking(held, **VENDOR).ask(ASK_ALL).totals.total_calls == 2
    assert Asking(held, **VENDOR, account_id=["a1"]).ask(ASK_QUALITY).totals.total_calls == 1
    assert Asking(held, **VENDOR, shown_fields=["account_id"]).ask(ASK_QUALITY).totals.total_calls == 1
    of_company = Asking(held, **VENDOR, organization=[{"company": "acme"}])
    assert of_company.ask(ASK_SALES).totals.call_count == 2


def test_an_empty_list_of_fields_is_no_way_around_hidden_ones(held: Guarded) -> None:
    caller = Asking(held, tenant_id=[1])
    found = caller.refused(reports_pb2.QueryActiveSessionsRequest())
    assert found.info.reason == "REQUIRED_FIELD_MISSING"


def test_a_company_of_others_is_not_found(held: Guarded) -> None:
    caller = Asking(held, tenant_id=[1])
    foreign, absent = caller.refused(changed(ASK_FOLDER, company="bell")), changed(ASK_FOLDER, company="none")
    assert foreign.info.reason == "COMPANY_NOT_FOUND"
    assert foreign.message == caller.refused(absent).message.replace("none", "bell")
    assert foreign.message == "no record that the credential reads carries company 'bell'"


def short_call(session_id: str, setup_time: str, **more: Any) -> records_pb2.SessionRecord:
    """Builds an unanswered call that ends at once."""
    setup = Timestamp()
    setup.FromJsonString(setup_time)
    return call_record(session_id, setup_time=setup, answer_time=None, end_time=setup, **more)


def test_the_notice_of_early_records_knows_nothing_of_others(held: Guarded) -> None:
    """The records of another tenant are a month older; a deletion takes the first of the own ones."""
    early = changed(ASK_CALLS, from_time="2026-03-10")
    held.service.write(short_call("old", "2026-02-28T00:00:00Z", **THEIRS))
    caller, before = Asking(held, tenant_id=[1]), reports_pb2.NOTICE_CODE_BEFORE_RETENTION
    assert [one.code for one in caller.ask(early).notices] == [before]
    held.service.write(short_call("own", "2026-03-01T00:00:00Z", **MINE))
    assert [one.code for one in caller.ask(early).notices] == []
    assert [one.code for one in caller.ask(early).notices] == [], "the day is known now"
    held.call("DeleteRecords", admin_pb2.DeleteRecordsRequest(source="pbx", session_ids=["own"]))
    assert [one.code for one in caller.ask(early).notices] == [before]


@pytest.mark.parametrize(
    ("metric", "quality", "folder"),
    [
        (
            admin_pb2.METRIC_ASR,
            "answered_calls, asr, duration_ms, acd",
            "answered_count, duration_ms, average_duration_seconds",
        ),
        (admin_pb2.METRIC_ACD, "duration_ms, acd", "duration_ms, average_duration_seconds"),
    ],
)
def test_hidden_figures_are_absent_and_named(held: Guarded, metric: Any, quality: str, folder: str) -> None:
    caller = Asking(held, hidden_metrics=[metric])
    of_quality, of_folder = caller.ask(ASK_ALL), caller.ask(ASK_FOLDER)
    for answer, names in ((of_quality, quality), (of_folder, folder)):
        [notice] = answer.notices
        assert notice.code == reports_pb2.NOTICE_CODE_METRICS_HIDDEN
        assert (notice.metadata["field"], names in notice.text) == (names, True)
    for name in quality.split(", "):
        assert not getattr(of_quality.data, name)
        assert not of_quality.totals.HasField(name)
    assert of_quality.totals.total_calls == sum(of_quality.data.total_calls) == 3
    for message in (of_folder.totals, *of_folder.rows):
        assert not any(message.HasField(name) for name in folder.split(", "))
    assert of_folder.totals.call_count == 2


def test_a_data_scope_of_hidden_figures_alone_shows_all_records(held: Guarded) -> None:
    caller = Asking(held, hidden_metrics=[admin_pb2.METRIC_ASR])
    assert caller.ask(ASK_CALLS).totals.session_count == 5


def test_reflection_and_health_are_the_same_for_all(held: Guarded) -> None:
    caller = Asking(held, tenant_id=[1])
    asked = reflection_pb2.ServerReflectionRequest(list_services="")
    reflection = reflection_pb2_grpc.ServerReflectionStub(held.service.channel)
    health = health_pb2_grpc.HealthStub(held.service.channel)
    answers = [
        (
            list(reflection.ServerReflectionInfo(iter([asked]), metadata=metadata, timeout=20)),
            health.Check(health_pb2.HealthCheckRequest(), metadata=metadata, timeout=20),
        )
        for metadata in (caller.metadata, held.sent(Scope.ROOT))
    ]
    assert answers[0] == answers[1]


def batch(*records: records_pb2.SessionRecord, **fields: Any) -> bytes:
    return records_pb2.WriteRecordsRequest(records=records, **fields).SerializeToString()


def refused_batch(caller: Asking, data: bytes) -> Refusal:
    """Sends a batch that is taken, and then one that must be refused; the answer to the first one stays."""
    with Stream(caller.service.channel, metadata=caller.metadata) as stream:
        stream.send(batch(call_record("w1", **MINE)))
        answer = stream.answer()
        assert answer.accepted + answer.duplicates == 1
        stream.send(data)
        return refusal(stream.answer)


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        (call_record("w2", **{**MINE, "source": "sbc"}), "source", "sbc"),
        (call_record("w2", **{**MINE, "source": ""}), "source", ""),
        (call_record("w2", **{**MINE, "tenant_id": 2}), "tenant_id", "2"),
        (call_record("w2", account_id="a1", source="pbx"), "tenant_id", ""),
        (records_pb2.SessionRecord(source="sbc"), "source", "sbc"),
    ],
)
def test_a_batch_with_a_record_outside_is_refused_as_a_whole(
    held: Guarded, record: records_pb2.SessionRecord, field: str, value: str
) -> None:
    caller = Asking(held, source=["pbx"], tenant_id=[1])
    before = held.service.store.info().records
    for fields in ({}, {"correct": True}, {"source_rule": records_pb2.SourceRule(source="pbx", rule="r")}):
        found = refused_batch(caller, batch(call_record("w3", **MINE), record, **fields))
        assert (found.code, found.info.reason) == DENIED
        assert found.metadata == {"field": field, "value": value, "index": "1"}
        assert found.message.endswith("; write the record with a credential for it")
    assert held.service.store.info().records == before + 1


@pytest.mark.parametrize("correct", [False, True])
@pytest.mark.parametrize("is_sealed", [False, True])
def test_a_writer_does_not_change_records_of_others_in_its_source(
    correct: bool, is_sealed: bool, held: Guarded
) -> None:
    theirs = call_record("w5", **{**MINE, "tenant_id": 2, "account_id": "a2"})
    held.service.write(theirs, call_record("w6", source="pbx"))
    if is_sealed:
        held.service.store.flush()
    info = held.service.store.info()
    caller = Asking(held, source=["pbx"], tenant_id=[1])
    before = caller.ask(ASK_CALLS).totals.session_count
    written = batch(*(call_record(name, **MINE, revision=2) for name in ("w5", "w6", "new")), correct=correct)
    with Stream(held.service.channel, metadata=caller.metadata) as stream:
        stream.send(written)
        answer = stream.answer()
        stream.send(batch(call_record("new", **MINE, revision=3, disconnect_cause=17), correct=correct))
        assert stream.answer().replaced + answer.accepted == 2
    assert [(one.index, one.reason) for one in answer.rejected] == [
        (0, records_pb2.REJECT_REASON_OUTSIDE_DATA_SCOPE),
        (1, records_pb2.REJECT_REASON_OUTSIDE_DATA_SCOPE),
    ]
    assert caller.ask(ASK_CALLS).totals.session_count == before + 1
    assert held.service.store.info().records == info.records + 1


def test_the_rule_of_another_source_is_refused_whether_it_has_records_or_not(held: Guarded) -> None:
    caller = Asking(held, source=["pbx"])
    found = [
        refused_batch(caller, batch(source_rule=records_pb2.SourceRule(source=source, rule="r"))).metadata
        for source in ("sbc", "none", "")
    ]
    assert found == [{"field": "source_rule.source", "value": source} for source in ("sbc", "none", "")]


def test_a_record_that_another_parser_might_read_differently_is_judged_as_it_is_stored(held: Guarded) -> None:
    """Its bytes name a source twice, of which the last counts."""
    caller = Asking(held, source=["pbx"])
    mine, theirs = call_record("w4", **MINE), records_pb2.SessionRecord(source="sbc")
    twice = mine.SerializeToString() + theirs.SerializeToString()
    assert len(twice) < 128, "so that its length takes one byte"
    data = b"\x12" + bytes([len(twice)]) + twice
    assert refused_batch(caller, data).metadata["value"] == "sbc"
