"""What health says from the first moment of a server to its last, as grpc-health-probe sees it."""

import json
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic

import grpc
import pegcount_client
import pytest
from cli_tests.test_command_line import serving
from faults.image import needs_mounts, tmpfs
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from health_probe import Verdict, probe
from pegcount.config import Config
from pegcount.errors import PegcountError
from pegcount.settings import ServeSettings, TlsPaths
from pegcount.store import EmbeddedStore
from pegcount.v1 import (
    admin_pb2,
    admin_pb2_grpc,
    records_pb2,
    records_pb2_grpc,
    reports_pb2_grpc,
)
from pegcount.v1.traffic_pb2 import WatchTrafficRequest
from pegcount.v1.traffic_pb2_grpc import TrafficServiceStub
from served_process import HeldUpOpening, ServedProcess, served
from waiting import wait_until

from server_tests.example_requests import ASK_USAGE, call_record
from server_tests.refusal import refusal
from server_tests.tls_files import Tls

Code = grpc.StatusCode
LIVE = "pegcount.live"
RECORDS = "pegcount.v1.RecordService"
TRAFFIC = "pegcount.v1.TrafficService"
SERVICES = ("", "pegcount.v1.ReportService", TRAFFIC, RECORDS, "pegcount.v1.AdminService")
RETRY_POLICY = Path(pegcount_client.__file__).with_name("service_config.json").read_text(encoding="utf-8")


@pytest.fixture
def settings(tmp_path: Path) -> ServeSettings:
    """A server on a Unix socket, whose address is known before it starts."""
    return ServeSettings(tmp_path / "data", listen=f"unix:{tmp_path / 'socket'}", create=True)


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch) -> HeldUpOpening:
    return HeldUpOpening(monkeypatch)


def verdicts(address: str, *names: str) -> dict[str, Verdict]:
    return {name: probe(address, name).verdict for name in names}


def all_are(verdict: Verdict) -> dict[str, Verdict]:
    """Returns the verdicts of a server that lives."""
    return dict.fromkeys(SERVICES, verdict) | {LIVE: Verdict.SERVING}


# ---- While the store opens ----


def test_a_starting_server_lives_and_does_not_serve(settings: ServeSettings, opening: HeldUpOpening) -> None:
    with served(settings) as server, opening:
        wait_until(lambda: opening.count == 1)
        assert verdicts(settings.listen, *SERVICES, LIVE) == all_are(Verdict.NOT_SERVING)
        assert server.announced == []
        opening.go.set()
        address = server.wait_until_announced()
        assert verdicts(address, *SERVICES, LIVE) == all_are(Verdict.SERVING)


def call_reports(channel: grpc.Channel) -> object:
    return reports_pb2_grpc.ReportServiceStub(channel).QueryAsrUsage(ASK_USAGE, timeout=20)


def write_records(channel: grpc.Channel) -> list[records_pb2.WriteRecordsResponse]:
    batch = records_pb2.WriteRecordsRequest(records=[call_record("c1")])
    return list(records_pb2_grpc.RecordServiceStub(channel).WriteRecords(iter([batch]), timeout=20))


def call_admin(channel: grpc.Channel) -> object:
    return admin_pb2_grpc.AdminServiceStub(channel).GetStoreInfo(admin_pb2.GetStoreInfoRequest(), timeout=20)


def call_watch(channel: grpc.Channel) -> object:
    return list(TrafficServiceStub(channel).WatchTraffic(WatchTrafficRequest(), timeout=20))


def call_unknown_method(channel: grpc.Channel) -> object:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
        "/pegcount.v1.ReportService/QueryNothing"
    )
    return call(b"", timeout=20)


def call_reflection(channel: grpc.Channel) -> object:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    return list(stub.ServerReflectionInfo(iter([request]), timeout=20))


@pytest.mark.parametrize(
    "call", [call_reports, write_records, call_admin, call_watch, call_unknown_method, call_reflection]
)
def test_a_starting_server_tells_calls_to_come_again(
    call: Callable[[grpc.Channel], object], settings: ServeSettings, opening: HeldUpOpening
) -> None:
    with served(settings), opening, grpc.insecure_channel(settings.listen) as channel:
        wait_until(lambda: opening.count == 1)
        refused = refusal(lambda: call(channel))
        assert (refused.code, refused.info.reason) == (Code.UNAVAILABLE, "SERVER_STARTING")
        assert refused.detail_names == ["RetryInfo", "ErrorInfo"]


def test_the_same_connection_is_answered_once_the_store_is_open(
    settings: ServeSettings, opening: HeldUpOpening
) -> None:
    with served(settings) as server, opening, grpc.insecure_channel(settings.listen) as channel:
        wait_until(lambda: opening.count == 1)
        refusal(lambda: call_reports(channel))
        opening.go.set()
        server.wait_until_announced()
        call_reports(channel)
        assert write_records(channel)[0].accepted == 1
        assert call_admin(channel)
        assert call_reflection(channel)


def test_a_client_with_the_retry_policy_waits_as_the_server_asks(
    settings: ServeSettings, opening: HeldUpOpening
) -> None:
    """Five attempts by the policy alone take at most 3 s."""
    policy = json.loads(RETRY_POLICY)
    policy["methodConfig"][0]["retryPolicy"]["maxBackoff"] = "0.001s"
    options = [("grpc.service_config", json.dumps(policy))]
    with served(settings) as server, opening, grpc.insecure_channel(settings.listen, options) as channel:
        wait_until(lambda: opening.count == 1)
        begin_s = monotonic()
        report = reports_pb2_grpc.ReportServiceStub(channel).QueryAsrUsage.future(ASK_USAGE, timeout=20)
        wait_until(lambda: monotonic() - begin_s > 2.5)
        assert not report.done()
        opening.go.set()
        assert len(report.result().bins) == 24
        server.wait_until_announced()


def test_a_watch_goes_from_start_to_stop(settings: ServeSettings, opening: HeldUpOpening) -> None:
    status = health_pb2.HealthCheckResponse
    with served(settings) as server, opening, grpc.insecure_channel(settings.listen) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(), timeout=30, wait_for_ready=True
        )
        assert next(watch).status == status.NOT_SERVING
        opening.go.set()
        assert next(watch).status == status.SERVING
        server.tell_to_stop()
        assert next(watch).status == status.NOT_SERVING
        assert refusal(lambda: next(watch)).info.reason == "SERVER_STOPPING"


def data_of(settings: ServeSettings) -> Path:
    """Returns the data directory of settings."""
    return Path(settings.store)


def test_a_server_that_cannot_open_its_store_ends(settings: ServeSettings) -> None:
    data_of(settings).write_bytes(b"a file")
    with served(settings) as server:
        server.wait_for_end()
    assert server.error is not None
    assert str(settings.store) in str(server.error)
    assert server.announced == []
    assert not Path(settings.listen.removeprefix("unix:")).exists()


def test_an_address_in_use_ends_the_start_before_the_store_opens(
    settings: ServeSettings, opening: HeldUpOpening, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        with served(ServeSettings(tmp_path / "data", listen=taken, create=True)) as server:
            server.wait_for_end()
    assert str(server.error) == f"cannot listen on {taken}: in use, or no address of this machine"
    assert opening.count == 0
    assert not data_of(settings).exists()


# ---- While it serves ----


def fill(file: Path) -> None:
    """Writes into a file until its disk is full."""
    with suppress(OSError), file.open("wb", buffering=0) as opened:
        while True:
            opened.write(bytes(4096))


def test_a_full_disk_takes_the_health_of_writing_only(tmp_path: Path) -> None:
    needs_mounts(tmp_path)
    # A process of its own leaves no open file on the disk.
    with (
        tmpfs(tmp_path / "small", 8) as disk,
        serving(disk / "data") as (address, _),
        grpc.insecure_channel(address) as channel,
    ):
        filler = disk / "filler"
        fill(filler)
        assert refusal(lambda: write_records(channel)).info.reason == "STORE_READ_ONLY"
        writing = {RECORDS: Verdict.NOT_SERVING}
        wait_until(lambda: verdicts(address, RECORDS) == writing)
        assert verdicts(address, *SERVICES, LIVE) == all_are(Verdict.SERVING) | writing
        filler.unlink()
        wait_until(lambda: verdicts(address, RECORDS) == {RECORDS: Verdict.SERVING})


def test_a_probe_through_tls(tmp_path: Path) -> None:
    tls = Tls(tmp_path / "tls")
    authority = tmp_path / "authority.pem"
    authority.write_bytes(tls.authority.certificate)
    paths = TlsPaths(tls.files.certificate, tls.files.key)
    settings = ServeSettings(tmp_path / "data", listen="127.0.0.1:0", create=True, tls=paths)
    with served(settings) as server:
        address = server.wait_until_announced()
        trusting = ("-tls", f"-tls-ca-cert={authority}")
        for name in (*SERVICES, LIVE, "pegcount.tls"):
            assert probe(address, name, *trusting).verdict is Verdict.SERVING
        assert probe(address).verdict is Verdict.NO_CONNECTION


def test_a_probe_of_an_unknown_service(settings: ServeSettings) -> None:
    with served(settings) as server:
        probed = probe(server.wait_until_announced(), "pegcount.v1.Nothing")
    assert probed.verdict is Verdict.CALL_FAILED
    assert "there is no service 'pegcount.v1.Nothing'" in probed.text


# ---- While it stops ----


def stopping(settings: ServeSettings, seconds: float) -> ServeSettings:
    return ServeSettings(
        settings.store,
        listen=settings.listen,
        create=True,
        stop_delay_seconds=seconds,
        config=Config(stop_grace_seconds=0.5),
    )


def tell_to_stop(server: ServedProcess, address: str) -> None:
    """Waits until the health shows it, too."""
    server.tell_to_stop()
    wait_until(lambda: probe(address).verdict is Verdict.NOT_SERVING)


def test_a_server_told_to_stop_answers_for_the_delay(
    settings: ServeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with served(stopping(settings, 60)) as server:
        address = server.wait_until_announced()
        with grpc.insecure_channel(address) as channel:
            tell_to_stop(server, address)
            assert verdicts(address, *SERVICES, LIVE) == all_are(Verdict.NOT_SERVING)
            call_reports(channel)
            assert write_records(channel)[0].accepted == 1
        with grpc.insecure_channel(address) as new_channel:
            call_reports(new_channel)
        server.tell_to_stop()
        server.wait_for_end()
    assert probe(address).verdict is Verdict.NO_CONNECTION
    lines = [record.message for record in caplog.records if record.name == "pegcount.process.start_lines"]
    assert lines[-3:-1] == [
        "stopping: asked to",
        "health is NOT_SERVING; answers calls for 60 s more, until told again to stop",
    ]
    assert lines[-1].startswith("stopped after ")


def test_the_delay_ends_by_itself(settings: ServeSettings) -> None:
    with served(stopping(settings, 0.3)) as server:
        server.wait_until_announced()
        begin_s = monotonic()
        server.tell_to_stop()
        server.wait_for_end()
        assert monotonic() - begin_s >= 0.3


def test_without_a_delay_a_server_stops_at_once(settings: ServeSettings) -> None:
    with served(stopping(settings, 0)) as server:
        server.wait_until_announced()
        server.tell_to_stop()
        server.wait_for_end()
    assert server.error is None


def test_a_store_that_opens_after_the_stop_serves_nobody(
    settings: ServeSettings, opening: HeldUpOpening
) -> None:
    with served(settings) as server, opening:
        wait_until(lambda: opening.count == 1)
        server.tell_to_stop()
        opening.go.set()
        server.wait_for_end()
    assert server.error is None


def test_a_server_told_to_stop_does_not_wait_for_its_store(
    settings: ServeSettings, opening: HeldUpOpening
) -> None:
    with served(settings) as server, opening:
        wait_until(lambda: opening.count == 1)
        server.tell_to_stop()
        server.wait_for_end()
        assert server.was_starting
        # Its address is free again.
        with served(replace(settings, store=data_of(settings).with_name("other"))) as other:
            wait_until(lambda: opening.count == 2)
            opening.go.set()
            other.wait_until_announced()
    # The first store closes once it is open, so that its directory can be used.
    wait_until(lambda: can_be_opened(settings))


def can_be_opened(settings: ServeSettings) -> bool:
    try:
        EmbeddedStore(data_of(settings), settings.config).close()
    except PegcountError:
        return False
    return True
