"""Work on a thread: whoever has it does not wait, and what was dropped is counted."""

from collections.abc import Sequence
from threading import Event

from pegcount.backlog import Backlog
from waiting import wait_until


def test_items_come_in_their_order() -> None:
    taken: list[int] = []
    backlog = Backlog[int]("test", taken.extend, 2_000)
    for number in range(1_500):
        backlog.add(number)
    assert backlog.close(10)
    assert taken == list(range(1_500))
    assert backlog.dropped_count == 0


def test_what_finds_the_queue_full_is_dropped_and_counted() -> None:
    begun, go_on = Event(), Event()
    taken: list[int] = []

    def take(items: Sequence[int]) -> None:
        begun.set()
        go_on.wait()
        taken.extend(items)

    backlog = Backlog[int]("test", take, 5)
    backlog.add(0)
    assert begun.wait(20)
    for number in range(1, 9):
        backlog.add(number)
    assert backlog.dropped_count == 3
    go_on.set()
    assert backlog.close(10)
    assert taken == [0, 1, 2, 3, 4, 5]


def test_a_thread_that_is_held_up_does_not_hold_up_the_end() -> None:
    begun, go_on = Event(), Event()

    def take(items: Sequence[int]) -> None:
        begun.set()
        go_on.wait()

    backlog = Backlog[int]("test", take, 5)
    backlog.add(0)
    assert begun.wait(20)
    assert not backlog.close(0.05)
    go_on.set()
    assert backlog.close(10)


def test_items_that_cannot_be_taken_are_counted_and_the_next_ones_taken() -> None:
    taken: list[int] = []

    def take(items: Sequence[int]) -> None:
        if -1 in items:
            raise ValueError("a bug")
        taken.extend(items)

    backlog = Backlog[int]("test", take, 5)
    backlog.add(-1)
    wait_until(lambda: backlog.dropped_count == 1)
    backlog.add(1)
    assert backlog.close(10)
    assert taken == [1]
