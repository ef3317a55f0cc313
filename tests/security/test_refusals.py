"""What a caller without a good credential learns: nothing, whatever it tries."""

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pegcount.auth import Scope
from token_issuer import NOW_S, claims

from security.door import Answer, Door, Metadata
from security.refusals import Refusal, refusals
from security.token_attacks import RSA, SECRET, SECRET_ISSUER, good_tokens

ADMIN_CALL = "pegcount.v1.AdminService/GetStoreInfo"


@pytest.fixture
def early_door(tmp_path: Path) -> Iterator[Door]:
    found = Door(tmp_path)
    yield found
    found.close()


@pytest.fixture
def door(early_door: Door) -> Door:
    early_door.now_us = NOW_S * 1_000_000
    return early_door


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def test_all_refusals_are_the_same_to_the_byte(early_door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    tried = list(refusals(early_door))
    answers = [early_door.call(each.metadata) for each in tried]
    print_table(tried, answers)
    first = answers[0]
    assert (first.code, first.reason()) == ("UNAUTHENTICATED", "CREDENTIAL_REFUSED")
    assert [each.name for each, answer in zip(tried, answers, strict=True) if answer != first] == []
    assert len(tried) > 100
    # Where nothing is wrong with a token, it is accepted at this time.
    assert {early_door.call(bearer(good.token)).code for good in good_tokens()} == {"OK"}
    for secret in (early_door.root_key[12:], RSA.token(claims()).rpartition(".")[2]):
        assert secret not in caplog.text


def print_table(tried: list[Refusal], answers: list[Answer]) -> None:
    counts = Counter(answers)
    width = max(len(each.name) for each in tried)
    print(f"\n{'attack':{width}}  answer")
    for each, answer in zip(tried, answers, strict=True):
        same = "" if answer == answers[0] else "  NOT THE SAME"
        print(f"{each.name:{width}}  {answer.code} {answer.reason()}{same}")
    print(f"{len(answers)} attacks, {len(counts)} kinds of answers: {next(iter(counts)).text}")


def test_what_is_accepted(door: Door) -> None:
    """Else a server that refuses everything would pass."""
    assert door.call((("x-api-key", door.root_key),)).code == "OK"
    for good in good_tokens():
        assert door.call(bearer(good.token)).code == "OK", good.name
    token = next(good_tokens()).token
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert door.call((("authorization", f"{scheme} {token}"),)).code == "OK"


@pytest.mark.parametrize("scope", ["reports:read root", "root", "admin", "", "reports:read,admin"])
def test_a_token_allows_what_the_configuration_says(scope: str, door: Door) -> None:
    """Names of scopes in a token are those of its issuer, not of this server."""
    for token in (RSA.token(claims(scope=scope)), SECRET.token(claims(iss=SECRET_ISSUER, scope=scope))):
        answer = door.call(bearer(token), ADMIN_CALL, b"")
        assert (answer.code, answer.reason()) == ("PERMISSION_DENIED", "ACCESS_DENIED")


@pytest.mark.parametrize("method", ["grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "no/method"])
def test_a_token_without_a_scope_learns_no_methods(method: str, door: Door) -> None:
    for scope in ("", "admin", "root"):
        answer = door.call(bearer(RSA.token(claims(scope=scope))), method, b"")
        assert (answer.code, answer.reason()) == ("PERMISSION_DENIED", "ACCESS_DENIED")
        needed = "one of the scopes read_reports, write_records, admin, root"
        assert answer.text == f"the method needs a credential with {needed}"
    answer = door.call(bearer(RSA.token(claims(scope="reports:read"))), method, b"")
    assert answer.reason() != "ACCESS_DENIED"


@pytest.mark.parametrize(
    ("method", "request_bytes"),
    [
        ("pegcount.v1.ReportService/QueryFolderStats", b"\xff\xff not a message"),
        ("pegcount.v1.AdminService/PutCodeDeck", b"\x08\x01" * 1_000),
        ("pegcount.v1.AdminService/CreateCredential", b""),
        ("pegcount.v1.AdminService/ListCredentials", b""),
        ("pegcount.v1.RecordService/WriteRecords", b""),
        ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", b""),
    ],
)
def test_a_message_is_not_looked_at_before_its_caller_is_known(
    method: str, request_bytes: bytes, door: Door
) -> None:
    assert door.call((), method, request_bytes) == door.call(())


def test_a_denied_caller_learns_nothing_of_an_object(door: Door) -> None:
    key: Metadata = (("x-api-key", door.new_key("reader", Scope.READ_REPORTS).key.text),)
    method = "pegcount.v1.AdminService/RevokeCredential"
    existing = door.credentials.rows()[0].id.encode()
    found, missing = (
        door.call(key, method, b"\n" + bytes([len(id_text)]) + id_text) for id_text in (existing, b"cr_none")
    )
    assert found == missing
    assert found.code == "PERMISSION_DENIED"
    assert existing.decode() not in found.text
