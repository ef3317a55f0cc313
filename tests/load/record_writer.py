"""A program that writes records while servers stop and start, and counts what was acknowledged."""

import threading

import grpc
from pegcount.client import Client, SentBatch
from pegcount.config import Config
from pegcount.v1 import reports_pb2, reports_pb2_grpc

from load.traffic import batch, day_report

_WRITER_ACCOUNT = "written under load"
_BATCH_RECORDS = 100
_BATCHES_IN_FLIGHT = 4
_BATCH_PAUSE_SECONDS = 0.01
_PATIENT = Config(retry_count_max=44)
"""As the Python client by default: a busy machine may take half a minute to start a server."""


class RecordWriter(threading.Thread):
    """Writes records with the client of this package until told to end; resends what is not acknowledged."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.acknowledged_count = 0
        self.error: BaseException | None = None
        self._address = address
        self._ended = threading.Event()

    def run(self) -> None:
        try:
            self._write()
        except Exception as error:
            self.error = error

    def end(self) -> None:
        """Waits until all batches are acknowledged, or the writer has failed."""
        self._ended.set()
        self.join(60)
        assert not self.is_alive()

    def __enter__(self) -> "RecordWriter":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _write(self) -> None:
        with Client(self._address) as client, client.batch_writer(_PATIENT) as writer:
            unanswered: list[SentBatch] = []
            first = 0
            while not self._ended.wait(_BATCH_PAUSE_SECONDS):
                unanswered.append(writer.submit(batch(_WRITER_ACCOUNT, first, _BATCH_RECORDS)))
                first += _BATCH_RECORDS
                if len(unanswered) == _BATCHES_IN_FLIGHT:
                    self._wait(unanswered.pop(0))
            for sent in unanswered:
                self._wait(sent)

    def _wait(self, sent: SentBatch) -> None:
        outcome = sent.wait()
        assert outcome.accepted + outcome.duplicates == _BATCH_RECORDS, outcome
        self.acknowledged_count += _BATCH_RECORDS


def stored_record_count(address: str) -> int:
    """Returns how many of the records a report counts."""
    question = day_report(_WRITER_ACCOUNT, reports_pb2.GRANULARITY_DAY)
    with grpc.insecure_channel(address) as channel:
        answer = reports_pb2_grpc.ReportServiceStub(channel).QueryOriginationQuality(question, timeout=30)
    return int(answer.totals.total_calls)
