"""A real call triggers every error reason and notice of the contract, except the reserved reasons."""

import ast
import re
from pathlib import Path

import pytest
from pegcount import errors
from pegcount.v1 import error_reason_pb2, records_pb2, reports_pb2
from proto_comments import enum_comments, metadata_names, names_of, possible_metadata_names
from service import NOW_US

from server_tests.reason_triggers import (
    RESERVED,
    TRIGGERS,
    Open,
    Trigger,
    active,
    folder,
    quality,
    traffic,
    usage,
    with_a_key_that_expires,
    with_a_key_that_hides_the_answers,
    with_calls_that_lack,
)
from server_tests.refusal import refusal

SOURCES = Path(errors.__file__).parents[1]
MESSAGE_LENGTH_MAX = 300
"""Characters of a message that a terminal shows well."""


def test_every_reason_has_a_trigger_or_is_reserved() -> None:
    reasons = names_of(error_reason_pb2.ErrorReason, "ERROR_REASON_")
    assert sorted([*TRIGGERS, *RESERVED]) == sorted(reasons)


@pytest.mark.parametrize("reason", TRIGGERS)
def test_the_refusal_has_the_reason_and_its_metadata(reason: str, serve: Open) -> None:
    refused = refusal(lambda: TRIGGERS[reason](serve))
    assert refused.info.reason == reason
    assert set(refused.metadata) - possible_metadata_names(reason) == metadata_names(reason)
    assert len(refused.message) <= MESSAGE_LENGTH_MAX, "lists belong into the metadata"
    assert refused.info.domain == "pegcount"
    code = enum_comments()[f"ERROR_REASON_{reason}"].partition(".")[0]
    assert refused.code.name == code
    assert {violation[1] for violation in refused.violations} <= {reason}


SUGGESTIONS: dict[str, list[tuple[Trigger, str]]] = {
    "MALFORMED_TIME": [
        (usage(from_time="2026-03-29 00:00:00"), "2026-03-29T00:00:00"),
        (usage(to_time="2026-03-29T24:00:00"), "2026-03-30T00:00:00"),
    ],
    "MALFORMED_DATE": [(folder(from_date="2026/03/29"), "2026-03-29")],
    "UNKNOWN_TIME_ZONE": [(usage(time_zone="Europe/Kyev"), "Europe/Kyiv")],
    "UNKNOWN_NAME": [
        (active(return_fields=["origClientsName"]), "orig_clients_name"),
        (active(order=["quantity desc"]), "-quantity"),
        (active(order=["-quantity DESC"]), "-quantity"),
        (active(order=["quantity asc"]), "quantity"),
        (active(order=["+quantity"]), "quantity"),
        (active(order=["-quantiti"]), "-quantity"),
    ],
    "MALFORMED_ADDRESS": [(quality(auth_orig_ip="198.51.100.7/16"), "198.51.0.0/16")],
    "BIN_LIMIT_EXCEEDED": [
        (usage(to_time="2026-03-31"), "GRANULARITY_DAY"),
        (quality(sampling=reports_pb2.GRANULARITY_MINUTE), "GRANULARITY_HOUR"),
    ],
}


@pytest.mark.parametrize("reason", SUGGESTIONS)
def test_a_refusal_suggests_what_is_accepted(reason: str, serve: Open) -> None:
    assert "suggestion" in possible_metadata_names(reason)
    for trigger, suggestion in SUGGESTIONS[reason]:
        refused = refusal(lambda trigger=trigger: trigger(serve))  # type: ignore[misc]
        assert (refused.info.reason, refused.metadata["suggestion"]) == (reason, suggestion)
        assert suggestion in refused.message


def test_every_reason_that_may_suggest_does() -> None:
    reasons = names_of(error_reason_pb2.ErrorReason, "ERROR_REASON_")
    assert {reason for reason in reasons if "suggestion" in possible_metadata_names(reason)} == set(
        SUGGESTIONS
    )


@pytest.mark.parametrize("reason", sorted(RESERVED))
def test_reserved_reasons_are_never_raised(reason: str) -> None:
    assert sources_raising(reason) == []


def test_the_search_finds_known_reasons() -> None:
    """Validates the search that the previous test relies on."""
    assert "request/filters.py" in sources_raising("MALFORMED_DECIMAL")
    assert "auth/credentials.py" in sources_raising("LAST_ROOT_CREDENTIAL")


def sources_raising(reason: str) -> list[str]:
    """Returns the source files that raise a reason, ignoring the tables that only list all reasons."""
    classes = {name for name, value in vars(errors).items() if getattr(value, "reason", None) == reason}
    tables = {*(SOURCES / "errors").glob("*.py"), SOURCES / "server" / "status.py"}
    found = []
    for path in sorted(set(SOURCES.rglob("*.py")) - tables - set((SOURCES / "v1").glob("*"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_class = isinstance(node, ast.Name | ast.Attribute) and _name(node) in classes
            if is_class or (isinstance(node, ast.Constant) and node.value == reason):
                found.append(path.relative_to(SOURCES).as_posix())
    return found


def _name(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


REVERSED = {"from_date": "2026-03-29", "to_date": "2026-03-28"}

NOTICES: dict[str, list[Trigger]] = {
    "FROM_IN_FUTURE": [
        usage(from_time="2026-03-30T12:00:00", to_time="2026-03-31"),
        quality(from_time="2026-03-30T12:00:00", to_time="2026-03-31"),
        traffic(from_time="2026-03-30T12:00:00", to_time="2026-03-31"),
    ],
    "BEFORE_RETENTION": [
        usage(from_time="2026-03-28T23:59:00"),
        quality(from_time="2026-03-28T23:59:00"),
        traffic(from_time="2026-03-28T23:59:00"),
        folder(from_date="2026-03-28"),
        # Days that only the moving average reads count too.
        usage(granularity=reports_pb2.GRANULARITY_DAY, sma_period=2),
    ],
    "RANGE_REVERSED": [folder(**REVERSED)],
    "ACCOUNT_NOT_SEEN": [
        quality(account_id="none"),
        active(filters=reports_pb2.ActiveSessionFilters(orig_accounts_id=[1])),
        active(filters=reports_pb2.ActiveSessionFilters(term_accounts_id=[1])),
    ],
    "KIND_NOT_SEEN": [usage(kind=records_pb2.SESSION_KIND_TTS)],
    "ID_NOT_SEEN": [
        usage(app_ids=[1]),
        usage(tenant_ids=[1, 2]),
        quality(dst_country_id=44),
        active(filters=reports_pb2.ActiveSessionFilters(orig_rates_code=["44"])),
    ],
    "CREDENTIAL_EXPIRES": [with_a_key_that_expires],
    "METRICS_HIDDEN": [with_a_key_that_hides_the_answers],
    "CAUSES_MISSING": [with_calls_that_lack("NER")],
    "UNRATED_CALLS": [with_calls_that_lack("COST")],
}


def test_every_notice_has_a_trigger() -> None:
    assert list(NOTICES) == names_of(reports_pb2.NoticeCode, "NOTICE_CODE_")


def metadata_names_of_notice(code: str) -> set[str]:
    comment = enum_comments()[f"NOTICE_CODE_{code}"]
    return set(re.findall(r"`(\w+)`", comment.partition("Metadata: ")[2]))


@pytest.mark.parametrize("code", NOTICES)
def test_a_notice_has_its_code_and_a_text(code: str, serve: Open) -> None:
    for trigger in NOTICES[code]:
        (notice,) = trigger(serve).notices  # type: ignore[attr-defined]
        assert reports_pb2.NoticeCode.Name(notice.code) == f"NOTICE_CODE_{code}"
        assert notice.text
        assert set(notice.metadata) == metadata_names_of_notice(code)


@pytest.mark.parametrize(
    "trigger",
    [
        usage(),
        quality(),
        folder(),
        traffic(),
        usage(granularity=reports_pb2.GRANULARITY_DAY, sma_period=1),
        usage(from_time="2026-03-30T11:59:59.999999", to_time="2026-03-31"),
        quality(from_time="2026-03-30T11:59:59.999999", to_time="2026-03-31"),
        folder(from_date="2027-01-01", to_date="2027-01-01"),
    ],
)
def test_requests_without_cause_get_no_notice(trigger: Trigger, serve: Open) -> None:
    assert NOW_US == 1_774_872_000_000_000, "the clock stands at 2026-03-30T12:00:00Z"
    assert list(trigger(serve).notices) == []  # type: ignore[attr-defined]
