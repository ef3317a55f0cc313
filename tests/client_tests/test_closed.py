"""Closed clients of both kinds: one error for whoever uses one, and for the calls that the closing ended."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from cli_tests.test_entry import silent_port
from pegcount.v1 import admin_pb2, reports_pb2
from pegcount_client import Client, PegcountError
from server_tests.streams import DelayedStore
from service import Service
from waiting import wait_until

from client_tests.recording_server import recording
from client_tests.test_record_writer import record
from client_tests.twins import CLIENTS, ClientOf

USAGE: dict[str, Any] = {"from_time": "2026-03-29", "granularity": "DAY"}
USES: dict[str, Callable[[Client], object]] = {
    "report": lambda client: client.asr_usage(**USAGE),
    "call": lambda client: client.call(client.admin.GetStoreInfo, admin_pb2.GetStoreInfoRequest()),
    "raw call": lambda client: client.reports.QueryAsrUsage(reports_pb2.QueryAsrUsageRequest()),
    "write_records": lambda client: client.write_records(),
    "batch_sender": lambda client: client.batch_sender(),
}


@pytest.fixture(params=CLIENTS)
def client_of(request: pytest.FixtureRequest) -> ClientOf:
    """Returns what makes a client of either kind."""
    kind: ClientOf = request.param
    return kind


@pytest.mark.parametrize("use", USES)
def test_a_closed_client_says_so(use: str, client_of: ClientOf) -> None:
    with recording() as recorder, client_of(recorder.address) as client:
        client.asr_usage(**USAGE)
        client.close()
        for _ in range(2):
            with pytest.raises(PegcountError, match="this client is closed") as raised:
                USES[use](client)
            assert raised.value.code is grpc.StatusCode.CANCELLED


SHARED_CLIENT = """
import sys, threading
from pegcount_client import Client

client = Client(sys.argv[1])

def ask():
    try:
        while True:
            client.asr_usage(from_time="2026-03-29", granularity="DAY")
    except Exception as error:
        sys.stdout.write(f"{error}\\n")

threads = [threading.Thread(target=ask) for _ in range(4)]
for thread in threads:
    thread.start()
client.asr_usage(from_time="2026-03-29", granularity="DAY")
client.close()
for thread in threads:
    thread.join()
client.asr_usage(from_time="2026-03-29", granularity="DAY")
"""


def test_a_client_that_is_closed_while_threads_call_ends_no_interpreter() -> None:
    with recording() as recorder:
        ended = subprocess.run(
            [sys.executable, "-c", SHARED_CLIENT, recorder.address],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert ended.returncode == 1, ended
    assert (
        ended.stderr.strip().splitlines()[-1].startswith("pegcount_client.errors.PegcountError: this client")
    )
    told = ended.stdout.splitlines()
    assert len(told) == 4
    assert all(line.startswith("this client is closed") for line in told), told


def test_a_report_that_the_closing_ends_says_so(client_of: ClientOf) -> None:
    with silent_port() as address, ThreadPoolExecutor(1) as threads, client_of(address) as client:
        asked = threads.submit(client.asr_usage, **USAGE)
        wait_until(asked.running, "the call")
        client.close()
        with pytest.raises(PegcountError, match="this client is closed") as raised:
            asked.result(20)
        assert raised.value.code is grpc.StatusCode.CANCELLED


def test_a_writer_whose_client_is_closed_fails(
    tmp_path: Path, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Service(tmp_path) as service,
        client_of(service.address) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        store = DelayedStore(service, monkeypatch)
        writer = client.write_records()

        def write() -> None:
            with writer:
                writer.write(record(1))

        writing = threads.submit(write)
        wait_until(lambda: store.submitted, "the batch")
        client.close()
        with pytest.raises(PegcountError) as raised:
            writing.result(20)
        assert raised.value.code is grpc.StatusCode.CANCELLED
        store.go.set()
