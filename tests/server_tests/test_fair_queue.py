"""The bounded queue that is fair to callers, and the gate and the turns that wait in it."""

import asyncio
from collections.abc import Callable, Coroutine

import pytest
from pegcount.errors import OverloadedError
from pegcount.server.admission import AdmissionGate
from pegcount.server.fair_queue import FairQueue
from pegcount.server.loop_turns import LoopTurns


def one_second() -> float:
    return 1.0


def filled(count_max: int, *calls: str) -> FairQueue[str]:
    """A queue of calls, each named by its connection and a number."""
    queue: FairQueue[str] = FairQueue(count_max)
    for call in calls:
        assert queue.add(call[0], call) is None
    return queue


def taken(queue: FairQueue[str]) -> list[str]:
    return [call for call in (queue.pop() for _ in range(len(queue))) if call is not None]


def test_connections_take_turns_and_each_is_first_in_first_out() -> None:
    assert taken(filled(9, "a1", "a2", "a3", "b1", "c1", "b2")) == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_an_empty_queue_has_no_call() -> None:
    queue = filled(1, "a1")
    assert (queue.pop(), queue.pop(), len(queue)) == ("a1", None, 0)


def test_a_full_queue_refuses_the_newest_call_of_the_busiest_connection() -> None:
    queue = filled(4, "a1", "a2", "a3", "b1")
    assert not queue.refuses("b")
    assert queue.add("c", "c1") == "a3"
    assert queue.refuses("a")
    assert queue.add("a", "a4") == "a4"
    assert taken(queue) == ["a1", "b1", "c1", "a2"]


def test_among_equals_the_new_call_is_refused() -> None:
    queue = filled(2, "a1", "b1")
    assert queue.refuses("c")
    assert queue.add("c", "c1") == "c1"
    assert queue.add("a", "a2") == "a2"
    assert taken(queue) == ["a1", "b1"]


def test_a_queue_without_places_refuses_every_call() -> None:
    assert filled(0).add("a", "a1") == "a1"


def test_a_caller_that_may_not_run_is_passed_over() -> None:
    queue = filled(9, "a1", "a2", "b1")
    assert queue.pop(lambda caller: caller != "a") == "b1"
    assert queue.pop(lambda caller: caller != "a") is None
    assert taken(queue) == ["a1", "a2"]


def test_a_removed_call_counts_no_more() -> None:
    queue = filled(3, "a1", "a2", "b1")
    assert queue.remove("a", "a1")
    assert not queue.remove("a", "a1")
    assert not queue.remove("c", "c1")
    assert queue.add("b", "b2") is None
    assert queue.refuses("b")
    assert taken(queue) == ["a2", "b1", "b2"]


def run(test: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_busy_connection_does_not_keep_others_out_of_a_gate() -> None:
    async def test() -> None:
        gate = AdmissionGate("calls", 1, 2, one_second)
        await gate.enter("busy")
        busy = [asyncio.ensure_future(gate.enter("busy")) for _ in range(3)]
        await settle()
        other = asyncio.ensure_future(gate.enter("other"))
        await settle()
        assert [call.done() for call in busy] == [False, True, True]
        for refused in busy[1:]:
            with pytest.raises(OverloadedError, match="1 calls are in progress and 2 wait"):
                refused.result()
        gate.leave("busy")
        await busy[0]
        gate.leave("busy")
        await other

    run(test)


def test_a_caller_leaves_a_slot_for_others() -> None:
    async def test() -> None:
        gate = AdmissionGate("calls", 2, 9, one_second, running_per_caller_max=1)
        await gate.enter("busy")
        busy = [asyncio.ensure_future(gate.enter("busy")) for _ in range(2)]
        await settle()
        await gate.enter("other")
        gate.leave("other")
        await settle()
        assert not busy[0].done()
        gate.leave("busy")
        await busy[0]
        await settle()
        assert not busy[1].done()
        gate.leave("busy")
        await busy[1]

    run(test)


def test_a_call_that_left_the_queue_passes_its_slot_on() -> None:
    async def test() -> None:
        gate = AdmissionGate("calls", 1, 2, one_second)
        await gate.enter("a")
        calls = [asyncio.ensure_future(gate.enter("a")) for _ in range(2)]
        await settle()
        # The slot is the first call's when it is cancelled, and nobody waits for a cancelled call.
        gate.leave("a")
        calls[0].cancel()
        await calls[1]
        gate.leave("a")
        await gate.enter("a")

    run(test)


def test_other_calls_get_the_loop_between_the_turns_of_waiting_work() -> None:
    async def test() -> None:
        turns = LoopTurns("calls", 1e-9, 10, one_second)
        events: list[str] = []

        async def other() -> None:
            for _ in range(9):
                events.append("other")
                await asyncio.sleep(0)

        work = [asyncio.ensure_future(turns.run("a", lambda: events.append("work"))) for _ in range(3)]
        await asyncio.gather(*work, other())
        first, second, third = (place for place, event in enumerate(events) if event == "work")
        assert second - first > 5
        assert third > second

    run(test)


def test_work_of_a_cancelled_call_is_never_done() -> None:
    async def test() -> None:
        turns = LoopTurns("calls", 1e-9, 10, one_second)
        done: list[str] = []
        first = asyncio.ensure_future(turns.run("a", lambda: done.append("first")))
        left = asyncio.ensure_future(turns.run("a", lambda: done.append("left")))
        last = asyncio.ensure_future(turns.run("b", lambda: done.append("last")))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.gather(first, last)
        assert done == ["first", "last"]

    run(test)


def test_waiting_work_is_bounded_and_fails_alone() -> None:
    async def test() -> None:
        turns = LoopTurns("calls", 1e-9, 1, one_second)

        def fail() -> None:
            raise ValueError("its own")

        first = asyncio.ensure_future(turns.run("a", lambda: 1))
        failing = asyncio.ensure_future(turns.run("a", fail))
        await asyncio.sleep(0)
        assert turns.refusal("a") is not None
        with pytest.raises(OverloadedError, match="1 calls wait; no more are allowed"):
            await turns.run("a", lambda: 2)
        assert await first == 1
        with pytest.raises(ValueError, match="its own"):
            await failing
        assert turns.refusal("a") is None

    run(test)
