"""The traffic question over gRPC: which scans it takes, and what explains its answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core
from pegcount.config import Config
from pegcount.server.call_clock import CallClock
from pegcount.server.traffic import TrafficService
from pegcount.server.visible_records import VisibleRecords
from pegcount.v1 import reports_pb2, traffic_pb2
from pegcount.v1.traffic_pb2 import QueryTrafficRequest, QueryTrafficResponse
from service import NOW_US, Service

from server_tests.example_requests import SETUP_S, call_record
from server_tests.refusal import refusal


def call(session_id: str, vendor: int | None, minute: int = 0, **more: Any) -> Any:
    """Builds an answered call of 60 s, set up in a minute after 08:00 UTC."""
    begin_s = SETUP_S + 60 * minute
    given = {
        "setup_time": Timestamp(seconds=begin_s),
        "answer_time": Timestamp(seconds=begin_s + 10),
        "end_time": Timestamp(seconds=begin_s + 70),
        "disconnect_cause": 16,
        **more,
    }
    return call_record(session_id, term_accounts_id=vendor, **given)


def failed(session_id: str, vendor: int | None, minute: int = 0, **more: Any) -> Any:
    return call(session_id, vendor, minute, **{"answer_time": None, "disconnect_cause": 34, **more})


RECORDS = (
    call("a", 1, customer_price="0.5", currency="EUR"),
    call("b", 1, 61, customer_price="0.25", currency="EUR"),
    failed("c", 1, 61, is_last_attempt=False),
    call("d", 2, 61, customer_price="0.125", currency="EUR"),
    failed("e", 3, 62),
    failed("f", None, 62),
)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path) as running:
        running.write(*RECORDS)
        yield running


def asked(service: Service, *metrics: str, **more: Any) -> QueryTrafficResponse:
    answer: QueryTrafficResponse = service.traffic.QueryTraffic(question(*metrics, **more), timeout=20)
    return answer


def question(*metrics: str, **more: Any) -> QueryTrafficRequest:
    given = {
        "from_time": "2026-03-29T08:00:00Z",
        "to_time": "2026-03-29T10:00:00Z",
        "metrics": [{"metric": f"TRAFFIC_METRIC_{name}"} for name in metrics],
        **more,
    }
    return json_format.ParseDict(given, QueryTrafficRequest())


def by(name: str, **more: Any) -> dict[str, Any]:
    return {"dimension": f"TRAFFIC_DIMENSION_{name}", **more}


BY_VENDOR: dict[str, Any] = {"group_by": [by("TERM_ACCOUNTS_ID")], "attempts": "ATTEMPTS_ALL"}


def keys(answer: QueryTrafficResponse) -> list[int | str | None]:
    return [
        "other" if group.other else group.keys[0].integer if group.keys[0].HasField("integer") else None
        for group in answer.groups
    ]


def codes(answer: Any) -> list[str]:
    return [reports_pb2.NoticeCode.Name(each.code).removeprefix("NOTICE_CODE_") for each in answer.notices]


def test_one_bin_without_a_granularity(service: Service) -> None:
    answer = asked(service, "CALLS", "ASR", "REVENUE")
    assert not answer.range.HasField("granularity")
    assert list(answer.t) == [SETUP_S]
    assert (list(answer.covered_us), list(answer.complete)) == ([7_200_000_000], [True])
    assert [list(column.integers or column.doubles or column.decimals) for column in answer.columns] == [
        [5],
        [60.0],
        ["0.875"],
    ]
    assert [len(group.keys) for group in answer.groups] == [0]
    assert answer.latest_setup_time == "2026-03-29T09:02:00Z"


def test_groups_come_by_key_and_absent_values_last(service: Service) -> None:
    answer = asked(service, "CALLS", "ANSWERED", granularity="GRANULARITY_HOUR", **BY_VENDOR)
    assert keys(answer) == [1, 2, 3, None]
    assert list(answer.columns[0].integers) == [1, 2, 0, 1, 0, 1, 0, 1]
    assert list(answer.group_totals[1].integers) == [2, 1, 0, 0]
    assert list(answer.totals[0].integers) == [6]
    assert answer.group_count == 4


def test_the_first_groups_and_all_others(service: Service) -> None:
    top = {"limit": 2, "metric": 1, "other": True}
    answer = asked(service, "CALLS", "ASR", granularity="GRANULARITY_HOUR", top=top, **BY_VENDOR)
    assert keys(answer) == [2, 1, "other"]
    assert list(answer.columns[0].integers) == [0, 1, 1, 2, 0, 2]
    assert list(answer.group_totals[0].integers) == [1, 3, 2]
    assert list(answer.totals[0].integers) == [6]
    assert list(answer.totals[1].doubles) == [50.0]
    assert answer.group_count == 4


def test_the_first_of_more_groups_than_one_scan_may_have(service: Service, tmp_path: Path) -> None:
    """There are four groups in five cells: of `top`, none of its three scans has more than four."""
    top = {"limit": 1, "metric": 1, "other": True}
    question = {"granularity": "GRANULARITY_HOUR", "top": top, **BY_VENDOR}
    metrics = ("CALLS", "ASR", "CPS_PEAK", "ACD")
    all_at_once = asked(service, *metrics, **question)
    with Service(tmp_path / "narrow", config=Config(cell_count_max=4)) as narrow:
        narrow.write(*RECORDS)
        answer = asked(narrow, *metrics, **question)
        assert refusal(lambda: asked(narrow, "CALLS", granularity="GRANULARITY_HOUR", **BY_VENDOR))
    assert keys(answer) == [2, "other"]
    for each in (answer, all_at_once):
        each.range.ClearField("generated_at")
    assert answer == all_at_once


def test_each_figure_of_the_first_groups_is_one_that_calls_have(tmp_path: Path) -> None:
    """A correction between two scans made OTHER of the totals less the first groups: 9 s of a call of 5 s."""
    day = {"from_time": "2026-03-29", "to_time": "2026-03-30"}
    percentile = {"metric": "TRAFFIC_METRIC_DURATION_PERCENTILE", "percentile": 50}
    corrected = call("a", 1, revision=5, end_time=Timestamp(seconds=SETUP_S + 19))
    with Service(tmp_path, config=Config(cell_count_max=3)) as running:
        short: dict[str, Any] = {"end_time": Timestamp(seconds=SETUP_S + 15)}
        running.write(*(call(name, vendor, **short) for name, vendor in (("a", 1), ("b", 1), ("c", 2))))
        running.write(call("d", 1, 60, end_time=Timestamp(seconds=SETUP_S + 3_615)))
        running.write(call("e", 2, 60, end_time=Timestamp(seconds=SETUP_S + 3_615)))
        real, scans = running.store.traffic_partials, list[Any]()

        def corrected_between(*arguments: Any) -> core.TrafficPartials:
            scans.append(arguments)
            if len(scans) == 4:
                running.write(corrected)
            return real(*arguments)

        running.store.traffic_partials = corrected_between  # type: ignore[method-assign, assignment]
        given = {**day, "granularity": "GRANULARITY_HOUR", "top": {"limit": 1, "other": True}, **BY_VENDOR}
        request = question("CALLS", **given)
        json_format.ParseDict(percentile, request.metrics.add())
        answer = running.traffic.QueryTraffic(request, timeout=20)
    assert len(scans) == 4
    assert keys(answer) == [1, "other"]
    assert list(answer.group_totals[1].integers) == [5_000, 5_000]


def test_top_of_no_calls(service: Service) -> None:
    filters = [by("TENANT_ID", integers=[404])]
    answer = asked(service, "CALLS", top={"limit": 2, "other": True}, filters=filters, **BY_VENDOR)
    assert (keys(answer), list(answer.totals[0].integers), answer.group_count) == ([], [0], 0)
    assert codes(answer) == ["ID_NOT_SEEN"]
    assert dict(answer.notices[0].metadata) == {
        "field": "filters[0].integers",
        "values": "404",
        "value_count": "1",
    }


def test_a_range_in_the_future_has_no_bins(service: Service) -> None:
    answer = asked(service, "CALLS", "NER", from_time="2027-01-01", to_time="2027-01-02", **BY_VENDOR)
    assert (list(answer.t), list(answer.groups), list(answer.totals[0].integers)) == ([], [], [0])
    assert codes(answer) == ["FROM_IN_FUTURE"]


def test_what_calls_lack_is_told(service: Service) -> None:
    service.write(call("g", 1, disconnect_cause=None))
    answer = asked(service, "NER", "REVENUE")
    assert codes(answer) == ["CAUSES_MISSING", "UNRATED_CALLS"]
    assert [dict(notice.metadata) for notice in answer.notices] == [
        {"known": "5", "calls": "6"},
        {"field": "customer_price", "known": "3", "calls": "4"},
    ]


def test_what_calls_lack_is_told_of_all_groups_after_three_scans(tmp_path: Path) -> None:
    with Service(tmp_path, config=Config(cell_count_max=4)) as narrow:
        narrow.write(*RECORDS, call("g", 3, disconnect_cause=None))
        answer = asked(narrow, "NER", granularity="GRANULARITY_HOUR", top={"limit": 1}, **BY_VENDOR)
    assert (keys(answer), answer.group_count) == ([2], 4)
    assert [dict(notice.metadata) for notice in answer.notices] == [{"known": "6", "calls": "7"}]


def test_amounts_in_several_currencies_are_not_added_up(service: Service) -> None:
    service.write(call("g", 2, customer_price="7", currency="USD"), call("h", 2, customer_price="9"))
    refused = refusal(lambda: asked(service, "CALLS", "REVENUE"))
    assert refused.info.reason == "MIXED_CURRENCIES"
    assert refused.metadata == {"field": "metrics[1]", "currencies": "EUR, USD, none"}
    assert "group by CURRENCY or filter by one" in refused.message
    answer = asked(service, "REVENUE", group_by=[by("CURRENCY")])
    assert [group.keys[0].text for group in answer.groups] == ["EUR", "USD", ""]
    assert list(answer.columns[0].decimals) == ["0.875", "7", "9"]
    assert list(answer.totals[0].decimals) == [""]
    one = asked(service, "REVENUE", filters=[by("CURRENCY", texts=["USD"])])
    assert list(one.totals[0].decimals) == ["7"]


def test_a_margin_needs_one_currency_of_both_prices(service: Service) -> None:
    service.write(call("g", 1, vendor_price="0.1", vendor_currency="USD"))
    refused = refusal(lambda: asked(service, "COST", "MARGIN"))
    assert refused.metadata == {"field": "metrics[1]", "currencies": "EUR, USD"}
    assert "filter CURRENCY and VENDOR_CURRENCY by one" in refused.message
    assert list(asked(service, "COST", "REVENUE").totals[0].decimals) == ["0.1"]


def test_values_of_one_answer_are_limited(tmp_path: Path) -> None:
    with Service(tmp_path, config=Config(value_count_max=3)) as running:
        running.write(call("a", 1))
        assert asked(running, "CALLS", "ASR", "ACD").group_count == 1
        refused = refusal(lambda: asked(running, "CALLS", "ASR", "ACD", "NER"))
        assert refused.info.reason == "CELL_LIMIT_EXCEEDED"
        assert (refused.metadata["asked"], refused.metadata["allowed"]) == ("4", "3")
        assert "value_count_max" in refused.message


def test_additivities_are_those_of_the_metric(service: Service) -> None:
    (column,) = asked(service, "CPS_PEAK").columns
    assert column.over_bins == traffic_pb2.ADDITIVITY_MAX
    assert column.over_groups == traffic_pb2.ADDITIVITY_NONE
    assert list(column.integers) == [2]


@pytest.mark.parametrize(
    ("given", "passes"),
    [
        ({"metrics": ["CALLS"]}, 1),
        ({"metrics": ["CALLS", "NER"]}, 1),
        ({"metrics": ["REVENUE"]}, 2),
        ({"metrics": ["MARGIN"]}, 3),
        ({"metrics": ["CALLS"], "group_by": [by("KIND")], "top": {"limit": 1}}, 1),
        ({"metrics": ["CALLS"], "top": {"limit": 1}}, 1),
    ],
)
def test_all_scans_of_an_answer_are_estimated(service: Service, given: dict[str, Any], passes: int) -> None:
    scanned = list[Any]()
    records = VisibleRecords(service.store, note_rows=scanned.append)
    request = question(*given.pop("metrics"), **given).SerializeToString()
    report = TrafficService(Config(), lambda: NOW_US).traffic(request, records, core.CancelToken(None))
    assert report.pass_count == passes
    report.answer(core.CancelToken(None), CallClock())
    assert len(scanned) == passes
