"""What a watch of traffic tells: a snapshot, then what changed, and which rules alert."""

from collections.abc import Callable
from typing import Any

from seeds import chance
from service import NOW_US, Service

from server_tests.watching import BY_VENDOR, NOW_S, Watching, call, question, rule, states

Start = Callable[..., Service]
SECOND_US = 1_000_000
STEP_COUNT = 8


def pass_time(service: Service, seconds: int) -> int:
    """Sets the clock of a service forward, and returns its time."""
    service.now_us += seconds * SECOND_US
    return service.now_us


def test_a_snapshot_comes_first_and_changed_cells_after_it(start: Start) -> None:
    service = start()
    service.write(*(call(f"a{i}", NOW_S - 30 * i - 10, answered=i % 2 == 0) for i in range(6)))
    watching = Watching(service, question(**BY_VENDOR))
    first = watching.next()
    assert (first.revision, first.HasField("snapshot"), first.as_of) == (1, True, "2026-03-30T12:00:00Z")
    assert list(first.snapshot.t) == [NOW_S - 180, NOW_S - 120, NOW_S - 60]
    watching.check()
    service.write(call("late", NOW_S - 100))
    update = watching.next_with(pass_time(service, 1))
    # Since noon, the window is a bin further.
    assert list(update.update.t) == [NOW_S - 120, NOW_S - 60, NOW_S]
    assert {(cell.t, cell.values[0].integer) for cell in update.update.cells if cell.HasField("t")} == {
        (NOW_S - 120, 3),
        (NOW_S, 0),
    }
    watching.check()
    service.write(call("other", NOW_S, vendor=2))
    update = watching.next_with(pass_time(service, 1))
    assert [group.keys[0].integer for group in update.update.groups] == [1, 2]
    assert len(update.update.cells) == 4, "three bins of the new group, and its total"
    watching.check()
    assert watching.revisions == sorted(set(watching.revisions))


def test_nothing_is_told_where_nothing_changes(start: Start) -> None:
    service = start(watch_silence_seconds=2.5)
    watching = Watching(service, question())
    watching.next()
    message = watching.next()
    assert not message.HasField("snapshot")
    assert not message.HasField("update")
    assert message.revision == 2
    assert service.state().watches.evaluations >= 3


def test_a_silent_watch_tells_how_much_is_covered(start: Start) -> None:
    service = start(watch_silence_seconds=2.5)
    pass_time(service, 5)
    watching = Watching(service, question("CALLS"))
    watching.next()
    update = watching.next_with(pass_time(service, 7)).update
    assert list(update.covered_us) == [60 * SECOND_US, 60 * SECOND_US, 12 * SECOND_US]
    assert len(update.cells) == 0
    watching.check()


def test_random_records_and_times_come_to_what_the_query_answers(start: Start) -> None:
    """Cells, groups, ranks, totals and notices, of late records, new groups and bins that leave."""
    draw = chance("watch")
    service = start(watch_silence_seconds=1.5)
    queries: list[dict[str, Any]] = [
        {},
        BY_VENDOR,
        {**BY_VENDOR, "top": {"limit": 2, "other": True}, "granularity": "GRANULARITY_FIVE_MINUTES"},
    ]
    metrics = ("CALLS", "ASR", "ACD", "CPS", "REVENUE", "CPS_PEAK", "PEAK", "PEAK_AT", "ERLANG")
    watching = [Watching(service, question(*metrics, last_bins=4, **more)) for more in queries]
    for each in watching:
        each.next()
        each.check()
    for step in range(STEP_COUNT):
        count = draw.choice([0, 1, 5, 40])
        service.write(
            *(
                call(
                    f"{step}.{number}",
                    service.now_us // SECOND_US - draw.randrange(1, 400),
                    draw.choice([None, 1, 2, 3, 4]),
                    draw.random() < 0.5,
                )
                for number in range(count)
            )
        )
        now_us = pass_time(service, draw.choice([1, 20, 59, 130]))
        for each in watching:
            each.next_with(now_us)
            each.check()


def test_rules_fire_and_end(start: Start) -> None:
    service = start()
    low_asr = rule(1, "BELOW", 40, clear_threshold=60, least_denominator=2, bins=2)
    request = question(last_bins=4, rules=[low_asr], **BY_VENDOR)
    # Vendor 1 fails in the two complete minutes before now, vendor 2 in the last one alone.
    for vendor, minutes in ((1, (1, 2)), (2, (1,))):
        for minute in minutes:
            begin_s = NOW_S - 60 * minute
            service.write(
                *(call(f"{vendor}.{minute}.{i}", begin_s + i, vendor, answered=False) for i in (1, 2))
            )
    watching = Watching(service, request)
    first = watching.next()
    assert states(first.alerts) == [(0, 1, "FIRING")]
    (alert,) = first.alerts
    assert (alert.t, alert.value.number, alert.denominator) == (NOW_S - 60, 0.0, 2)

    # One of two is answered: not below 40, yet below 60.
    service.write(call("1.0.a", NOW_S + 1), call("1.0.b", NOW_S + 2, answered=False))
    assert states(watching.next_with(pass_time(service, 61)).alerts) == [(0, 2, "NO_DATA")]
    assert states(watching.answer.firing) == [(0, 1, "FIRING")]

    # A late record ends it in a bin that was complete before.
    service.write(call("1.0.c", NOW_S + 3))
    assert states(watching.next_with(pass_time(service, 1)).alerts) == [(0, 1, "RESOLVED")]
    assert watching.answer.firing == ()

    again = Watching(service, request)
    assert states(again.next().alerts) == []


def test_an_alert_outlasts_the_bins_that_began_it(start: Start) -> None:
    service = start()
    service.write(*(call(f"a{i}", NOW_S - 60 + i, answered=False) for i in range(5)))
    falls = rule(0, "ABOVE", 4, clear_threshold=1)
    watching = Watching(service, question("CALLS", last_bins=2, rules=[falls]))
    assert states(watching.next().alerts) == [(0, None, "FIRING")]
    for minute in range(3):
        service.write(call(f"b{minute}", NOW_S + 60 * minute), call(f"c{minute}", NOW_S + 60 * minute))
        assert states(watching.next_with(pass_time(service, 60)).alerts) == []
    assert len(watching.answer.firing) == 1
    assert states(watching.next_with(pass_time(service, 60)).alerts) == [(0, None, "RESOLVED")]


def test_an_alert_of_a_group_that_leaves_has_no_data(start: Start) -> None:
    service = start()
    service.write(*(call(f"a{i}", NOW_S - 60 + i) for i in range(5)))
    watching = Watching(service, question("CALLS", last_bins=2, rules=[rule(0, "ABOVE", 4)], **BY_VENDOR))
    assert states(watching.next().alerts) == [(0, 1, "FIRING")]
    message = watching.next_with(pass_time(service, 600))
    assert states(message.alerts) == [(0, 1, "NO_DATA")]
    assert message.HasField("snapshot"), "an update cannot tell that no group is left"
    watching.check()


def test_a_clock_at_an_edge_has_its_present_bin(start: Start) -> None:
    service = start()
    assert NOW_US % (60 * SECOND_US) == 0
    watching = Watching(service, question(last_bins=1))
    assert list(watching.next().snapshot.complete) == [True]
    assert list(watching.next_with(pass_time(service, 1)).update.t) == [NOW_S]
