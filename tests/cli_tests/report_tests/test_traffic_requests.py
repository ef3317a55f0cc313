"""The options of `pegcount report traffic` become a request, or an error that names the option."""

from typing import Any

import pytest

from cli_tests.report_tests.conftest import KeptRequests
from cli_tests.report_tests.running import run
from cli_tests.report_tests.test_requests import asked

RANGE = ("--from", "2026-03-28", "--to", "2026-03-29")


def test_all_options(kept: KeptRequests, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = asked(
        *(kept, monkeypatch, "traffic", *RANGE),
        *("--metric", "calls", "--metric", "pdd-percentile=95", "--metric", "NER=16,17"),
        *("--metric", "short_calls=6000", "--by", "term_accounts_id", "--by", "dst-prefix:4"),
        *("--where", "tenant_id=1,2", "--where", "cause=1..31", "--where", "company=acme,bell"),
        *("--where", "folder=", "--where-not", "agent_id=*ann*", "--where", "source=sbc*"),
        *("--granularity", "day", "--attempts", "all", "--kind", "call", "--top", "3"),
        *("--rank-by", "pdd_percentile=95", "--ascending", "--other", "--time-zone", "Europe/Berlin"),
    )
    assert sent == {
        "from_time": "2026-03-28",
        "to_time": "2026-03-29",
        "time_zone": "Europe/Berlin",
        "granularity": "GRANULARITY_DAY",
        "metrics": [
            {"metric": "TRAFFIC_METRIC_CALLS"},
            {"metric": "TRAFFIC_METRIC_PDD_PERCENTILE", "percentile": 95},
            {"metric": "TRAFFIC_METRIC_NER", "causes": ["16", "17"]},
            {"metric": "TRAFFIC_METRIC_SHORT_CALLS", "threshold_ms": "6000"},
        ],
        "group_by": [
            {"dimension": "TRAFFIC_DIMENSION_TERM_ACCOUNTS_ID"},
            {"dimension": "TRAFFIC_DIMENSION_DST_PREFIX", "digits": 4},
        ],
        "filters": [
            {"dimension": "TRAFFIC_DIMENSION_TENANT_ID", "integers": ["1", "2"]},
            {"dimension": "TRAFFIC_DIMENSION_CAUSE", "range": {"low": "1", "high": "31"}},
            {"dimension": "TRAFFIC_DIMENSION_COMPANY", "texts": ["acme", "bell"]},
            {"dimension": "TRAFFIC_DIMENSION_FOLDER", "absent": True},
            {"dimension": "TRAFFIC_DIMENSION_SOURCE", "text": {"starts_with": "sbc"}},
            {"dimension": "TRAFFIC_DIMENSION_AGENT_ID", "text": {"contains": "ann"}, "negate": True},
        ],
        "attempts": "ATTEMPTS_ALL",
        "kind": "SESSION_KIND_CALL",
        "top": {"metric": 1, "limit": 3, "ascending": True, "other": True},
    }


def test_a_code_deck_supplies_prefixes_and_rates(kept: KeptRequests, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = asked(
        *(kept, monkeypatch, "traffic", *RANGE, "--metric", "calls", "--code-deck", "7"),
        *("--by", "dst_prefix", "--by", "company", "--where", "orig_rates_country=Norway"),
    )
    assert sent["group_by"] == [
        {"dimension": "TRAFFIC_DIMENSION_DST_PREFIX", "code_deck": "7"},
        {"dimension": "TRAFFIC_DIMENSION_COMPANY"},
    ]
    assert sent["filters"] == [
        {"dimension": "TRAFFIC_DIMENSION_ORIG_RATES_COUNTRY", "texts": ["Norway"], "code_deck": "7"}
    ]


def test_intervals_other_times_and_hours(kept: KeptRequests, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = asked(
        *(kept, monkeypatch, "traffic", *RANGE, "--metric", "peak", "--metric", "peak_at=talk"),
        *("--metric", "erlang", "--metric", "calls", "--occupancy", "seized", "--compare", "previous-range"),
        *("--open-hours", "mon-wed,sat 8:00-18:00", "--closed", "2026-12-25", "--closed", "2026-12-26"),
        *("--top", "2", "--rank-by", "erlang", "--by", "folder"),
    )
    seized = "OCCUPANCY_SEIZED"
    assert sent["metrics"] == [
        {"metric": "TRAFFIC_METRIC_PEAK", "occupancy": seized},
        {"metric": "TRAFFIC_METRIC_PEAK_AT", "occupancy": "OCCUPANCY_TALK"},
        {"metric": "TRAFFIC_METRIC_ERLANG", "occupancy": seized},
        {"metric": "TRAFFIC_METRIC_CALLS"},
    ]
    assert sent["compare"] == "COMPARISON_PREVIOUS_RANGE"
    assert sent["open_hours"] == {
        "weekdays": [1, 2, 3, 6],
        "from_time": "08:00",
        "to_time": "18:00",
        "excluded_dates": ["2026-12-25", "2026-12-26"],
    }
    assert sent["top"] == {"metric": 2, "limit": 2}


@pytest.mark.parametrize(
    ("options", "hours"),
    [
        (("--open-hours", "22:00-06:00"), {"from_time": "22:00", "to_time": "06:00"}),
        (
            ("--open-hours", "sat-mon 0:00-24:00"),
            {"weekdays": [1, 6, 7], "from_time": "00:00", "to_time": "24:00"},
        ),
        (
            ("--open-hours", "Friday 09:00 - 12:30"),
            {"weekdays": [5], "from_time": "09:00", "to_time": "12:30"},
        ),
        (
            ("--closed", "2026-01-01"),
            {"from_time": "00:00", "to_time": "24:00", "excluded_dates": ["2026-01-01"]},
        ),
    ],
)
def test_open_hours(
    options: tuple[str, ...], hours: dict[str, Any], kept: KeptRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = asked(kept, monkeypatch, "traffic", *RANGE, "--metric", "calls", *options)
    assert sent["open_hours"] == hours


def test_names_of_values_that_are_numbers(kept: KeptRequests, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = asked(
        *(kept, monkeypatch, "traffic", *RANGE, "--metric", "calls", "--where", "weekday=mon..fri"),
        *("--where", "weekday=Sunday,6", "--where", "release_party=switch", "--where-not", "kind=tts"),
    )
    assert sent["filters"] == [
        {"dimension": "TRAFFIC_DIMENSION_WEEKDAY", "range": {"low": "1", "high": "5"}},
        {"dimension": "TRAFFIC_DIMENSION_WEEKDAY", "integers": ["7", "6"]},
        {"dimension": "TRAFFIC_DIMENSION_RELEASE_PARTY", "integers": ["3"]},
        {"dimension": "TRAFFIC_DIMENSION_KIND", "integers": ["3"], "negate": True},
    ]


def test_the_busy_hour_asks_for_erlangs_per_quarter(
    kept: KeptRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = asked(
        *(kept, monkeypatch, "busy-hour", *RANGE, "--by", "term_accounts_name", "--attempts", "all"),
        *("--where", "tenant_id=1", "--occupancy", "seized", "--time-zone", "Europe/Berlin"),
    )
    assert sent == {
        "from_time": "2026-03-28",
        "to_time": "2026-03-29",
        "time_zone": "Europe/Berlin",
        "granularity": "GRANULARITY_FIFTEEN_MINUTES",
        "metrics": [{"metric": "TRAFFIC_METRIC_ERLANG", "occupancy": "OCCUPANCY_SEIZED"}],
        "group_by": [{"dimension": "TRAFFIC_DIMENSION_TERM_ACCOUNTS_NAME"}],
        "filters": [{"dimension": "TRAFFIC_DIMENSION_TENANT_ID", "integers": ["1"]}],
        "attempts": "ATTEMPTS_ALL",
        "kind": "SESSION_KIND_CALL",
    }


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "traffic needs --metric, such as --metric calls --metric asr"),
        (("--metric", "asrr"), 'did you mean "ASR"?'),
        (("--metric", "asr=6"), "--metric asr takes no value; leave out =6"),
        (("--metric", "short_calls=6s"), "--metric: '6s' is not a whole number"),
        (("--metric", "calls", "--by", "vendor"), "--by: 'vendor' is not one of"),
        (
            ("--metric", "calls", "--by", "dst_prefix"),
            "--by dst_prefix needs how many digits to keep, such as",
        ),
        (("--metric", "calls", "--where", "company"), "--where company is not NAME=VALUE"),
        (("--metric", "calls", "--where", "tenant_id=a"), "--where: 'a' is not a whole number"),
        (("--metric", "calls", "--where", "dst_prefix=44*,49*"), "--where: '44*,49*' has a star"),
        (("--metric", "calls", "--where", "dst_prefix=44,4*"), "--where: '44,4*' has a star"),
        (("--metric", "calls", "--where", "company=acme,*x"), "--where: 'acme,*x' has a star"),
        (("--metric", "calls", "--where-not", "company=ac*me"), "--where-not: 'ac*me' has a star"),
        (("--metric", "calls", "--other"), "--other needs --top N"),
        (("--metric", "calls", "--occupancy", "talk"), "add --metric peak, peak_at, erlang or occupied_us"),
        (("--metric", "peak", "--occupancy", "ring"), "--occupancy: 'ring' is not one of TALK, SEIZED"),
        (("--metric", "peak=5"), "--metric: '5' is not one of TALK, SEIZED"),
        (("--metric", "calls", "--compare", "yaer"), 'did you mean "YEAR"?'),
        (("--metric", "calls", "--open-hours", "8-18"), "--open-hours: '8-18' is not weekdays and hours"),
        (("--metric", "calls", "--open-hours", "mo-fr 8:00-18:00"), "--open-hours: 'mo' is not a whole"),
        (("--metric", "calls", "--where", "weekday=caturday"), "or one of monday, tuesday"),
        (("--metric", "calls", "--top", "3", "--rank-by", "asr"), "--rank-by asr is not one of the metrics"),
    ],
)
def test_wrong_options_are_refused(
    options: tuple[str, ...],
    told: str,
    kept: KeptRequests,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, "report", "traffic", *RANGE, *options, "--server", kept.address) == 2
    assert told in capsys.readouterr().err
    assert kept.requests == []
