"""A clock that jumps drops no record and abandons no session early; a true jump is followed after an hour."""

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import seeds
from pegcount.config import Config
from pegcount.model import Between, RefusedClock, Retention
from pegcount.store.catalog import Catalog
from pegcount.store.guarded_clock import GuardedClock

from store_tests.store_fixtures import (
    DAY_S,
    MANUAL_MAINTENANCE,
    SETUP_S,
    StoreHarness,
    active,
    batch,
    finished,
    session_ids,
    write,
)

US = 1_000_000
HOUR_US = 3_600 * US
DAY_US = DAY_S * US
TODAY = SETUP_S // DAY_S
NOON_US = TODAY * DAY_US + DAY_US // 2
DAYS = 5
EVERY_DAY = [f"{age} days ago" for age in range(DAYS)]
FAR_S = SETUP_S + 3_650 * DAY_S


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[StoreHarness]:
    """Returns a store with a flushed record for each of the five days that it retains, and one that is dated
    ten years ahead: by the newest record alone, any clock would do.
    """
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        harness.now_us = NOON_US
        harness.reopen()
        harness.store.set_retention(Retention(days=DAYS))
        write(harness.store, finished("far", FAR_S))
        for age in range(DAYS):
            write(harness.store, finished(f"{age} days ago", SETUP_S - age * DAY_S))
        harness.flush()
        yield harness


def kept(harness: StoreHarness) -> list[str]:
    """Returns the ids of the records except the far one, newest first."""
    return sorted(set(session_ids(harness.store)) - {"far"})


def pass_time(harness: StoreHarness, seconds: int) -> None:
    """Lets time pass, with a round of maintenance each minute."""
    for _ in range(seconds // 60):
        harness.now_us += 60 * US
        harness.maintain()


def jump(harness: StoreHarness, error_us: int) -> None:
    harness.clock_error_us = error_us
    harness.maintain()


def check_present_is_accepted(harness: StoreHarness, name: str = "present") -> None:
    assert write(harness.store, finished(name, SETUP_S + 60)) == (1, 0, 0)
    harness.flush()
    harness.maintain()
    assert name in session_ids(harness.store)


JUMPS = [HOUR_US, 25 * HOUR_US, 60 * DAY_US, 3_650 * DAY_US, -HOUR_US, -60 * DAY_US]


@pytest.mark.parametrize("error_us", JUMPS)
def test_a_jump_of_the_clock_drops_nothing(error_us: int, harness: StoreHarness) -> None:
    for error in (error_us, 0, error_us, 0):
        jump(harness, error)
        assert kept(harness) == EVERY_DAY
    check_present_is_accepted(harness)
    harness.reopen()
    assert kept(harness) == [*EVERY_DAY, "present"]


@pytest.mark.parametrize("error_us", JUMPS)
def test_a_jump_around_a_kill_drops_nothing(error_us: int, harness: StoreHarness) -> None:
    jump(harness, error_us)
    harness.reopen_after_kill()
    harness.maintain()
    assert kept(harness) == EVERY_DAY
    harness.reopen()
    jump(harness, 0)
    assert kept(harness) == EVERY_DAY
    check_present_is_accepted(harness)


@pytest.mark.parametrize("error_us", JUMPS[1:4])
def test_a_limit_that_is_set_while_the_clock_is_wrong_drops_by_the_trusted_time(
    error_us: int, harness: StoreHarness
) -> None:
    jump(harness, error_us)
    harness.store.set_retention(Retention(days=DAYS - 1))
    assert kept(harness) == EVERY_DAY[:-1]


def test_a_clock_that_creeps_drops_one_more_day_at_most(harness: StoreHarness) -> None:
    for looks in range(1, 61):
        jump(harness, looks * 23 * HOUR_US)
        harness.now_us += 60 * US
    assert kept(harness) == EVERY_DAY[:-1]


def test_time_that_a_machine_was_suspended_for_is_time_that_passed(harness: StoreHarness) -> None:
    harness.now_us += 3 * DAY_US
    harness.maintain()
    assert kept(harness) == EVERY_DAY[:-3]
    assert harness.store.refused_clock() is None


def test_a_true_jump_is_followed_after_an_hour_of_agreement(harness: StoreHarness) -> None:
    """As on a machine whose monotonic clock stood still while it was suspended."""
    jump(harness, 3 * DAY_US)
    pass_time(harness, 3_540)
    assert kept(harness) == EVERY_DAY
    pass_time(harness, 120)
    assert kept(harness) == EVERY_DAY[:-3]


def test_a_clock_that_moves_again_must_agree_for_an_hour_again(harness: StoreHarness) -> None:
    for error_us in (60 * DAY_US, 61 * DAY_US, 60 * DAY_US):
        jump(harness, error_us)
        pass_time(harness, 3_000)
    assert kept(harness) == EVERY_DAY


def test_retention_goes_on_by_the_trusted_time_while_the_clock_is_behind(harness: StoreHarness) -> None:
    harness.clock_error_us = -60 * DAY_US
    harness.now_us += DAY_US
    harness.maintain()
    assert kept(harness) == EVERY_DAY[:-1]


def restart_after(harness: StoreHarness, down_us: int) -> None:
    """Lets the machine be off for some time."""
    harness.store.close()
    harness.now_us += down_us
    harness.boot += 1
    harness.store = harness.open()
    harness.maintain()


def test_a_restart_within_a_day_follows_the_clock_at_once(harness: StoreHarness) -> None:
    restart_after(harness, DAY_US)
    assert kept(harness) == EVERY_DAY[:-1]


def test_a_restart_after_three_days_follows_the_clock_after_an_hour(harness: StoreHarness) -> None:
    restart_after(harness, 3 * DAY_US)
    assert kept(harness) == EVERY_DAY
    refused = harness.store.refused_clock()
    assert refused == RefusedClock(since_us=NOON_US, deviation_us=3 * DAY_US, waiting_days=3)
    pass_time(harness, 3_600)
    assert kept(harness) == EVERY_DAY[:-3]
    assert harness.store.refused_clock() is None


def test_a_restart_of_the_process_knows_how_much_time_passed(harness: StoreHarness) -> None:
    harness.store.close()
    harness.now_us += 3 * DAY_US
    harness.store = harness.open()
    harness.maintain()
    assert harness.store.refused_clock() is None
    assert kept(harness) == EVERY_DAY[:-3]


@pytest.mark.parametrize("boots", [0, 1])
def test_a_clock_that_creeps_over_restarts_drops_one_more_day_at_most(
    boots: int, harness: StoreHarness
) -> None:
    """Each start is within a day of the clock of the start before. `boots`: of the machine, per start."""
    for starts in range(1, 11):
        harness.clock_error_us = starts * 23 * HOUR_US
        harness.boot += boots
        harness.reopen()
        pass_time(harness, 300)
    assert kept(harness) == EVERY_DAY[:-1]


@pytest.mark.parametrize("boots", [0, 1])
def test_a_wrong_clock_abandons_no_session_however_often_it_starts(boots: int, harness: StoreHarness) -> None:
    jump(harness, 23 * HOUR_US)
    for _ in range(3):
        harness.boot += boots
        harness.reopen_after_kill()
        pass_time(harness, 120)
        assert harness.store.session_now_us <= harness.now_us


def test_a_machine_that_is_off_for_some_minutes_each_night_follows_its_clock(harness: StoreHarness) -> None:
    for nights in range(1, DAYS):
        pass_time(harness, 3_660)
        harness.now_us += DAY_US - 3_960 * US
        restart_after(harness, 300 * US)
        assert harness.store.refused_clock() is None
        assert kept(harness) == EVERY_DAY[:-nights]


def test_a_boot_clock_of_another_machine_is_not_compared_with(harness: StoreHarness) -> None:
    """As after a move of a container that brings its boot number along: its boot clock is a month ahead."""
    with closing(Catalog(harness.directory, read_only=True)) as catalog:
        offset_us = catalog.settings()["trusted_offset_us"]
    reopen_with_settings(harness, trusted_offset_us=offset_us + 30 * DAY_US)
    assert harness.store.refused_clock() is None
    assert kept(harness) == EVERY_DAY


def test_an_accepted_clock_is_followed_at_once_and_after_a_kill(harness: StoreHarness) -> None:
    restart_after(harness, 3 * DAY_US)
    harness.store.accept_clock()
    assert kept(harness) == EVERY_DAY[:-3]
    harness.reopen_after_kill()
    assert harness.store.refused_clock() is None


def test_agreement_adds_up_over_restarts(harness: StoreHarness) -> None:
    restart_after(harness, 3 * DAY_US)
    for _ in range(2):
        pass_time(harness, 1_200)
        harness.reopen()
        pass_time(harness, 60)
        harness.reopen_after_kill()
    assert kept(harness) == EVERY_DAY
    pass_time(harness, 1_260)
    assert kept(harness) == EVERY_DAY[:-3]


def test_agreement_of_a_clock_that_was_wrong_does_not_add_up(harness: StoreHarness) -> None:
    for _ in range(3):
        jump(harness, 60 * DAY_US)
        pass_time(harness, 1_800)
        harness.reopen_after_kill()
        jump(harness, 0)
        harness.reopen_after_kill()
        assert kept(harness) == EVERY_DAY


def reopen_with_settings(harness: StoreHarness, **settings: int | None) -> None:
    """Changes what the catalogue has while the store is closed, as another version would have written it."""
    harness.store.close()
    with closing(Catalog(harness.directory)) as catalog:
        catalog.put_settings(**settings)
    harness.store = harness.open()


def test_an_older_directory_follows_a_clock_that_is_near_its_newest_record(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        harness.now_us = NOON_US
        for age in range(DAYS):
            write(harness.store, finished(f"{age} days ago", SETUP_S - age * DAY_S))
        harness.clock_error_us = 60 * DAY_US
        reopen_with_settings(harness, retention_days=DAYS)
        assert kept(harness) == EVERY_DAY
        harness.clock_error_us = 0
        reopen_with_settings(harness, retention_days=DAYS - 1, trusted_time=None)
        assert kept(harness) == EVERY_DAY[:-1]


def test_an_idle_store_retains_its_last_days(tmp_path: Path) -> None:
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        for age in range(DAYS):
            write(harness.store, finished(f"{age} days ago", harness.now_us // US - age * DAY_S))
        harness.store.set_retention(Retention(days=3))
        for _ in range(2):
            harness.now_us += 60 * DAY_US
            harness.maintain()
            assert kept(harness) == EVERY_DAY[:2]
            harness.flush()


def test_a_future_first_day_of_an_earlier_version_is_forgotten(harness: StoreHarness) -> None:
    for name in ("present", "present again"):
        reopen_with_settings(harness, first_kept_day=TODAY + 56)
        check_present_is_accepted(harness, name)
        with closing(Catalog(harness.directory, read_only=True)) as catalog:
            assert catalog.setting("first_kept_day") is None


@pytest.mark.parametrize("is_accepted", [True, False])
def test_a_future_first_day_is_forgotten_as_soon_as_the_clock_is_believed(
    is_accepted: bool, tmp_path: Path
) -> None:
    """Days were dropped by a clock that was wrong from the first start on, up to a record of its time."""
    with StoreHarness(tmp_path / "store", MANUAL_MAINTENANCE) as harness:
        harness.now_us = NOON_US + 60 * DAY_US
        harness.reopen()
        for session, days in (("old", 0), ("rogue", 61)):
            write(harness.store, finished(session, SETUP_S + days * DAY_S))
            harness.flush()
        harness.store.set_retention(Retention(days=10))
        assert session_ids(harness.store) == ["rogue"]
        jump(harness, -60 * DAY_US)
        assert len(harness.store.write(batch(finished("present"))).rejected) == 1
        if is_accepted:
            harness.store.accept_clock()
        else:
            pass_time(harness, 3_660)
        check_present_is_accepted(harness)


def test_days_that_were_dropped_stay_rejected_when_the_clock_goes_back(harness: StoreHarness) -> None:
    harness.now_us += 2 * DAY_US
    harness.maintain()
    jump(harness, -60 * DAY_US)
    for _ in range(2):
        for age, rejected in ((DAYS - 1, 1), (DAYS - 2, 1), (DAYS - 3, 0)):
            outcome = harness.store.write(batch(finished(f"{age} days ago", SETUP_S - age * DAY_S)))
            assert len(outcome.rejected) == rejected, age
        harness.reopen()


def test_a_limit_of_bytes_does_not_depend_on_the_clock(harness: StoreHarness) -> None:
    harness.clock_error_us = 3_650 * DAY_US
    harness.store.set_retention(Retention(bytes=1))
    assert session_ids(harness.store) == ["far"]


# ---- Active sessions ----


def received_within(harness: StoreHarness, first_us: int, last_us: int) -> list[str]:
    return sorted(session_ids(harness.store, [Between("received_time", first_us, last_us)]))


@pytest.mark.parametrize("error_us", JUMPS)
def test_a_jump_abandons_no_session_early(error_us: int, harness: StoreHarness) -> None:
    write(harness.store, active("a", SETUP_S - 4 * DAY_S))
    harness.store.set_retention(Retention(days=2))
    harness.now_us += 23 * HOUR_US
    jump(harness, error_us)
    assert "a" in session_ids(harness.store)
    assert harness.store.session_now_us <= harness.now_us
    jump(harness, 0)
    harness.now_us += 2 * HOUR_US
    harness.maintain()
    assert "a" not in session_ids(harness.store)


@pytest.mark.parametrize("error_us", JUMPS)
def test_a_session_of_a_wrong_clock_lives_for_a_day_more_at_most(
    error_us: int, harness: StoreHarness
) -> None:
    jump(harness, error_us)
    write(harness.store, active("a", SETUP_S + error_us // US))
    jump(harness, 0)
    assert "a" in received_within(harness, NOON_US, NOON_US + DAY_US)


def test_sessions_of_a_clock_that_was_behind_live_on_when_it_is_corrected(harness: StoreHarness) -> None:
    """As after a start without a network: their times of receipt are sixty days too early."""
    harness.clock_error_us = -60 * DAY_US
    harness.store.accept_clock()
    write(harness.store, active("a"))
    jump(harness, 0)
    pass_time(harness, 3_660)
    assert harness.store.refused_clock() is None
    write(harness.store, active("b"))
    ttl_us = Config().active_ttl_seconds * US
    for _ in range(11):
        harness.now_us += 2 * HOUR_US
        harness.maintain()
        assert harness.store.session_now_us - ttl_us < NOON_US - 60 * DAY_US
    harness.now_us += 4 * HOUR_US
    assert harness.store.session_now_us == harness.now_us


# ---- What is said of it ----


def test_a_refused_clock_is_logged_each_hour_and_when_it_is_believed_again(
    harness: StoreHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    jump(harness, 60 * DAY_US)
    for error_us in (61 * DAY_US, 62 * DAY_US, 63 * DAY_US):
        pass_time(harness, 2_400)
        jump(harness, error_us)
    lines = [record.getMessage() for record in caplog.records if "stalled" in record.getMessage()]
    assert len(lines) == 3
    assert "60.0 days ahead of the trusted time" in lines[0]
    assert "--accept-clock" in lines[0]
    for _ in range(2):
        jump(harness, 0)
    assert [record.getMessage() for record in caplog.records][-1].startswith("the clock is believed again")


@pytest.mark.parametrize(
    ("error_hours", "shown"),
    [
        (26, "26.0 hours ahead of"),
        (48, "2.0 days ahead of"),
        (9_600, "400.0 days ahead of"),
        (-48_000, "2,000.0 days behind"),
    ],
)
def test_the_log_says_in_days_how_wrong_a_clock_is_from_two_days_on(
    error_hours: int, shown: str, harness: StoreHarness, caplog: pytest.LogCaptureFixture
) -> None:
    jump(harness, error_hours * HOUR_US)
    assert [f"the clock is {shown} the trusted time" in line for line in caplog.messages] == [True]


def test_the_trusted_time_is_saved_about_hourly(
    harness: StoreHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves: list[dict[str, int | None]] = []
    put_settings = Catalog.put_settings

    def put_and_count(catalog: Catalog, **values: int | None) -> None:
        saves.append(values)
        put_settings(catalog, **values)

    monkeypatch.setattr(Catalog, "put_settings", put_and_count)
    pass_time(harness, 3 * 3_600)
    assert len(saves) == 3
    assert saves[-1]["trusted_time"] == harness.now_us


# ---- The clock alone ----


@pytest.mark.parametrize("number", range(20))
def test_no_sequence_of_short_jumps_and_kills_gets_more_than_a_day_ahead(number: int) -> None:
    chance = seeds.chance("short jumps and kills", number)
    true_us, error_us, boot_us = NOON_US, 0, 0

    def started(saved: dict[str, int]) -> GuardedClock:
        return GuardedClock(
            lambda: true_us + error_us,
            lambda: (true_us - boot_us) / US,
            Config(),
            saved,
            (NOON_US, NOON_US),
            boot_us,
        )

    clock = started({})
    for _ in range(500):
        # Two jumps in a row to one wrong time would be a long one, which the clock believes after an hour.
        wrong_us = [chance.randint(-100 * DAY_US, 100 * DAY_US), chance.randint(HOUR_US, 23 * HOUR_US)]
        error_us = chance.choice([0, *wrong_us])
        for _ in range(chance.randint(1, 20)):
            clock.look()
            assert true_us - DAY_US <= clock.deletion_us() <= true_us + DAY_US
            assert clock.session_us() <= true_us
            true_us += chance.randint(1, 120) * US
        if chance.random() < 0.1:
            # A correct clock at the start, as each start near the saved time follows the clock.
            saved = {name: value for name, value in clock.settings().items() if value is not None}
            error_us, boot_us = 0, chance.randint(0, true_us)
            clock = started(saved)


@pytest.mark.parametrize("begin_us", [4_389_711_436_480, 136_592_023_039_122])
def test_seconds_of_the_monotonic_clock_are_rounded_to_the_nearest_microsecond(begin_us: int) -> None:
    """Cut off, the seconds of these instants would be a microsecond early, and all later times one late."""
    now_us = begin_us
    guarded = GuardedClock(lambda: now_us, lambda: now_us / US, Config(), {}, None, 1)
    for now_us in range(begin_us + 1_000, begin_us + 1_100):
        assert guarded.receipt_us() == now_us
        assert guarded.session_us() == now_us
