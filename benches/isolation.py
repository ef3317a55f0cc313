"""What slow reports do to fast ones, and what a call costs that nobody waits for any more.

benches/isolation.py DATA [SECONDS]   DATA is a data directory of benches/report_peers.py, which loads one;
each part takes SECONDS (default: 10)

A fast report (Q1 of the peers) is asked over and over, alone and while another caller asks slow ones
(F1) without a pause. Then slow reports are cancelled and left to expire in the middle, and the
processor time that the server still takes is counted from 50 ms after that.
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
from server_process import ServerProcess, served

P99_TIMES_MAX = 5.0
STOP_SECONDS = 0.050
WATCHED_SECONDS = 0.400
CPU_SECONDS_MAX = 0.020
"""What a server that does nothing may take in that time: two ticks of the clock that counts it."""
INTERRUPTED = 12
# Days that begin at no whole hour of UTC: such a report reads all records.
SLOW_ZONE = "Asia/Kathmandu"
SLOW_REQUEST = reports_pb2.QueryFolderStatsRequest
SLOW_METHOD = "/pegcount.v1.ReportService/QueryFolderStats"


def main() -> None:
    """Runs both parts and asserts the limits."""
    directory = Path(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 10.0
    if not (directory / "catalog.db").is_file():
        sys.exit(f"{directory} is no data directory: load one first, make bench-peers")
    with served(directory) as server, grpc.insecure_channel(server.address, OPTIONS) as channel:
        reports = reports_pb2_grpc.ReportServiceStub(channel)
        alone, beside = _p99_alone_and_beside(reports, server.address, seconds)
        print(
            f"Q1: p99 {alone:.2f} ms alone, {beside:.2f} ms beside F1 without a pause: {beside / alone:.1f} x"
        )
        interrupted = _interrupted(reports, server)
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
    done, asked = Event(), [0]

    def ask_slowly() -> None:
        with grpc.insecure_channel(address, OPTIONS) as channel:
            # The bytes alone: to parse megabytes would keep the fast caller, also of this process, waiting.
            slow = channel.unary_unary(
                SLOW_METHOD, SLOW_REQUEST.SerializeToString, response_deserializer=bytes
            )
            while not done.is_set():
                slow(_slow())
                asked[0] += 1

    thread = Thread(target=ask_slowly)
    thread.start()
    try:
        beside = _p99_ms(reports, seconds)
    finally:
        done.set()
        thread.join()
    print(f"{asked[0]} slow reports meanwhile, {seconds / max(1, asked[0]):.3f} s each")
    return alone, beside


def _p99_ms(reports: reports_pb2_grpc.ReportServiceStub, seconds: float) -> float:
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        reports.QueryOriginationQuality(questions.REQUESTS["Q1"])
        times.append((time.perf_counter() - began) * 1_000)
    return statistics.quantiles(times, n=100)[98]


def _slow() -> reports_pb2.QueryFolderStatsRequest:
    return reports_pb2.QueryFolderStatsRequest(
        company=dimensions.COMPANY,
        organization=dimensions.ORGANIZATION,
        from_date=questions.FROM,
        to_date=(date.fromisoformat(questions.TO) - timedelta(days=1)).isoformat(),
        time_zone=SLOW_ZONE,
    )


def _interrupted(reports: reports_pb2_grpc.ReportServiceStub, server: ServerProcess) -> list[float]:
    """Processor seconds that the server took after each of the calls was given up."""
    began = time.perf_counter()
    reports.QueryFolderStats(_slow())
    middle_s = (time.perf_counter() - began) / 3
    print(f"a slow report takes {middle_s * 3_000:.0f} ms; it is given up after {middle_s * 1_000:.0f} ms")
    give_up: list[Callable[[], None]] = [
        lambda: _cancelled(reports, middle_s),
        lambda: _expired(reports, middle_s),
    ]
    return [_cpu_after(give_up[number % 2], server) for number in range(INTERRUPTED)]


def _cancelled(reports: reports_pb2_grpc.ReportServiceStub, after_s: float) -> None:
    call = reports.QueryFolderStats.future(_slow())
    time.sleep(after_s)
    assert not call.done(), "the report was not slow enough"
    call.cancel()


def _expired(reports: reports_pb2_grpc.ReportServiceStub, after_s: float) -> None:
    try:
        reports.QueryFolderStats(_slow(), timeout=after_s)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error  # noqa: PT017
    else:
        raise AssertionError("the report was not slow enough")


def _cpu_after(give_up: Callable[[], None], server: ServerProcess) -> float:
    give_up()
    time.sleep(STOP_SECONDS)
    before = server.cpu_seconds()
    time.sleep(WATCHED_SECONDS)
    return server.cpu_seconds() - before


if __name__ == "__main__":
    main()
