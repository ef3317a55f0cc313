"""How a write stream counts whose client leaves before the status: as served, once it owes nothing."""

import asyncio
import queue
import threading
from pathlib import Path

import pytest
from pegcount.server.call import Call
from pegcount.server.observed_call import ObservedCall
from pegcount.server.records import RecordService
from pegcount_client.batch_sender import BatchSender
from pegcount_client.retry import Retries, RetryPolicy
from service import Service

from server_tests.streams import Stream, batch


class Ended:
    """Takes the calls that have ended."""

    def __init__(self) -> None:
        self.calls: queue.SimpleQueue[ObservedCall] = queue.SimpleQueue()

    def call_ended(self, call: ObservedCall) -> None:
        self.calls.put(call)


@pytest.mark.parametrize("is_half_closed", [True, False])
def test_a_client_that_leaves_with_all_its_answers_was_served(
    is_half_closed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status of the stream takes for ever here, so that the client always leaves before it arrives."""
    write_records, has_ended = RecordService.write_records, threading.Event()

    async def without_end(self: RecordService, call: Call) -> None:
        await write_records(self, call)
        has_ended.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(RecordService, "write_records", without_end)
    ended = Ended()
    with Service(tmp_path, observers=[ended]) as service, Stream(service.channel) as stream:
        stream.send(batch("b1", "s1"))
        assert stream.answer().batch_id == "b1"
        if is_half_closed:
            stream.half_close()
            assert has_ended.wait(20)
        stream.call.cancel()
        call = ended.calls.get(timeout=20)
    assert (call.error, call.is_cancelled) == (None, not is_half_closed)


def test_a_sender_that_is_closed_without_unanswered_batches_was_served(tmp_path: Path) -> None:
    ended = Ended()
    with Service(tmp_path, observers=[ended]) as service:
        for number in range(20):
            with BatchSender(service.channel, service.address, Retries(RetryPolicy(count_max=0))) as sender:
                sender.submit(batch(f"b{number}", f"s{number}")).wait()
            call = ended.calls.get(timeout=20)
            assert (call.error, call.is_cancelled) == (None, False)
