"""The clients that are tools; all but the health probe learn the contract by reflection."""

import http.client
import json
import re
import select
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from clients.builds import (
    CACHE,
    PROGRAMS,
    PROGRAMS_BUILT,
    build,
    go_environment,
    installed_next_to_python,
    run,
    run_any,
)
from clients.client import Client
from clients.comparison import Request, requests

HEALTH_PROBE = "github.com/grpc-ecosystem/grpc-health-probe@v0.4.63"
SERVICES = (
    *("", "pegcount.v1.AdminService", "pegcount.v1.RecordService", "pegcount.v1.ReportService"),
    "pegcount.v1.TrafficService",
)
_REPORTS = "pegcount.v1.ReportService"
_BUF_OPTIONS = ("--http2-prior-knowledge", "--protocol", "grpc")
_GHZ_CALL_COUNT = 3
_START_SECONDS_MAX = 30.0
_CALL_SECONDS_MAX = 30.0


def grpcurl() -> Client:
    program = installed_next_to_python("grpcurl", "grpcurl")

    def answer(address: str, request: Request) -> str:
        method = f"{_REPORTS}/{request.method}"
        return run([program, "-plaintext", "-d", request.json_text, address, method])

    return Client(_one_by_one(answer))


def buf_curl() -> Client:
    program = installed_next_to_python("buf", "build")

    def answer(address: str, request: Request) -> str:
        url = f"http://{address}/{_REPORTS}/{request.method}"
        return run([program, "curl", *_BUF_OPTIONS, "-d", request.json_text, url])

    return Client(_one_by_one(answer))


def methods_that_buf_lists(address: str) -> list[str]:
    program = installed_next_to_python("buf", "build")
    return run([program, "curl", *_BUF_OPTIONS, "--list-methods", f"http://{address}"]).split()


def ghz() -> Client:
    """Its report has only counts and times; the answers are in the log of its debug mode."""
    program = installed_next_to_python("ghz", ".venv/bin/ghz")

    def answer(address: str, request: Request) -> str:
        with TemporaryDirectory() as directory:
            log = Path(directory) / "log"
            calls = ["-n", str(_GHZ_CALL_COUNT), "-c", "1", "-d", request.json_text]
            options = ["--insecure", "--call", f"{_REPORTS}/{request.method}", "-O", "json"]
            report = json.loads(run([program, *options, *calls, "--debug", log, address]))
            lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        assert (report["count"], report["statusCodeDistribution"]) == (3, {"OK": _GHZ_CALL_COUNT})
        first, *others = [line["response"] for line in lines if line["message"] == "Received response"]
        assert len(others) == _GHZ_CALL_COUNT - 1
        assert [json.loads(other) for other in others] == [json.loads(first)] * len(others)
        return str(first)

    return Client(_one_by_one(answer))


def grpcui() -> Client:
    """Serves a page that sends requests; this sends them as the page does."""
    build(["go", "install", "tool"], PROGRAMS / "grpcui", **go_environment())

    def answers(address: str, asked: Path) -> list[str]:
        with _served_page(address) as page:
            cookie = page.load()
            return [page.invoke(cookie, request) for request in requests(asked)]

    return Client(answers)


def health_of_services(address: str) -> dict[str, str]:
    """Returns what grpc-health-probe prints for each service."""
    build(["go", "install", HEALTH_PROBE], CACHE, **go_environment())
    probe = PROGRAMS_BUILT / "grpc-health-probe"
    return {
        service: run_any([probe, f"-addr={address}", f"-service={service}"]).stderr.strip()
        for service in SERVICES
    }


def _one_by_one(answer: Callable[[str, Request], str]) -> Callable[[str, Path], list[str]]:
    return lambda address, asked: [answer(address, request) for request in requests(asked)]


class _Page:
    """The page of a running grpcui."""

    def __init__(self, address: str) -> None:
        self._address = address

    def load(self) -> str:
        """Loads the page and returns the cookie with the token against forged requests."""
        _, headers, page = self._send("GET", "/", "", {})
        assert "QueryOriginationQuality" in page
        cookie: str = headers["Set-Cookie"].partition(";")[0]
        return cookie

    def invoke(self, cookie: str, request: Request) -> str:
        headers = {
            "Content-Type": "application/json",
            "Cookie": cookie,
            "X-Grpcui-Csrf-Token": cookie.partition("=")[2],
        }
        body = json.dumps({"metadata": [], "data": [json.loads(request.json_text)]})
        status, _, text = self._send("POST", f"/invoke/{_REPORTS}.{request.method}", body, headers)
        assert status == http.HTTPStatus.OK, text
        shown = json.loads(text)
        assert shown["error"] is None, shown["error"]
        (answer,) = shown["responses"]
        return json.dumps(answer["message"])

    def _send(self, method: str, path: str, body: str, headers: dict[str, str]) -> tuple[int, Any, str]:
        connection = http.client.HTTPConnection(self._address, timeout=_CALL_SECONDS_MAX)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.headers, response.read().decode()
        finally:
            connection.close()


@contextmanager
def _served_page(address: str) -> Iterator[_Page]:
    program = str(PROGRAMS_BUILT / "grpcui")
    command = [program, "-plaintext", "-open-browser=false", "-bind=127.0.0.1", address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        try:
            ready, _, _ = select.select([process.stdout], [], [], _START_SECONDS_MAX)
            line = process.stdout.readline() if ready else ""
            found = re.search(r"http://(127\.0\.0\.1:\d+)/", line)
            if found is None:
                pytest.fail(f"grpcui serves no page: {line}", pytrace=False)
            yield _Page(found[1])
        finally:
            process.kill()
