"""The callbacks of both writers: what they get, and what their errors do."""

import asyncio
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pegcount_client import AsyncClient, Client, PegcountError, Rejection, WriteSummary
from service import Service

from client_tests.test_record_writer import record, rejected, write_all
from client_tests.twins import CLIENTS, ClientOf


@pytest.fixture(params=CLIENTS)
def client_of(request: pytest.FixtureRequest) -> ClientOf:
    """Returns what makes a client of either kind."""
    kind: ClientOf = request.param
    return kind


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path) as running:
        yield running


@pytest.fixture
def client(service: Service, client_of: ClientOf) -> Iterator[Client]:
    with client_of(service.address) as opened:
        yield opened


# ---- Errors ----


class Picky:
    """Takes rejections, and fails for some."""

    def __init__(self, error: Exception, numbers: set[int]) -> None:
        self.taken: list[int] = []
        self._error = error
        self._numbers = numbers

    def take(self, rejection: Rejection) -> None:
        self.taken.append(rejection.number)
        if rejection.number in self._numbers:
            raise self._error


@pytest.mark.parametrize("error", [KeyError("of the callback"), PegcountError("of another call")])
def test_after_an_error_of_a_callback_the_others_are_handed_out(error: Exception, client: Client) -> None:
    picky = Picky(error, {0, 2})
    with client.write_records(batch_record_max=4, on_rejected=picky.take) as writer:
        for number in range(4):
            writer.write(rejected(number))
        for _ in range(2):
            with pytest.raises(type(error)) as raised:
                writer.flush()
            assert raised.value is error
        writer.write(record(5))
    assert picky.taken == [0, 1, 2, 3]
    assert (writer.summary.rejected, writer.summary.accepted) == (4, 1)


def test_an_error_of_a_callback_that_ends_the_block_notes_the_others(client: Client) -> None:
    picky = Picky(KeyError("of the callback"), {0})
    writer = client.write_records(on_rejected=picky.take)
    with pytest.raises(KeyError) as raised:
        write_all(writer, [rejected(number) for number in range(3)])
    assert picky.taken == [0]
    (note,) = raised.value.__notes__
    assert note.startswith("The server had rejected records before, 2 in all: records[1]: answer_time")
    assert "records[2]" in note


# ---- Coroutine functions ----


async def nothing(_: object) -> None:
    """Does nothing."""


class WithCoroutine:
    async def __call__(self, _: object) -> None:
        """Does nothing."""


@pytest.mark.parametrize("name", ["on_rejected", "progress"])
@pytest.mark.parametrize("callback", [nothing, functools.partial(nothing), WithCoroutine()])
def test_a_writer_of_threads_refuses_a_coroutine_function(callback: Any, name: str) -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(TypeError, match=f"{name} .* nobody would await"):
        client.write_records(**{name: callback})


def test_type_checkers_refuse_a_coroutine_function_for_threads() -> None:
    """The comments below are errors themselves if a type checker finds nothing to ignore."""
    with Client("127.0.0.1:1") as client:
        with pytest.raises(TypeError, match="on_rejected is a coroutine function"):
            client.write_records(on_rejected=nothing)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="progress is a coroutine function"):
            client.write_records(progress=nothing)  # type: ignore[arg-type]


def test_a_writer_of_threads_refuses_what_is_to_be_awaited(service: Service) -> None:
    def callback(rejection: Rejection) -> Any:
        return nothing(rejection)

    with (
        Client(service.address) as client,
        pytest.raises(TypeError, match="returned coroutine, which nobody awaits"),
        client.write_records(on_rejected=callback) as writer,
    ):
        writer.write(rejected(1))


def run_with_writer(address: str, use: Callable[[Any], Any], on_rejected: Callable[..., Any]) -> WriteSummary:
    """Uses a writer of asyncio whose batches have two records, and returns its figures."""

    async def run() -> WriteSummary:
        async with AsyncClient(address) as client:
            writer = client.write_records(
                batch_record_max=2,
                unanswered_batch_max=1,
                on_rejected=lambda rejection: on_rejected(writer, rejection),
            )
            async with asyncio.timeout(20), writer:
                await use(writer)
            return writer.summary

    return asyncio.run(run())


async def write_ten_rejected(writer: Any) -> None:
    for number in range(10):
        await writer.write(rejected(number))


def test_a_coroutine_function_is_awaited_and_may_write(service: Service) -> None:
    async def correct(writer: Any, rejection: Rejection) -> None:
        await asyncio.sleep(0)
        await writer.write(record(100 + rejection.number))

    summary = run_with_writer(service.address, write_ten_rejected, correct)
    assert (summary.written, summary.rejected, summary.accepted) == (20, 10, 10)


def test_tasks_that_a_coroutine_function_awaits_may_write(service: Service) -> None:
    async def correct(writer: Any, rejection: Rejection) -> None:
        numbers = (100 + rejection.number, 200 + rejection.number)
        await asyncio.gather(*(writer.write(record(number)) for number in numbers))

    summary = run_with_writer(service.address, write_ten_rejected, correct)
    assert (summary.written, summary.rejected, summary.accepted) == (30, 10, 20)


def test_a_task_that_outlives_its_callback_is_refused_after_the_end(service: Service) -> None:
    async def run() -> WriteSummary:
        tasks, ended = list[asyncio.Task[None]](), asyncio.Event()

        async def write_after_the_end() -> None:
            await ended.wait()
            await writer.write(record(2))

        async with AsyncClient(service.address) as client:
            writer = client.write_records(
                on_rejected=lambda _: tasks.append(asyncio.create_task(write_after_the_end()))
            )
            async with writer:
                await writer.write(rejected(1))
            ended.set()
            with pytest.raises(ValueError, match="the writer is ending or has ended"):
                await tasks[0]
        return writer.summary

    assert asyncio.run(run()).written == 1


def test_a_callback_that_flushes_is_refused(service: Service) -> None:
    async def flush(writer: Any, _: Rejection) -> None:
        await writer.flush()

    with pytest.raises(ValueError, match="a callback cannot flush"):
        run_with_writer(service.address, write_ten_rejected, flush)


def test_a_task_that_is_cancelled_within_a_callback_loses_no_rejection(service: Service) -> None:
    taken = list[int]()

    async def run() -> None:
        begun, go = asyncio.Event(), asyncio.Event()

        async def take(rejection: Rejection) -> None:
            begun.set()
            await go.wait()
            taken.append(rejection.number)

        async with (
            AsyncClient(service.address) as client,
            client.write_records(on_rejected=take) as writer,
        ):
            await writer.write(rejected(1))
            flushing = asyncio.create_task(writer.flush())
            await begun.wait()
            flushing.cancel()
            await asyncio.wait([flushing])
            assert flushing.cancelled()
            go.set()

    asyncio.run(run())
    assert taken == [0]


# ---- Arguments ----


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"on_rejected": "print"}, "on_rejected is a function or None, not 'print'"),
        ({"progress": 1}, "progress is a function or None, not 1"),
        ({"correct": "no"}, "correct is True or False, not 'no'"),
        ({"batch_record_max": 10.0}, "batch_record_max is a whole number, not 10.0"),
        ({"batch_record_max": True}, "batch_record_max is a whole number, not True"),
        ({"unanswered_batch_max": "8"}, "unanswered_batch_max is a whole number, not '8'"),
        ({"retry": False}, "retry is a RetryPolicy or None, not False; next step: RetryPolicy(count_max=0)"),
    ],
)
def test_an_argument_of_another_type_is_refused(
    arguments: dict[str, Any], sentence: str, client_of: ClientOf
) -> None:
    with client_of("127.0.0.1:1") as client, pytest.raises(TypeError, match=re.escape(sentence)):
        client.write_records(**arguments)
