"""A service in a process of its own, which can be killed at any moment."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pegcount.v1 import admin_pb2_grpc, reports_pb2_grpc
from waiting import wait_until

TESTS = Path(__file__).parents[1]
START_SECONDS_MAX = 60.0
_SERVING = health_pb2.HealthCheckResponse.SERVING


class ServiceProcess:
    """One run of the service over a data directory; the constructor returns once it accepts calls."""

    def __init__(self, directory: Path, more_environment: Mapping[str, str] | None = None) -> None:
        self.log = directory.parent / f"{directory.name}.log"
        start_time = time.monotonic()
        self.process = _started(directory, self.log, more_environment or {})
        try:
            self.address = self._address(start_time + START_SECONDS_MAX)
            self.channel = grpc.insecure_channel(self.address, [("grpc.max_receive_message_length", -1)])
            self._wait_for_health(start_time + START_SECONDS_MAX)
        except BaseException:
            self.kill()
            raise
        self.ready_seconds = time.monotonic() - start_time
        self.reports = reports_pb2_grpc.ReportServiceStub(self.channel)
        self.admin = admin_pb2_grpc.AdminServiceStub(self.channel)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Sends SIGTERM and asserts exit code 0."""
        self._end(signal.SIGTERM)
        assert self.process.returncode == 0, self.log.read_text()

    def health(self, service: str = "") -> int:
        """Returns the health status that the server reports, of itself or of one of its services."""
        stub = health_pb2_grpc.HealthStub(self.channel)
        status: int = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5).status
        return status

    def _end(self, number: signal.Signals) -> None:
        if hasattr(self, "channel"):
            self.channel.close()
        self.process.send_signal(number)
        self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _address(self, deadline: float) -> str:
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(deadline - time.monotonic()), "no word from the service"
        line = self.process.stdout.readline().decode()
        assert line.startswith("listening on "), line + self.log.read_text()
        return line.removeprefix("listening on ").strip()

    def _wait_for_health(self, deadline: float) -> None:
        wait_until(self._is_healthy, "its health", deadline - time.monotonic(), look_seconds=0.01)

    def _is_healthy(self) -> bool:
        with suppress(grpc.RpcError):
            return bool(self.health() == _SERVING)
        return False


def kill_while_starting(directory: Path, seconds: float) -> None:
    """Starts a service and kills it after some seconds, usually before it accepts calls."""
    with _started(directory, directory.parent / f"{directory.name}.log", {}) as process:
        # The load itself: the kill falls anywhere within the start.
        time.sleep(seconds)
        process.kill()


def _started(directory: Path, log_path: Path, more: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    with log_path.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "faults.served", str(directory)],
            cwd=TESTS,
            env={**os.environ, **more},
            stdout=subprocess.PIPE,
            stderr=log,
        )


@contextmanager
def serving(directory: Path, more_environment: Mapping[str, str] | None = None) -> Iterator[ServiceProcess]:
    """Runs a service and kills it at the end of the `with` block if it still runs."""
    service = ServiceProcess(directory, more_environment)
    try:
        yield service
    finally:
        if service.process.poll() is None:
            service.kill()
