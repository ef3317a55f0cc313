"""Each option becomes the field of the request that it is named after."""

import pytest
from google.protobuf.json_format import MessageToDict
from pegcount.v1.reports_pb2 import (
    ActiveSessionFilters,
    QueryActiveSessionsRequest,
    QueryAsrUsageRequest,
    QueryOriginationQualityRequest,
)

from cli_tests.report_tests.conftest import KeptRequests
from cli_tests.report_tests.running import run

USAGE = (
    *("--from", "2026-03-28", "--to", "2026-03-30 12:00", "--granularity", "day", "--sma-period", "7"),
    *("--kind", "tts", "--app-id", "1", "--app-id", "2", "--comp-id", "3", "--tenant-id", "4"),
    *("--absent", "app_id", "--absent", "tenant-id", "--time-zone", "Europe/Berlin"),
)
QUALITY = (
    *(
        "--account",
        "1001",
        "--from",
        "2026-03-28",
        "--to",
        "2026-03-30 12:00:30",
        "--sampling",
        "five-minutes",
    ),
    *("--src-country-id", "1", "--dst-country-id", "2", "--absent", "dst_country_id"),
    *("--src-prefix-is", "49", "--src-prefix-starts-with", "4", "--src-prefix-ends-with", "9"),
    *("--src-prefix-contains", "9", "--dst-prefix-absent", "--duration-eq", "10", "--duration-gt", "5"),
    *("--duration-lt", "20", "--auth-orig-ip", "192.0.2.0/24", "--price-eq", "0.5", "--price-gt", "-0.1"),
    *("--price-lt", "1.0", "--time-zone", "Europe/Berlin"),
)


def asked(kept: KeptRequests, patch: pytest.MonkeyPatch, *arguments: str) -> dict[str, object]:
    """Returns the only request that a report sends."""
    assert run(patch, "report", *arguments, "--server", kept.address) == 0
    (request,) = kept.requests
    found: dict[str, object] = MessageToDict(request, preserving_proto_field_name=True)
    return found


def test_all_options_of_usage(kept: KeptRequests, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = asked(kept, monkeypatch, "usage", *USAGE)
    assert sent == {
        "from_time": "2026-03-28",
        "to_time": "2026-03-30T12:00:00",
        "granularity": "GRANULARITY_DAY",
        "sma_period": 7,
        "kind": "SESSION_KIND_TTS",
        "app_ids": ["1", "2"],
        "comp_ids": ["3"],
        "tenant_ids": ["4"],
        "absent": ["app_id", "tenant_id"],
        "time_zone": "Europe/Berlin",
    }
    assert set(sent) == set(QueryAsrUsageRequest.DESCRIPTOR.fields_by_name)


def test_all_options_of_quality(kept: KeptRequests, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = asked(kept, monkeypatch, "quality", *QUALITY)
    assert sent == {
        "account_id": "1001",
        "from_time": "2026-03-28",
        "to_time": "2026-03-30T12:00:30",
        "sampling": "GRANULARITY_FIVE_MINUTES",
        "time_zone": "Europe/Berlin",
        "src_country_id": "1",
        "dst_country_id": "2",
        "src_prefix_routing": {"eq": "49", "starts_with": "4", "ends_with": "9", "contains": "9"},
        "dst_prefix_routing": {"absent": True},
        "duration": {"eq": "10", "gt": "5", "lt": "20"},
        "auth_orig_ip": "192.0.2.0/24",
        "customer_price": {"eq": "0.5", "gt": "-0.1", "lt": "1.0"},
        "absent": ["dst_country_id"],
    }
    others = {"account_ids", "all_accounts"}
    assert set(sent) | others == set(QueryOriginationQualityRequest.DESCRIPTOR.fields_by_name)


@pytest.mark.parametrize(
    ("options", "fields", "title"),
    [
        (("--account", "1"), {"account_id": "1"}, "Calls of account 1 per DAY, "),
        (
            ("--account", "1", "--account", "2"),
            {"account_ids": ["1", "2"]},
            "Calls of accounts 1, 2 per DAY, ",
        ),
        (
            tuple(text for account in "12345" for text in ("--account", account)),
            {"account_ids": ["1", "2", "3", "4", "5"]},
            "Calls of accounts 1, 2, 3 and 2 more per DAY, ",
        ),
        (("--all-accounts",), {"all_accounts": True}, "Calls of all accounts per DAY, "),
        (("--absent", "account_id"), {"absent": ["account_id"]}, "Calls without an account per DAY, "),
        (
            ("--account", "1", "--absent", "account-id"),
            {"account_id": "1", "absent": ["account_id"]},
            "Calls of account 1 or without one per DAY, ",
        ),
    ],
)
def test_accounts(
    options: tuple[str, ...],
    fields: dict[str, object],
    title: str,
    kept: KeptRequests,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    sent = asked(kept, monkeypatch, "quality", "--from", "2026-03-28", *options)
    names = ("account_id", "account_ids", "all_accounts", "absent")
    assert {name: sent[name] for name in names if name in sent} == fields
    assert sent["sampling"] == "GRANULARITY_HOUR"
    assert capsys.readouterr().out.startswith(title)


def test_all_options_of_active(kept: KeptRequests, monkeypatch: pytest.MonkeyPatch) -> None:
    filters = list(ActiveSessionFilters.DESCRIPTOR.fields_by_name)
    values = {name: ["44", "45"] for name in filters}
    options = [
        text for name in filters for value in values[name] for text in (f"--{name.replace('_', '-')}", value)
    ]
    sent = asked(
        *(kept, monkeypatch, "active", "orig_clients_name", "quantity", "--order=-quantity"),
        *("--order", "orig_clients_name", "--limit", "5", "--rollup", "--code-deck", "3", *options),
    )
    assert sent == {
        "return_fields": ["orig_clients_name", "quantity"],
        "filters": values,
        "order": ["-quantity", "orig_clients_name"],
        "limit": 5,
        "grouping": "GROUPING_ROLLUP",
        "code_deck": "3",
        "time_zone": "UTC",
    }
    assert set(sent) == set(QueryActiveSessionsRequest.DESCRIPTOR.fields_by_name)


def test_active_without_fields_shows_who_calls_whom(
    kept: KeptRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = asked(kept, monkeypatch, "active")
    assert sent["return_fields"] == ["orig_clients_name", "term_clients_name", "quantity", "duration"]
    assert sent["order"] == ["-quantity"]


@pytest.mark.parametrize(
    ("options", "days"),
    [
        ((), {}),
        (("--from", "20260328"), {"from_date": "20260328"}),
        (
            ("--from", "28 mar 2026", "--to", "2026-03-30"),
            {"from_date": "2026-03-28", "to_date": "2026-03-30"},
        ),
    ],
)
def test_all_options_of_folders(
    options: tuple[str, ...], days: dict[str, str], kept: KeptRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = asked(kept, monkeypatch, "folders", "acme", "support", "--folder", "billing", *options)
    assert sent == {
        "company": "acme",
        "organization": "support",
        "folder": "billing",
        "time_zone": "UTC",
        **days,
    }


@pytest.mark.parametrize("end", [(), ("--to", "now")])
def test_the_server_decides_what_now_is(
    end: tuple[str, ...], kept: KeptRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "to_time" not in asked(kept, monkeypatch, "usage", "--from", "2026-03-28", *end)
