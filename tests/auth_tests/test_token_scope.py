"""Data scopes and limits of tokens: what the configuration may say, and which claims are refused."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pegcount.auth import Caller, TokenFileError, Tokens, read_token_config
from pegcount.config import Config
from pegcount.data_scope import CredentialLimits, DataScope, Metric, OrganizationScope
from pegcount.errors import quoted
from token_issuer import NOW_S, claims, signer, write_secret

KEY = signer("HS256")
HEAD = """
[[issuer]]
issuer = "https://id.example.com"
audience = "pegcount"
hs256_secret_file = "secret"
"""
READER = HEAD + 'default_scopes = "read_reports"\n'


def tokens(directory: Path, text: str) -> Tokens:
    write_secret(directory / "secret", KEY.key)
    path = directory / "tokens.toml"
    path.touch(mode=0o644)
    path.write_text(text, encoding="utf-8")
    return Tokens(read_token_config(path), Config())


def refused(directory: Path, text: str) -> str:
    with pytest.raises(TokenFileError) as caught:
        tokens(directory, text)
    start = f"{directory}/tokens.toml: issuer 1, "
    assert str(caught.value).startswith(start)
    return str(caught.value).removeprefix(start)


def caller(accepted: Tokens, **found: Any) -> Caller | None:
    return accepted.caller_of_token(KEY.token(claims(scope=None, **found)), NOW_S * 1_000_000)


def scope_of(accepted: Tokens, **found: Any) -> DataScope | None:
    known = caller(accepted, **found)
    assert known is not None
    return known.data_scope


FIXED = """
[issuer.data_scope]
tenant_id = [2, -3]
organization = [{ company = "acme", organization = "sales" }, { company = "other" }]
account_id = "1001"
orig_clients_id = 7
term_clients_id = [8]
source = ["sbc1"]
hidden_metrics = "price"
hidden_fields = ["duration"]
shown_fields = ["term_clients_name"]
"""


def test_fixed_values_hold_for_all_tokens(tmp_path: Path) -> None:
    assert scope_of(tokens(tmp_path, READER + FIXED)) == DataScope(
        tenant_id=(2, -3),
        organization=(OrganizationScope("acme", "sales"), OrganizationScope("other")),
        account_id=("1001",),
        orig_clients_id=(7,),
        term_clients_id=(8,),
        source=("sbc1",),
        hidden_metrics=(Metric.PRICE,),
        hidden_fields=("duration",),
        shown_fields=("term_clients_name",),
    )


def test_without_the_tables_a_token_reaches_all_records(tmp_path: Path) -> None:
    known = caller(tokens(tmp_path, READER))
    assert known is not None
    assert (known.data_scope, known.limits) == (None, None)


def test_limits_hold_for_each_caller(tmp_path: Path) -> None:
    text = "[issuer.limits]\ncalls_per_second = 5\nwork_ms_per_second = 1000000\n"
    known = caller(tokens(tmp_path, READER + text))
    assert known is not None
    assert known.limits == CredentialLimits(calls_per_second=5, work_ms_per_second=1_000_000)


CLAIMS = """
[issuer.data_scope]
hidden_metrics = ["asr"]

[issuer.data_scope_claims]
tenant_id = "tenants"
account_id = "accounts"
"""


@pytest.mark.parametrize(
    ("tenants", "accounts", "expected"),
    [
        (2, "1001", ((2,), ("1001",))),
        ([2, 3, 2], ["1001", "1002"], ((2, 3), ("1001", "1002"))),
        ([-(2**63) + 1, 2**63 - 1], 1001, ((-(2**63) + 1, 2**63 - 1), ("1001",))),
        (0, ["é" * 128], ((0,), ("é" * 128,))),
    ],
)
def test_claims_have_the_values_of_each_token(
    tenants: Any, accounts: Any, expected: tuple[tuple[int, ...], tuple[str, ...]], tmp_path: Path
) -> None:
    scope = scope_of(tokens(tmp_path, READER + CLAIMS), tenants=tenants, accounts=accounts)
    assert scope == DataScope(tenant_id=expected[0], account_id=expected[1], hidden_metrics=(Metric.ASR,))


@pytest.mark.parametrize(
    "changes",
    [
        {"accounts": None},
        {"tenants": None},
        {"accounts": ""},
        {"accounts": []},
        {"accounts": ["1001", ""]},
        {"accounts": ["1001", None]},
        {"accounts": {"1001": 1}},
        {"accounts": True},
        {"accounts": [["1001"]]},
        {"accounts": 1.5},
        {"accounts": "\ud800"},
        {"accounts": "é" * 129},
        {"tenants": []},
        {"tenants": "2"},
        {"tenants": [2, "3"]},
        {"tenants": True},
        {"tenants": 2.0},
        {"tenants": 2**63},
        # A record without a tenant would be inside.
        {"tenants": -(2**63)},
        {"tenants": {}},
    ],
    ids=repr,
)
def test_a_token_without_good_values_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    """It would reach the records of all others."""
    accepted = tokens(tmp_path, READER + CLAIMS)
    good: dict[str, Any] = {"tenants": 2, "accounts": ["1001"]}
    assert caller(accepted, **good) is not None
    assert caller(accepted, **{**good, **changes}) is None


ORGANIZATION = '[issuer.data_scope_claims]\ncompany = "company"\norganization = "org"\n'


@pytest.mark.parametrize(
    ("table", "found", "expected"),
    [
        ('company = "company"', {"company": "acme"}, [("acme", None)]),
        ('company = "company"', {"company": ["acme", "b"]}, [("acme", None), ("b", None)]),
        ('company = "company"', {"company": []}, None),
        (ORGANIZATION, {"company": "acme", "org": "sales"}, [("acme", "sales")]),
        (ORGANIZATION, {"company": ["acme"], "org": ["a", "b"]}, [("acme", "a"), ("acme", "b")]),
        (ORGANIZATION, {"company": ["acme", "b"], "org": "sales"}, None),
        (ORGANIZATION, {"company": "acme"}, None),
        (ORGANIZATION, {"company": "acme", "org": []}, None),
        (ORGANIZATION, {"org": "sales"}, None),
    ],
)
def test_companies_and_organizations_in_claims(
    table: str, found: dict[str, Any], expected: list[tuple[str, str | None]] | None, tmp_path: Path
) -> None:
    text = table if table.startswith("[") else f"[issuer.data_scope_claims]\n{table}\n"
    known = caller(tokens(tmp_path, READER + text), **found)
    if expected is None:
        assert known is None
    else:
        assert known is not None
        assert known.data_scope == DataScope(
            organization=tuple(OrganizationScope(*each) for each in expected)
        )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[issuer.data_scope]", "data_scope: restricts nothing; leave it out for all records, or list"),
        ("[issuer.data_scope_claims]", "data_scope_claims: names no claim; add one, such as account_id ="),
        ('[issuer.data_scope]\ntenant_id = "2"', 'data_scope: "tenant_id" must be an integer or a list of'),
        ("[issuer.data_scope]\ntenant_id = [true]", 'data_scope: "tenant_id" must be a list of integers'),
        (
            f"[issuer.data_scope]\ntenant_id = [2, {-(2**63)}]",
            f'data_scope: "tenant_id": {-(2**63)} is not within {-(2**63) + 1} to {2**63 - 1}',
        ),
        (
            f"[issuer.data_scope]\norig_clients_id = {2**63}",
            f'data_scope: "orig_clients_id": {2**63} is not within {-(2**63) + 1} to {2**63 - 1}',
        ),
        ("[issuer.data_scope]\naccount_id = 1", 'data_scope: "account_id" must be a text or a list of texts'),
        ('[issuer.data_scope]\naccount_id = [""]', 'data_scope: "account_id" must be a list of texts that'),
        (
            f'[issuer.data_scope]\nsource = "{"a" * 257}"',
            f"data_scope: {quoted('a' * 257)} has more than the 256 bytes that a text of a record has",
        ),
        (
            '[issuer.data_scope]\nacount_id = "1"',
            "data_scope: unknown key 'acount_id'; did you mean \"account_id\"?",
        ),
        (
            '[issuer.data_scope]\norganization = [{ organization = "sales" }]',
            'data_scope: organization 1: "company" is missing',
        ),
        (
            '[issuer.data_scope]\nhidden_metrics = ["METRIC_PRICE"]',
            'data_scope: "hidden_metrics": unknown metric \'METRIC_PRICE\'; did you mean "price"?',
        ),
        (
            '[issuer.data_scope]\nhidden_metrics = ["mos"]',
            "data_scope: \"hidden_metrics\": unknown metric 'mos'; such as asr",
        ),
        (
            '[issuer.data_scope]\nshown_fields = "termClientsName"',
            'data_scope: "shown_fields": unknown field \'termClientsName\'; did you mean "term_clients',
        ),
        (
            '[issuer.data_scope]\ntenant_id = 2\nshown_fields = "duration"',
            "data_scope: \"shown_fields[0]\": no dimension hides 'duration'; leave it out, as it is",
        ),
        (
            '[issuer.data_scope_claims]\nacount_id = "a"',
            "data_scope_claims: unknown key 'acount_id'; did you mean \"account_id\"?",
        ),
        ('[issuer.data_scope_claims]\naccount_id = ""', 'data_scope_claims: "account_id" is empty'),
        ('[issuer.data_scope_claims]\norganization = "o"', 'data_scope_claims: "company" is missing, as an'),
        (
            '[issuer.data_scope]\nsource = "a"\n[issuer.data_scope_claims]\nsource = "b"',
            'data_scope_claims: "source" has values in data_scope already; leave it out of one of the two',
        ),
        (
            '[issuer.data_scope]\norganization = [{ company = "a" }]\n'
            '[issuer.data_scope_claims]\ncompany = "b"',
            'data_scope_claims: "company" has values in data_scope already; leave it out of one of the two',
        ),
        ("[issuer.limits]\ncalls_per_second = 0", 'limits: "calls_per_second" must be an integer from 1 to'),
        ("[issuer.limits]\nwrite_streams = 1000001", 'limits: "write_streams" must be an integer from 1 to'),
        (
            "[issuer.limits]\ncalls_pro_second = 1",
            "limits: unknown key 'calls_pro_second'; did you mean \"calls_per_second\"?",
        ),
    ],
)
def test_a_wrong_table_names_its_place(text: str, error: str, tmp_path: Path) -> None:
    assert refused(tmp_path, READER + text).startswith(error)


@pytest.mark.parametrize("table", ["data_scope]\ntenant_id = 2", 'data_scope_claims]\ntenant_id = "t"'])
@pytest.mark.parametrize(
    ("scopes", "error"),
    [
        ('default_scopes = "admin"', "the scopes admin and root reach all records; leave out these scopes"),
        (
            'default_scopes = "read_reports"\nscopes = { "noc" = ["read_reports", "root"] }',
            "the scopes admin and root reach all records; leave out these scopes",
        ),
        ('default_scopes = "write_records"', '"source": is required beside the scope write_records'),
        (
            'default_scopes = "read_reports"\nscopes = { "switch" = "write_records" }',
            '"source": is required beside the scope write_records',
        ),
    ],
)
def test_no_token_may_have_a_scope_that_its_data_scope_does_not_hold(
    scopes: str, error: str, table: str, tmp_path: Path
) -> None:
    assert refused(tmp_path, f"{HEAD}{scopes}\n[issuer.{table}\n").startswith(f"data_scope: {error}")


def test_writers_whose_sources_a_claim_has(tmp_path: Path) -> None:
    text = '[issuer.data_scope_claims]\nsource = "switch"\ntenant_id = "tenant"\n'
    accepted = tokens(tmp_path, HEAD + 'default_scopes = "write_records"\n' + text)
    assert scope_of(accepted, switch="sbc1", tenant=2) == DataScope(tenant_id=(2,), source=("sbc1",))
    assert caller(accepted, tenant=2) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tenants=JSON, accounts=JSON)
def test_whatever_the_claims_are_no_token_reaches_all_records(
    tenants: Any, accounts: Any, tmp_path: Path
) -> None:
    known = caller(tokens(tmp_path, READER + CLAIMS), tenants=tenants, accounts=accounts)
    if known is not None:
        scope = known.data_scope
        assert scope is not None
        assert scope.tenant_id
        assert scope.account_id
        assert all(scope.account_id)
