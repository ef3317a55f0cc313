"""Effect of slow reports on fast ones, and the CPU cost of a call after its caller has left.

benches/isolation.py DATA [SECONDS]   DATA is a data directory that benches/report_peers.py has loaded;
each part takes SECONDS (default: 10)

Repeats a fast report (Q1 of the peers), first alone and then while another caller runs slow reports
(F1) without a pause. Then cancels slow reports or lets them expire midway, and measures the processor
time that the server uses from 50 ms later on.
"""

import statistics
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from threading import Event, Thread

import grpc
from peers import dimensions, questions
from pegcount.v1 import reports_pb2, reports_pb2_grpc
from server_process import ServerProcess, running_pegcount

P99_TIMES_MAX = 5.0
STOP_SECONDS = 0.050
WATCHED_SECONDS = 0.400
CPU_SECONDS_MAX = 0.020
"""Limit for an idle server: two ticks of the CPU clock."""
INTERRUPTED = 12
# Local midnight in this zone is not on a UTC hour, so the report has to scan all records.
SLOW_ZONE = "Asia/Kathmandu"
SLOW_REQUEST = reports_pb2.QueryFolderStatsRequest
SLOW_METHOD = "/pegcount.v1.ReportService/QueryFolderStats"


def main() -> None:
    """Runs both parts and asserts the limits."""
    directory = Path(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    if not (directory / "catalog.db").is_file():
        sys.exit(f"{directory} is not a data directory: load one first, make bench-peers")
    with running_pegcount(directory) as server, grpc.insecure_channel(server.address, OPTIONS) as channel:
        reports = reports_pb2_grpc.ReportServiceStub(channel)
        alone, beside = _p99_alone_and_beside(reports, server.address, seconds)
        print(
            f"Q1: p99 {alone:.2f} ms alone, {beside:.2f} ms beside F1 without a pause: {beside / alone:.1f} x"
        )
        interrupted = _cpu_after_interruptions(reports, server)
        print(
            f"{INTERRUPTED} slow reports cancelled or expired: in {WATCHED_SECONDS} s from"
            f" {STOP_SECONDS * 1_000:.0f} ms after that the server took {max(interrupted) * 1_000:.0f} ms"
            " of processor time at most"
        )
        assert beside <= alone * P99_TIMES_MAX
        assert max(interrupted) <= CPU_SECONDS_MAX


OPTIONS = [("grpc.max_receive_message_length", -1)]


def _p99_alone_and_beside(
    reports: reports_pb2_grpc.ReportServiceStub, address: str, seconds: float
) -> tuple[float, float]:
    _p99_ms(reports, 1.0)
    alone = _p99_ms(reports, seconds)
    stop, call_count = Event(), [0]

    def ask_slowly() -> None:
        with grpc.insecure_channel(address, OPTIONS) as channel:
            # Decoding megabytes in this process would delay the fast caller, so the bytes stay undecoded.
            slow = channel.unary_unary(
                SLOW_METHOD, SLOW_REQUEST.SerializeToString, response_deserializer=bytes
            )
            while not stop.is_set():
                slow(_slow_request())
                call_count[0] += 1

    thread = Thread(target=ask_slowly)
    thread.start()
    try:
        beside = _p99_ms(reports, seconds)
    finally:
        stop.set()
        thread.join()
    print(f"{call_count[0]} slow reports meanwhile, {seconds / max(1, call_count[0]):.3f} s each")
    return alone, beside


def _p99_ms(reports: reports_pb2_grpc.ReportServiceStub, seconds: float) -> float:
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start_time = time.perf_counter()
        reports.QueryOriginationQuality(questions.REQUESTS["Q1"])
        times.append((time.perf_counter() - start_time) * 1_000)
    return statistics.quantiles(times, n=100)[98]


def _slow_request() -> reports_pb2.QueryFolderStatsRequest:
    return reports_pb2.QueryFolderStatsRequest(
        company=dimensions.COMPANY,
        organization=dimensions.ORGANIZATION,
        from_date=questions.FROM,
        to_date=(date.fromisoformat(questions.TO) - timedelta(days=1)).isoformat(),
        time_zone=SLOW_ZONE,
    )


def _cpu_after_interruptions(
    reports: reports_pb2_grpc.ReportServiceStub, server: ServerProcess
) -> list[float]:
    """Returns the processor seconds that the server used after each abandoned call."""
    start_time = time.perf_counter()
    reports.QueryFolderStats(_slow_request())
    middle_s = (time.perf_counter() - start_time) / 3
    print(f"a slow report takes {middle_s * 3_000:.0f} ms; it is given up after {middle_s * 1_000:.0f} ms")
    interrupt: list[Callable[[], None]] = [
        lambda: _cancel(reports, middle_s),
        lambda: _let_expire(reports, middle_s),
    ]
    return [_cpu_after(interrupt[number % 2], server) for number in range(INTERRUPTED)]


def _cancel(reports: reports_pb2_grpc.ReportServiceStub, after_s: float) -> None:
    call = reports.QueryFolderStats.future(_slow_request())
    time.sleep(after_s)
    assert not call.done(), "the report was not slow enough"
    call.cancel()


def _let_expire(reports: reports_pb2_grpc.ReportServiceStub, after_s: float) -> None:
    try:
        reports.QueryFolderStats(_slow_request(), timeout=after_s)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error  # noqa: PT017
    else:
        raise AssertionError("the report was not slow enough")


def _cpu_after(interrupt: Callable[[], None], server: ServerProcess) -> float:
    interrupt()
    time.sleep(STOP_SECONDS)
    before = server.cpu_seconds()
    time.sleep(WATCHED_SECONDS)
    return server.cpu_seconds() - before


if __name__ == "__main__":
    main()
