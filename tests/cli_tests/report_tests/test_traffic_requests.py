"""The options of `pegcount report traffic` become a request, or an error that names the option."""

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


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "report traffic needs --metric, such as --metric calls --metric asr"),
        (("--metric", "asrr"), 'did you mean "ASR"?'),
        (("--metric", "asr=6"), "--metric asr takes no value; leave out =6"),
        (("--metric", "short_calls=6s"), "--metric: '6s' is not a whole number"),
        (("--metric", "calls", "--by", "vendor"), "--by: 'vendor' is not one of"),
        (("--metric", "calls", "--where", "company"), "--where company is not NAME=VALUE"),
        (("--metric", "calls", "--where", "tenant_id=a"), "--where: 'a' is not a whole number"),
        (("--metric", "calls", "--where", "dst_prefix=44*,49*"), "--where: '44*,49*' has a star"),
        (("--metric", "calls", "--where", "dst_prefix=44,4*"), "--where: '44,4*' has a star"),
        (("--metric", "calls", "--where", "company=acme,*x"), "--where: 'acme,*x' has a star"),
        (("--metric", "calls", "--where-not", "company=ac*me"), "--where-not: 'ac*me' has a star"),
        (("--metric", "calls", "--other"), "--other needs --top N"),
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
