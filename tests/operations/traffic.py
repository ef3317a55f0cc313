"""Sources that send records, and callers of reports, in threads that go on through failures."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import records_pb2_grpc, reports_pb2, reports_pb2_grpc
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest

from operations.installation import Installation

_CALL_SECONDS_MAX = 10.0
Work = Callable[[grpc.Channel], None]


@contextmanager
def repeating(installation: Installation, work: Work, pause_seconds: float, count: int = 1) -> Iterator[None]:
    """Repeats some work in `count` threads, each with a connection of its own, until the end of the block."""
    stop = threading.Event()

    def repeat() -> None:
        while not stop.is_set():
            with installation.channel() as channel:
                _until_a_failure(work, channel, stop, pause_seconds)
            stop.wait(pause_seconds)

    threads = [threading.Thread(target=repeat) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _until_a_failure(work: Work, channel: grpc.Channel, stop: threading.Event, pause_seconds: float) -> None:
    """A connection whose server has gone waits for longer before each try, so a new one comes after it."""
    while not stop.is_set():
        try:
            work(channel)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                return
        stop.wait(pause_seconds)


class Source:
    """A switch whose calls have just ended."""

    def __init__(self, installation: Installation, name: str, batch_records: int) -> None:
        self._installation, self._name, self._batch_records = installation, name, batch_records
        self._numbers = itertools.count(time.time_ns())
        self._lock = threading.Lock()

    def send(self, channel: grpc.Channel) -> None:
        """Sends a batch; one record of it is without a setup time, and is rejected."""
        now_s = int(time.time())
        with self._lock:
            numbers = list(itertools.islice(self._numbers, self._batch_records))
        records = [_record(self._name, number, now_s) for number in numbers]
        records.append(SessionRecord(source=self._name, session_id="without a setup time"))
        self._write(channel, WriteRecordsRequest(batch_id=str(numbers[0]), records=records))

    def send_wrong(self, channel: grpc.Channel) -> None:
        """Sends a batch that is rejected altogether."""
        records = [SessionRecord(source=self._name, session_id=str(number)) for number in range(10)]
        self._write(channel, WriteRecordsRequest(batch_id="wrong", records=records))

    def _write(self, channel: grpc.Channel, batch: WriteRecordsRequest) -> None:
        stub = records_pb2_grpc.RecordServiceStub(channel)
        metadata = self._installation.metadata()
        list(stub.WriteRecords(iter([batch]), timeout=_CALL_SECONDS_MAX, metadata=metadata))


def _record(source: str, number: int, now_s: int) -> SessionRecord:
    return SessionRecord(
        source=source,
        session_id=str(number),
        account_id="1001",
        setup_time=Timestamp(seconds=now_s - 60),
        answer_time=Timestamp(seconds=now_s - 50),
        end_time=Timestamp(seconds=now_s),
    )


def reports(installation: Installation) -> Work:
    """Returns the work of a caller that asks for three reports, one of them wrong."""

    def ask(channel: grpc.Channel) -> None:
        stub = reports_pb2_grpc.ReportServiceStub(channel)
        metadata = installation.metadata()
        quality = reports_pb2.QueryOriginationQualityRequest(
            account_id="1001",
            from_time="2026-03-09",
            to_time="2026-03-11",
            sampling=reports_pb2.GRANULARITY_HOUR,
        )
        stub.QueryOriginationQuality(quality, timeout=_CALL_SECONDS_MAX, metadata=metadata)
        active = reports_pb2.QueryActiveSessionsRequest(return_fields=["quantity"])
        stub.QueryActiveSessions(active, timeout=_CALL_SECONDS_MAX, metadata=metadata)
        wrong = reports_pb2.QueryOriginationQualityRequest(account_id="1001")
        stub.QueryOriginationQuality(wrong, timeout=_CALL_SECONDS_MAX, metadata=metadata)

    return ask


def dear_report(installation: Installation) -> Work:
    """Returns the work of a caller that always asks for a year by minutes of five."""

    def ask(channel: grpc.Channel) -> None:
        request = reports_pb2.QueryOriginationQualityRequest(
            account_id="1001",
            from_time="2025-01-01",
            to_time="2025-12-31",
            sampling=reports_pb2.GRANULARITY_FIVE_MINUTES,
        )
        stub = reports_pb2_grpc.ReportServiceStub(channel)
        stub.QueryOriginationQuality(
            request, timeout=_CALL_SECONDS_MAX, metadata=installation.metadata(), wait_for_ready=True
        )

    return ask


def guess(installation: Installation) -> Work:
    """Returns the work of somebody who tries keys."""
    numbers = itertools.count()

    def ask(channel: grpc.Channel) -> None:
        request = reports_pb2.QueryActiveSessionsRequest(return_fields=["quantity"])
        metadata = installation.metadata(f"pc_guess{next(numbers):04}_{'x' * 43}")
        reports_pb2_grpc.ReportServiceStub(channel).QueryActiveSessions(
            request, timeout=_CALL_SECONDS_MAX, metadata=metadata
        )

    return ask


@contextmanager
def usual(installation: Installation, *sources: Source) -> Iterator[None]:
    """Traffic as on every day: each source sends twice a second, and one caller asks for reports."""
    with ExitStack() as stack:
        for source in sources:
            stack.enter_context(repeating(installation, source.send, 0.5))
        stack.enter_context(repeating(installation, reports(installation), 0.2))
        yield
