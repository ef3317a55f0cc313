"""Who may call what: every method, every scope, and every way to be refused."""

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from pegcount.auth import Scope
from pegcount.config import Config
from pegcount.server.access import RULES, rule_of
from pegcount.server.authentication import Authentication
from pegcount.server.calls import CallHandlers
from pegcount.v1 import admin_pb2, records_pb2, reports_pb2, traffic_pb2
from service import Service

from server_tests.example_requests import ASK_USAGE
from server_tests.keys import Guarded, Metadata, guarded, sent
from server_tests.refusal import refusal, status_of
from server_tests.streams import Stream, batch, half_sent

Code = grpc.StatusCode
FILES = (reports_pb2, traffic_pb2, records_pb2, admin_pb2, health_pb2, reflection_pb2)
NEEDED = {
    "ReportService": Scope.READ_REPORTS,
    "TrafficService": Scope.READ_REPORTS,
    "RecordService": Scope.WRITE_RECORDS,
    "AdminService": Scope.ADMIN,
    "Health": None,
    "ServerReflection": None,
}
"""The scope that the methods of each service need, those of credentials and of the audit log apart."""


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with guarded(tmp_path_factory.mktemp("store")) as running:
        yield running


def methods_of_the_contract() -> list[str]:
    found = [
        f"{service.full_name}/{method.name}"
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]
    return [*found, "grpc.reflection.v1.ServerReflection/ServerReflectionInfo"]


def needed_scope(method: str) -> Scope | None:
    service, _, name = method.rpartition(".")[2].partition("/")
    return Scope.ROOT if "Credential" in name or "Audit" in name else NEEDED[service]


def test_each_method_of_the_contract_has_its_rule() -> None:
    assert sorted(methods_of_the_contract()) == sorted(RULES)
    assert {method: RULES[method].scope for method in RULES} == {
        method: needed_scope(method) for method in RULES
    }
    assert {method for method, rule in RULES.items() if rule.is_open} == {
        f"grpc.health.v1.Health/{name}" for name in ("Check", "List", "Watch")
    }


@pytest.mark.parametrize("add", ["add_unary", "add_stream", "add_response_stream"])
def test_a_method_without_a_rule_cannot_be_served(add: str) -> None:
    part: Any = None
    handlers = CallHandlers(part, part, part, part, part, part, 1)
    with pytest.raises(ValueError, match=r"Forgotten has no rule of access; add one to server/access\.py"):
        getattr(handlers, add)("pegcount.v1.AdminService/Forgotten", part)
    with pytest.raises(ValueError, match="no rule"):
        rule_of("pegcount.v1.AdminService/putCodeDeck")


def outcome(service: Service, method: str, metadata: Metadata = ()) -> str:
    """Calls a method with an empty message; returns the reason of its refusal, or its status."""
    call = service.channel.stream_stream(f"/{method}")(iter([b""]), timeout=20, metadata=metadata)
    if method.endswith("/Watch"):
        # It goes on until it is cancelled.
        status = "OK" if next(call) is not None else ""
        call.cancel()
        return status
    try:
        return "OK" if list(call) is not None else ""
    except grpc.RpcError:
        return str(refusal(lambda: list(call)).info.reason)


@pytest.mark.parametrize("method", sorted(RULES))
def test_a_method_is_refused_without_a_credential_unless_it_is_open(method: str, held: Guarded) -> None:
    expected = {True} if RULES[method].is_open else {False}
    assert {outcome(held.service, method) != "CREDENTIAL_REFUSED"} == expected
    unknown = sent("pk_aaaaaaaa_" + "A" * 43)
    assert {outcome(held.service, method, unknown) != "CREDENTIAL_REFUSED"} == expected


@pytest.mark.parametrize("method", sorted(RULES))
def test_a_method_takes_its_scope_and_root_and_no_other(method: str, held: Guarded) -> None:
    needed = needed_scope(method)
    allowed = {scope for scope in Scope if needed in (None, scope) or scope is Scope.ROOT}
    outcomes = {scope: outcome(held.service, method, held.sent(scope)) for scope in Scope}
    assert "CREDENTIAL_REFUSED" not in outcomes.values()
    assert {scope for scope, reason in outcomes.items() if reason != "ACCESS_DENIED"} == allowed


def test_a_missing_scope_is_named(held: Guarded) -> None:
    refused = refusal(lambda: held.call("GetStoreInfo", admin_pb2.GetStoreInfoRequest(), Scope.READ_REPORTS))
    assert (refused.code, refused.info.reason) == (Code.PERMISSION_DENIED, "ACCESS_DENIED")
    assert refused.metadata == {"scope": "admin"}
    assert refused.message == "the method needs a credential with the scope admin"


@pytest.fixture(scope="module")
def refused_offers(held: Guarded) -> dict[str, Any]:
    """What a call may offer that is not accepted, by what is wrong with it."""
    ended = {}
    for name in ("revoked", "expired", "rotated"):
        made = held.create(name, Scope.READ_REPORTS, **({"lifetime_seconds": 5} if name == "expired" else {}))
        ended[name] = made
    held.call("RevokeCredential", admin_pb2.RevokeCredentialRequest(id=ended["revoked"].id))
    held.call(
        "RotateCredential", admin_pb2.RotateCredentialRequest(id=ended["rotated"].id, overlap_seconds=0)
    )
    held.service.now_us += 5_000_000
    good = held.issued[Scope.READ_REPORTS].key.text
    return {
        "nothing": (),
        "an empty key": sent(""),
        "no key": sent("sesame"),
        "a long text": sent("a" * 4_000),
        "an unknown key": sent("pk_aaaaaaaa_" + "A" * 43),
        "a key with another end": sent(good[:-1] + ("A" if good[-1] != "A" else "B")),
        "a key with a letter more": sent(good + "A"),
        "a key with a space": sent(good.replace("_", " ")),
        "its prefix": sent(held.issued[Scope.READ_REPORTS].key.prefix),
        "its digest": sent(held.issued[Scope.READ_REPORTS].key.digest.hex()),
        "a key twice": sent(good) + sent(good),
        "a key beside a wrong one": sent(good) + sent("sesame"),
        "a key and a token": (*sent(good), ("authorization", "Bearer a.b.c")),
        "a token": (("authorization", "Bearer a.b.c"),),
        "a key as a token": (("authorization", f"Bearer {good}"),),
        "a key without its scheme": (("authorization", good),),
        "two tokens": (("authorization", "Bearer a.b.c"), ("authorization", "Bearer d.e.f")),
        **{f"a {name} key": sent(made.secret) for name, made in ended.items()},
    }


def usage_status(service: Service, metadata: Metadata = ()) -> bytes:
    """Returns the whole status with which a report is refused."""
    status = status_of(lambda: service.reports.QueryAsrUsage(ASK_USAGE, metadata=metadata))
    return bytes(status.SerializeToString(deterministic=True))


def test_whatever_is_wrong_with_a_credential_the_refusal_is_the_same(
    held: Guarded, refused_offers: dict[str, Any]
) -> None:
    statuses = {name: usage_status(held.service, offer) for name, offer in refused_offers.items()}
    assert len(set(statuses.values())) == 1, statuses
    refused = refusal(lambda: held.service.reports.QueryAsrUsage(ASK_USAGE))
    assert (refused.code, refused.info.reason) == (Code.UNAUTHENTICATED, "CREDENTIAL_REFUSED")
    assert refused.metadata == {}
    assert "x-api-key" in refused.message
    assert "Bearer" in refused.message
    assert held.service.reports.QueryAsrUsage(ASK_USAGE, metadata=held.sent(Scope.READ_REPORTS)).bins


@pytest.mark.parametrize("data", [b"", b"\xff" * 1_000])
def test_a_refused_call_is_not_validated(data: bytes, held: Guarded) -> None:
    call = held.service.channel.unary_unary("/pegcount.v1.ReportService/QueryAsrUsage")
    assert refusal(lambda: call(data, timeout=20)).info.reason == "CREDENTIAL_REFUSED"


def test_a_refusal_does_not_wait_for_the_message(held: Guarded) -> None:
    call = half_sent(held.service, "pegcount.v1.ReportService/QueryAsrUsage", seconds=20)
    assert refusal(call.result).info.reason == "CREDENTIAL_REFUSED"


def test_a_refused_stream_is_not_read(held: Guarded) -> None:
    before = held.service.store.info().records
    with Stream(held.service.channel, metadata=sent("sesame")) as stream:
        stream.send(batch(None, "c1"))
        assert refusal(stream.answer).info.reason == "CREDENTIAL_REFUSED"
    assert held.service.store.info().records == before


def test_an_unknown_method_is_refused_like_any_other(held: Guarded) -> None:
    method = "pegcount.v1.ReportService/Nothing"
    assert outcome(held.service, method) == "CREDENTIAL_REFUSED"
    assert outcome(held.service, method, held.sent(Scope.READ_REPORTS)) == "METHOD_UNKNOWN"


def test_no_key_is_in_the_log(held: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    texts = {issued.key.text for issued in held.issued.values()}
    with caplog.at_level(0):
        for method in RULES:
            for scope in Scope:
                outcome(held.service, method, held.sent(scope))
        assert repr(held.issued)
    for text in texts:
        assert text not in caplog.text
        assert text not in repr(held.issued)
        assert text.rpartition("_")[2] not in str(held.service.store.credentials())


def test_a_server_without_credentials_needs_none_and_takes_none(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        assert service.reports.QueryAsrUsage(ASK_USAGE).bins
        for name in ("x-api-key", "authorization"):
            offer = ((name, "sesame"),)
            refused = refusal(partial(service.reports.QueryAsrUsage, ASK_USAGE, metadata=offer))
            assert (refused.code, refused.info.reason) == (Code.UNAUTHENTICATED, "CREDENTIAL_UNEXPECTED")
            assert "sesame" not in refused.message
        health = "grpc.health.v1.Health/Check"
        assert outcome(service, health, sent("sesame")) == "OK"


def test_a_server_whose_credentials_have_all_ended_stays_closed(tmp_path: Path) -> None:
    with guarded(tmp_path) as held:
        store = held.service.store
        store.put_credentials([replace(row, revoke_us=1) for row in store.credentials()])
    with Service(tmp_path) as service:
        for metadata in ((), held.sent(Scope.ROOT)):
            refused = refusal(partial(service.reports.QueryAsrUsage, ASK_USAGE, metadata=metadata))
            assert refused.info.reason == "CREDENTIAL_REFUSED"


def test_authentication_is_on_with_tokens_alone_and_off_if_switched_off() -> None:
    nobody: Any = {}
    known: Any = {"cr_a": None}
    clock = time.time_ns
    assert not Authentication(nobody, clock).is_on
    assert Authentication(known, clock).is_on
    assert Authentication(nobody, clock, nobody).is_on
    assert not Authentication(known, clock, nobody, is_switched_off=True).is_on


def test_each_credential_has_its_own_places_for_streams(tmp_path: Path) -> None:
    config = Config(write_stream_count_max=4, write_stream_count_per_peer_max=1)
    with guarded(tmp_path, config) as held:
        channel = held.service.channel

        def opened(scope: Scope) -> Stream:
            stream = Stream(channel, metadata=held.sent(scope))
            stream.send(batch(None))
            return stream

        streams = [opened(Scope.WRITE_RECORDS), opened(Scope.ROOT)]
        assert [stream.answer().accepted for stream in streams] == [0, 0]
        refused = refusal(opened(Scope.ROOT).answer)
        assert refused.info.reason == "CREDENTIAL_LIMIT_REACHED"
        assert dict(refused.info.metadata) == {"limit": "write_streams", "allowed": "1"}
        assert [stream.end() for stream in streams] == [[], []]
