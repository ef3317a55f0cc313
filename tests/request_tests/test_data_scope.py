"""Data scopes and limits of credentials to make: what is read, and what is refused."""

from typing import Any

import pytest
from pegcount.auth import SCOPE_FIELDS, default_hidden_fields
from pegcount.config import Config
from pegcount.data_scope import CredentialLimits, DataScope, Metric, OrganizationScope
from pegcount.errors import InvalidRequestError
from pegcount.model import NewCredential
from pegcount.request import check_lists, new_credential
from pegcount.v1 import admin_pb2
from pegcount.v1.admin_pb2 import (
    METRIC_ASR,
    METRIC_PRICE,
    SCOPE_ADMIN,
    SCOPE_READ_REPORTS,
    SCOPE_ROOT,
    SCOPE_WRITE_RECORDS,
    CreateCredentialRequest,
)

READ, WRITE = SCOPE_READ_REPORTS, SCOPE_WRITE_RECORDS
FIELDS = ", ".join(SCOPE_FIELDS)
LEAST = {"tenant_id": [2]}


def request(scope: Any, *scopes: int, **fields: Any) -> CreateCredentialRequest:
    return CreateCredentialRequest(name="n", scopes=scopes or (READ,), data_scope=scope, **fields)  # type: ignore[arg-type]


def created(message: CreateCredentialRequest, config: Config | None = None) -> NewCredential:
    check_lists(message, config or Config())
    return new_credential(message, config or Config(), [])


def refused(
    message: CreateCredentialRequest, config: Config | None = None
) -> list[tuple[str, str, dict[str, str]]]:
    with pytest.raises(InvalidRequestError) as raised:
        created(message, config)
    return [(one.field, one.reason, dict(one.metadata)) for one in raised.value.violations]


def text_of(message: CreateCredentialRequest) -> str:
    with pytest.raises(InvalidRequestError) as raised:
        created(message)
    return str(raised.value)


ABSENT = {"value": str(-(2**63)), "minimum": str(-(2**63) + 1), "maximum": str(2**63 - 1)}
"""Of a violation by the number that marks an absent value of a record."""
FULL: dict[str, Any] = {
    "tenant_id": [2, -3],
    "organization": [{"company": "acme", "organization": "sales"}, {"company": "acme"}, {"company": "ädu"}],
    "account_id": ["1001", "1002"],
    "orig_clients_id": [7],
    "term_clients_id": [8, 0],
    "source": ["sbc1"],
    "hidden_metrics": [METRIC_PRICE, METRIC_ASR],
    "hidden_fields": ["orig_leg_id"],
    "shown_fields": ["term_clients_name"],
}


def test_all_that_a_data_scope_may_say_is_read() -> None:
    assert created(request(FULL, READ, WRITE)).data_scope == DataScope(
        tenant_id=(2, -3),
        organization=(
            OrganizationScope("acme", "sales"),
            OrganizationScope("acme"),
            OrganizationScope("ädu"),
        ),
        account_id=("1001", "1002"),
        orig_clients_id=(7,),
        term_clients_id=(8, 0),
        source=("sbc1",),
        hidden_metrics=(Metric.PRICE, Metric.ASR),
        hidden_fields=("orig_leg_id",),
        shown_fields=("term_clients_name",),
    )
    assert set(FULL) == {field.name for field in admin_pb2.DataScope.DESCRIPTOR.fields}


def test_what_is_absent_stays_absent() -> None:
    plain = created(CreateCredentialRequest(name="n", scopes=["SCOPE_ADMIN"]))
    assert (plain.data_scope, plain.limits) == (None, None)
    # Limits of which none is set are those of the server.
    assert created(request(LEAST, limits={})).limits is None


def test_each_dimension_alone_is_a_data_scope() -> None:
    for name in ("tenant_id", "organization", "account_id", "orig_clients_id", "term_clients_id", "source"):
        scope = created(request({name: FULL[name]})).data_scope
        assert scope is not None
        assert len(getattr(scope, name)) == len(FULL[name])


@pytest.mark.parametrize(
    ("scope", "field", "reason", "metadata"),
    [
        ({"tenant_id": [2, -(2**63)]}, "tenant_id[1]", "VALUE_OUT_OF_RANGE", ABSENT),
        ({"orig_clients_id": [-(2**63)]}, "orig_clients_id[0]", "VALUE_OUT_OF_RANGE", ABSENT),
        ({"term_clients_id": [-(2**63)]}, "term_clients_id[0]", "VALUE_OUT_OF_RANGE", ABSENT),
        ({"tenant_id": [2, 3, 2]}, "tenant_id[2]", "REPEATED_NAME", {"value": "2"}),
        ({"source": ["a", "a"]}, "source[1]", "REPEATED_NAME", {"value": "a"}),
        ({"account_id": [""]}, "account_id[0]", "REQUIRED_FIELD_MISSING", {}),
        ({"source": ["ok", ""]}, "source[1]", "REQUIRED_FIELD_MISSING", {}),
        ({"source": ["é" * 129]}, "source[0]", "TEXT_TOO_LONG", {"asked": "258", "allowed": "256"}),
        ({"organization": [{}]}, "organization[0].company", "REQUIRED_FIELD_MISSING", {}),
        (
            {"organization": [{"company": "acme", "organization": ""}]},
            "organization[0].organization",
            "REQUIRED_FIELD_MISSING",
            {},
        ),
        (
            {"organization": [{"company": "acme", "organization": "sales"}] * 2},
            "organization[1]",
            "REPEATED_NAME",
            {"value": "acme/sales"},
        ),
        (
            {"organization": [{"company": "a" * 257}]},
            "organization[0].company",
            "TEXT_TOO_LONG",
            {"asked": "257", "allowed": "256"},
        ),
        (
            {"hidden_metrics": [4]},
            "hidden_metrics[0]",
            "UNKNOWN_ENUM_VALUE",
            {"value": "4", "allowed": "METRIC_ASR, METRIC_ACD, METRIC_PRICE"},
        ),
        (
            {"hidden_metrics": [0]},
            "hidden_metrics[0]",
            "UNKNOWN_ENUM_VALUE",
            {"value": "0", "allowed": "METRIC_ASR, METRIC_ACD, METRIC_PRICE"},
        ),
        ({"hidden_metrics": [1, 1]}, "hidden_metrics[1]", "REPEATED_NAME", {"value": "METRIC_ASR"}),
        (
            {"hidden_fields": ["termClientsName"]},
            "hidden_fields[0]",
            "UNKNOWN_NAME",
            {"value": "termClientsName", "allowed": FIELDS, "suggestion": "term_clients_name"},
        ),
        ({"hidden_fields": ["duration"] * 2}, "hidden_fields[1]", "REPEATED_NAME", {"value": "duration"}),
        (
            {"shown_fields": ["level"]},
            "shown_fields[0]",
            "UNKNOWN_NAME",
            {"value": "level", "allowed": FIELDS},
        ),
    ],
)
def test_each_wrong_value(scope: Any, field: str, reason: str, metadata: dict[str, str]) -> None:
    assert refused(request(scope)) == [(f"data_scope.{field}", reason, metadata)]


DIMENSIONS = "tenant_id, organization, account_id, orig_clients_id, term_clients_id, source"


@pytest.mark.parametrize(
    ("scope", "scopes", "field", "allowed"),
    [
        ({}, [READ], "data_scope", DIMENSIONS),
        (LEAST, [SCOPE_ADMIN, READ], "data_scope", "read_reports, write_records"),
        (LEAST, [SCOPE_ROOT, READ], "data_scope", "read_reports, write_records"),
        ({"source": ["a"]}, [SCOPE_ROOT], "data_scope", "read_reports, write_records"),
        (LEAST, [WRITE, READ], "data_scope.source", "source"),
        (LEAST, [WRITE], "data_scope.source", "source"),
        ({"source": ["a"], "hidden_metrics": [1]}, [WRITE], "data_scope.hidden_metrics", "read_reports"),
        ({"hidden_fields": ["duration"]}, [WRITE], "data_scope.hidden_fields", "read_reports"),
        (
            {**LEAST, "hidden_fields": ["term_rates_code"], "shown_fields": ["term_rates_code"]},
            [READ],
            "data_scope.shown_fields[0]",
            "hidden_fields, shown_fields",
        ),
        (
            {**LEAST, "hidden_metrics": [3], "shown_fields": ["term_rates_code"]},
            [READ],
            "data_scope.shown_fields[0]",
            "hidden_metrics, shown_fields",
        ),
        ({"source": ["a"], "shown_fields": ["duration"]}, [READ], "data_scope.shown_fields[0]", ""),
        (
            {"term_clients_id": [7], "shown_fields": ["orig_clients_id", "term_clients_name"]},
            [READ],
            "data_scope.shown_fields[1]",
            ", ".join(sorted(default_hidden_fields(DataScope(term_clients_id=(7,))))),
        ),
    ],
)
def test_contradictions(scope: Any, scopes: list[int], field: str, allowed: str) -> None:
    assert refused(request(scope, *scopes)) == [(field, "CONFLICTING_FIELDS", {"allowed": allowed})]


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ({"source": ["a"]}, [WRITE]),
        ({"source": ["a"], **LEAST}, [WRITE]),
        ({"source": ["a"], **LEAST}, [WRITE, READ]),
        ({"hidden_metrics": [1]}, [READ]),
        # Figures are hidden, records are not.
        ({"hidden_metrics": [1]}, [WRITE, READ]),
        ({"organization": [{"company": "acme"}, {"company": "acme", "organization": "sales"}]}, [READ]),
    ],
)
def test_what_does_not_contradict_itself(scope: Any, scopes: list[int]) -> None:
    assert created(request(scope, *scopes)).data_scope is not None


def test_a_contradiction_says_what_to_do() -> None:
    assert "data_scope: restricts nothing; leave it out for all records, or list" in text_of(request({}))
    assert "give whoever needs both two credentials" in text_of(request(LEAST, SCOPE_ROOT))
    assert "list the sources of the writer" in text_of(request(LEAST, WRITE))
    assert "leave it out of one of them" in text_of(
        request({**LEAST, "hidden_fields": ["term_rates_code"], "shown_fields": ["term_rates_code"]})
    )


def test_all_violations_come_together() -> None:
    scope = {"tenant_id": [1, 1], "source": [""], "hidden_metrics": [9], "shown_fields": ["x"]}
    limits = {"calls_per_second": 0, "write_streams": -1}
    message = request(scope, SCOPE_ROOT, WRITE, limits=limits)
    message.name = ""
    # Contradictions are looked for in values that are valid.
    assert [(field, reason) for field, reason, _ in refused(message)] == [
        ("name", "REQUIRED_FIELD_MISSING"),
        ("data_scope.tenant_id[1]", "REPEATED_NAME"),
        ("data_scope.source[0]", "REQUIRED_FIELD_MISSING"),
        ("data_scope.hidden_metrics[0]", "UNKNOWN_ENUM_VALUE"),
        ("data_scope.shown_fields[0]", "UNKNOWN_NAME"),
        ("limits.calls_per_second", "VALUE_OUT_OF_RANGE"),
        ("limits.write_streams", "VALUE_OUT_OF_RANGE"),
    ]


def test_contradictions_come_together() -> None:
    scope = {**LEAST, "hidden_fields": ["duration"], "shown_fields": ["duration"]}
    assert [field for field, _, _ in refused(request(scope, SCOPE_ADMIN, WRITE))] == [
        "data_scope",
        "data_scope.source",
        "data_scope.hidden_fields",
        "data_scope.shown_fields",
        "data_scope.shown_fields[0]",
    ]


def test_the_values_of_all_lists_are_counted_together() -> None:
    config = Config(credential_data_scope_value_count_max=3)
    assert created(request({"tenant_id": [1, 2], "source": ["a"]}), config).data_scope is not None
    found = refused(request({"tenant_id": [1, 1], "source": ["", "a"]}), config)
    assert found == [("data_scope", "LIST_LIMIT_EXCEEDED", {"asked": "4", "allowed": "3"})]
    assert created(request({"tenant_id": range(1_000)})).data_scope is not None
    found = refused(request({"tenant_id": range(1_001)}))
    assert found == [("data_scope", "LIST_LIMIT_EXCEEDED", {"asked": "1001", "allowed": "1000"})]


LIMITS = ("calls_per_second", "calls_in_progress", "write_streams", "work_ms_per_second")


@pytest.mark.parametrize("name", LIMITS)
def test_each_limit_has_its_range(name: str) -> None:
    for value in (1, 1_000_000):
        assert created(request(LEAST, limits={name: value})).limits == CredentialLimits(**{name: value})
    for value in (0, -1, 1_000_001, 2**63 - 1):
        metadata = {"value": str(value), "minimum": "1", "maximum": "1000000"}
        found = refused(request(LEAST, limits={name: value}))
        assert found == [(f"limits.{name}", "VALUE_OUT_OF_RANGE", metadata)]


def test_limits_need_no_data_scope() -> None:
    values = dict(zip(LIMITS, (5, 6, 7, 8), strict=True))
    message = CreateCredentialRequest(name="n", scopes=["SCOPE_ROOT"], limits=values)
    assert created(message).limits == CredentialLimits(5, 6, 7, 8)


UNKNOWN = b"\xa2\x06\x04kept"
"""A field that a newer contract may have: number 100, a text."""


def with_unknown_field(place: str) -> bytes:
    """Returns a request in which one of the messages has a field of number 100."""
    scope = admin_pb2.DataScope(tenant_id=[2]).SerializeToString()
    organization = admin_pb2.OrganizationScope(company="acme").SerializeToString()
    limits = admin_pb2.CredentialLimits(write_streams=1).SerializeToString()
    if place == "organization":
        organization += UNKNOWN
    scope += b"\x12" + bytes([len(organization)]) + organization
    scope += UNKNOWN if place == "data_scope" else b""
    limits += UNKNOWN if place == "limits" else b""
    data = CreateCredentialRequest(name="n", scopes=["SCOPE_READ_REPORTS"]).SerializeToString()
    data += UNKNOWN if place == "request" else b""
    return data + b"\x2a" + bytes([len(scope)]) + scope + b"\x32" + bytes([len(limits)]) + limits


def test_the_bytes_of_the_next_test_are_a_good_request_without_the_unknown_field() -> None:
    credential = created(CreateCredentialRequest.FromString(with_unknown_field("nowhere")))
    assert credential.data_scope == DataScope(tenant_id=(2,), organization=(OrganizationScope("acme"),))
    assert credential.limits == CredentialLimits(write_streams=1)


@pytest.mark.parametrize(
    ("place", "field", "message"),
    [
        ("request", "request", "CreateCredentialRequest"),
        ("data_scope", "data_scope", "DataScope"),
        ("organization", "data_scope.organization[0]", "OrganizationScope"),
        ("limits", "limits", "CredentialLimits"),
    ],
)
def test_a_field_that_the_server_does_not_know_is_refused(place: str, field: str, message: str) -> None:
    """A newer client may have restricted the credential by it."""
    with pytest.raises(InvalidRequestError) as raised:
        created(CreateCredentialRequest.FromString(with_unknown_field(place)))
    (violation,) = raised.value.violations
    assert (violation.field, violation.reason) == (field, "UNKNOWN_FIELD")
    assert raised.value.metadata == {"field": "100"}
    assert violation.description.startswith(f"{message} has a field of number 100, which this server does")
