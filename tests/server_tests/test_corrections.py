"""One stream at a time corrects the records of a source; the others wait, and learn if they wait in vain."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import grpc
import pytest
from pegcount.errors import CorrectionInProgressError
from pegcount.server.corrected_sources import CorrectedSources
from pegcount.v1 import records_pb2
from pegcount.v1.records_pb2 import WriteRecordsResponse
from service import Service
from waiting import stays, wait_until

from server_tests.example_requests import call_record
from server_tests.refusal import refusal
from server_tests.streams import Stream

Code = grpc.StatusCode
Start = Callable[..., Service]
WAIT_SECONDS = 0.3


def correction(*sources: str, account_id: str = "a1", correct: bool = True) -> bytes:
    """A batch with a call of each source."""
    records = [call_record("c") for _ in sources]
    for record, source in zip(records, sources, strict=True):
        record.source, record.account_id = source, account_id
    return records_pb2.WriteRecordsRequest(records=records, correct=correct).SerializeToString()


def correcting(service: Service, *sources: str) -> Stream:
    """Opens a stream that holds sources."""
    stream = Stream(service.channel)
    stream.send(correction(*sources))
    stream.answer()
    return stream


def waiting(stream: Stream, batch: bytes) -> "Future[WriteRecordsResponse]":
    """Sends a batch, and returns its answer to come, after the server has had time to answer."""
    stream.send(batch)
    thread = ThreadPoolExecutor(1)
    answer = thread.submit(stream.answer)
    thread.shutdown(wait=False)
    stays(lambda: not answer.done(), WAIT_SECONDS)
    return answer


def test_a_stream_corrects_a_limited_number_of_sources(start: Start) -> None:
    service = start(corrected_source_count_max=2)
    with correcting(service, "a", "b") as stream:
        stream.send(correction("b", "c"))
        refused = refusal(stream.answer)
    assert (refused.code, refused.info.reason) == (Code.INVALID_ARGUMENT, "LIST_LIMIT_EXCEEDED")
    assert refused.metadata == {"field": "records", "asked": "3", "allowed": "2"}
    assert service.store.info().records == 2


def test_the_second_stream_is_told_that_it_waited_in_vain(start: Start) -> None:
    service = start(correction_wait_seconds=WAIT_SECONDS)
    with correcting(service, "a") as first, Stream(service.channel) as second:
        second.send(correction("b", "a", account_id="a2"))
        refused = refusal(second.answer)
        assert (refused.code, refused.info.reason) == (Code.FAILED_PRECONDITION, "CORRECTION_IN_PROGRESS")
        assert refused.metadata == {"source": "a", "limit_seconds": "0.3"}
        assert "another stream corrects the records of source 'a'" in refused.message
        assert service.store.info().records == 1, "nothing of the batch is taken"
        first.send(correction("a", account_id="a3"))
        assert first.answer().replaced == 1
        # What the second one held is free again.
        wait_until(lambda: service.open_stream_count() == 1)
        with correcting(service, "b") as third:
            assert third.end() == []


def end_by_half_close(_: Service, stream: Stream) -> None:
    stream.end()


def end_by_cancelling(_: Service, stream: Stream) -> None:
    stream.call.cancel()


def end_by_a_bad_batch(_: Service, stream: Stream) -> None:
    stream.send(b"\xff")
    assert refusal(stream.answer).info.reason == "MALFORMED_MESSAGE"


@pytest.mark.parametrize("end", [end_by_half_close, end_by_cancelling, end_by_a_bad_batch])
def test_a_waiting_stream_goes_on_when_the_other_ends(
    end: Callable[[Service, Stream], None], start: Start
) -> None:
    service = start(correction_wait_seconds=20.0)
    first, second = correcting(service, "a"), Stream(service.channel)
    answer = waiting(second, correction("a", account_id="a2"))
    end(service, first)
    assert answer.result(20).replaced == 1
    second.send(correction("a", account_id="a3"))
    assert second.answer().replaced == 1
    assert second.end() == []


def test_an_idle_stream_loses_its_source(start: Start) -> None:
    service = start(correction_wait_seconds=20.0, write_stream_idle_seconds=0.6)
    first, second = correcting(service, "a"), Stream(service.channel)
    second.send(correction("a", account_id="a2"))
    assert second.answer().replaced == 1
    assert refusal(first.answer).info.reason == "STREAM_IDLE"


def test_other_batches_and_other_sources_are_not_held_up(start: Start) -> None:
    service = start(correction_wait_seconds=20.0)
    with correcting(service, "a"), Stream(service.channel) as other:
        other.send(correction("a", correct=False), correction("b"))
        assert other.answer().duplicates == 1
        assert other.answer().accepted == 1


def test_a_stopping_server_ends_a_waiting_stream(start: Start) -> None:
    service = start(correction_wait_seconds=20.0)
    first, second = correcting(service, "a"), Stream(service.channel)
    answer = waiting(second, correction("a", account_id="a2"))
    service.stop()
    for ended in (lambda: answer.result(20), first.answer):
        refused = refusal(ended)
        assert (refused.code, refused.info.reason) == (Code.UNAVAILABLE, "SERVER_STOPPING")


def test_a_stream_past_its_deadline_waits_no_more(start: Start) -> None:
    service = start(correction_wait_seconds=20.0)
    first = correcting(service, "a")
    with Stream(service.channel, timeout_s=2 * WAIT_SECONDS) as second:
        second.send(correction("a", account_id="a2"))
        assert refusal(second.answer).code is Code.DEADLINE_EXCEEDED
    wait_until(lambda: service.open_stream_count() == 1)
    assert first.end() == []
    with correcting(service, "a") as third:
        assert third.end() == []


def hold(sources: CorrectedSources, stream: str, *names: str) -> "asyncio.Task[None]":
    return asyncio.ensure_future(sources.hold(stream, frozenset(names)))


def test_of_two_streams_that_wait_for_each_other_one_goes_on() -> None:
    async def cross() -> None:
        sources = CorrectedSources(20.0)
        await sources.hold("first", frozenset("a"))
        await sources.hold("second", frozenset("b"))
        first = hold(sources, "first", "b")
        await asyncio.sleep(0)
        with pytest.raises(CorrectionInProgressError, match="source 'a'"):
            await sources.hold("second", frozenset("ac"))
        assert not first.done()
        sources.release("second")
        await first

    asyncio.run(cross())


def test_sources_are_taken_in_one_order() -> None:
    """Two streams that begin together and want the same sources do not block each other."""

    async def begin() -> None:
        sources = CorrectedSources(20.0)
        await sources.hold("third", frozenset("b"))
        first, second = hold(sources, "first", "a", "b"), hold(sources, "second", "b", "a")
        await asyncio.sleep(0)
        sources.release("third")
        await first
        assert not second.done()
        sources.release("first")
        await second

    asyncio.run(begin())


def test_a_stream_that_is_cancelled_while_it_waits_takes_nothing() -> None:
    async def cancel() -> None:
        sources = CorrectedSources(20.0)
        await sources.hold("first", frozenset("a"))
        second = hold(sources, "second", "a")
        await asyncio.sleep(0)
        sources.release("first")
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        await sources.hold("third", frozenset("a"))

    asyncio.run(cancel())
