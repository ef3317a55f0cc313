"""Faults that happen to a real server: their alerts fire in a real Prometheus, and end after them.

Durations of the rules are shorter by `PEGCOUNT_OPERATIONS_TIMES`, 60 unless it is set, and MiB take the
place of GiB. The table at the end has seconds, with those shorter durations.
"""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from faults import image
from pegcount.v1 import admin_pb2, admin_pb2_grpc
from waiting import wait_until

from operations.clock import MovableClock
from operations.installation import Installation, installed
from operations.prometheus import OPS, Prometheus, scraping
from operations.scaling import faster, smaller_disk, younger_habit
from operations.traffic import Source, dear_report, guess, repeating, usual

TIMES = int(os.environ.get("PEGCOUNT_OPERATIONS_TIMES", "60"))
_WAIT_SECONDS_MAX = 7_200.0 / TIMES + 60.0
_HABIT_RECORDS = 600_000 // TIMES
"""Those of 100 minutes, as a source sends 100 a second at most: an hour ago, it had sent for half an hour."""
_HABIT_SECONDS_MAX = 14_400.0 / TIMES + 60.0
_DISK_MIB = 256
_ALMOST_FULL_MIB = 3
_LOG_DISK_MIB = 4
_CRASH_COUNT = 3
_SCRAPE_SECONDS_MAX = 20.0
_JUMP_DAYS, _RETAINED_DAYS = 60, 30
_SETTINGS = {"seal_row_count": "500", "seal_age_seconds": "2", "credential_calls_per_second": "0"}
_NARROW = {
    "tuning.inline_cost_us_max": "1",
    "tuning.small_cost_us_max": "2",
    "worker_count": "1",
    "waiting_call_count_max": "1",
}
_LATE_FLUSHES = {"maintenance_seconds": "15", "seal_row_count": "500"}


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that has fired and ended."""

    alert: str
    seconds_to_fire: float
    seconds_to_resolve: float


@dataclass(frozen=True, slots=True)
class Site:
    """A server, the Prometheus that watches it, and its two sources."""

    server: Installation
    prometheus: Prometheus
    busy: Source
    other: Source

    @contextmanager
    def fault(self, table: list[Fired], *alerts: str) -> Iterator[ExitStack]:
        """Waits for alerts to fire after the block, which stages a fault, and to end once that is undone."""
        # Before its first scrape, a Prometheus without any series says that the server is down.
        for alert in alerts:
            self._wait(time.monotonic(), alert, should_fire=False)
        with ExitStack() as undone_later:
            begin = time.monotonic()
            yield undone_later
            fired = {alert: self._wait(begin, alert, should_fire=True) for alert in alerts}
            for alert in alerts:
                texts = self.prometheus.annotations(alert)
                print(f"{alert}: {texts['summary']}. {texts['description']}")
        end = time.monotonic()
        for alert in alerts:
            table.append(Fired(alert, fired[alert], self._wait(end, alert, should_fire=False)))

    def _wait(self, since: float, alert: str, *, should_fire: bool) -> float:
        what = f"{alert} to {'fire' if should_fire else 'end'}, beside {self.prometheus.firing()},"
        wait_until(
            lambda: (alert in self.prometheus.firing()) == should_fire,
            what,
            _WAIT_SECONDS_MAX,
            look_seconds=0.2,
        )
        return time.monotonic() - since


@pytest.fixture(scope="module")
def table() -> Iterator[list[Fired]]:
    fired: list[Fired] = []
    yield fired
    print(f"\n{'alert':<32}{'s to fire':>10}{'s to resolve':>14}, durations shorter by {TIMES}")
    for one in fired:
        print(f"{one.alert:<32}{one.seconds_to_fire:>10.1f}{one.seconds_to_resolve:>14.1f}")


@contextmanager
def site(
    data: Path,
    scratch: Path,
    settings: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Site]:
    rules = (OPS / "alerts.yml").read_text(encoding="utf-8")
    rules = smaller_disk(faster(younger_habit(rules), TIMES))
    with (
        installed(data, scratch / "server", {**_SETTINGS, **(settings or {})}, environment) as server,
        scraping(server.metrics, rules, scratch / "prometheus") as prometheus,
    ):
        yield Site(server, prometheus, Source(server, "sbc1", 50), Source(server, "sbc2", 50))
        assert prometheus.rule_faults() == []


def test_full_disk(tmp_path: Path, table: list[Fired]) -> None:
    image.needs_mounts(tmp_path)
    with image.tmpfs(tmp_path / "disk", _DISK_MIB) as disk, site(disk / "data", tmp_path) as here:
        ballast = disk / "ballast"
        with usual(here.server, here.busy):
            with here.fault(table, "PegcountDiskAlmostFull") as undone_later:
                undone_later.callback(ballast.unlink)
                _leave_free(disk, ballast, _ALMOST_FULL_MIB << 20)
            with here.fault(table, "PegcountCannotWrite") as undone_later:
                undone_later.callback(ballast.unlink)
                _leave_free(disk, ballast, 0)


def test_clock_that_jumps(tmp_path: Path, table: list[Fired]) -> None:
    clock = MovableClock(tmp_path / "clock")
    with site(tmp_path / "data", tmp_path, environment=clock.environment) as here:
        _retain_days(here.server)
        with usual(here.server, here.busy), here.fault(table, "PegcountClockRefused") as undone_later:
            undone_later.callback(clock.jump, 0)
            clock.jump(_JUMP_DAYS)


def test_dead_feed_and_rejected_records(tmp_path: Path, table: list[Fired]) -> None:
    with site(tmp_path / "data", tmp_path) as here, usual(here.server, here.busy), ExitStack() as running:
        running.enter_context(usual(here.server, here.other))
        habit = f'sum(pegcount_records_written_total{{source="sbc2", outcome="accepted"}}) > {_HABIT_RECORDS}'
        wait_until(lambda: here.prometheus.query(habit), "a habit of the source", _HABIT_SECONDS_MAX, 0.5)
        with here.fault(table, "PegcountSourceSilent") as undone_later:
            running.close()
            undone_later.callback(running.enter_context, usual(here.server, here.other))
        with here.fault(table, "PegcountRecordsRejected") as undone_later:
            undone_later.enter_context(repeating(here.server, here.other.send_wrong, 0.05))


def test_overload_and_guessed_credentials(tmp_path: Path, table: list[Fired]) -> None:
    with site(tmp_path / "data", tmp_path, _NARROW) as here, usual(here.server, here.busy):
        with here.fault(table, "PegcountOverloaded") as undone_later:
            undone_later.enter_context(repeating(here.server, dear_report(here.server), 0.01, count=8))
        with here.fault(table, "PegcountCredentialGuessing") as undone_later:
            undone_later.enter_context(repeating(here.server, guess(here.server), 0.1, count=2))


def test_certificates_that_expire_or_are_damaged(tmp_path: Path, table: list[Fired]) -> None:
    with site(tmp_path / "data", tmp_path) as here, usual(here.server, here.busy):
        with here.fault(table, "PegcountCertificateExpiring") as undone_later:
            undone_later.callback(here.server.renew_certificate)
            here.server.renew_certificate(timedelta(days=13) / TIMES)
        with here.fault(table, "PegcountCertificateUnusable") as undone_later:
            undone_later.callback(here.server.renew_certificate)
            here.server.certificate.write_text("not a certificate", encoding="utf-8")


def test_late_flushes(tmp_path: Path, table: list[Fired]) -> None:
    with (
        site(tmp_path / "data", tmp_path, _LATE_FLUSHES) as here,
        here.fault(table, "PegcountFlushBehind") as later,
    ):
        burst = Source(here.server, "burst", 500)
        later.enter_context(repeating(here.server, burst.send, 0.1))


def test_server_that_ends(tmp_path: Path, table: list[Fired]) -> None:
    with (
        site(tmp_path / "data", tmp_path) as here,
        usual(here.server, here.busy),
        here.fault(table, "PegcountDown") as undone_later,
    ):
        undone_later.callback(here.server.start)
        here.server.end()


def test_server_that_crashes(tmp_path: Path, table: list[Fired]) -> None:
    with site(tmp_path / "data", tmp_path) as here, here.fault(table, "PegcountRestarting"):
        for number in range(1, _CRASH_COUNT + 1):
            here.server.end(signal.SIGKILL)
            here.server.start()
            seen = f"changes(process_start_time_seconds[5m]) >= {number}"
            wait_until(partial(here.prometheus.query, seen), "a scrape", _SCRAPE_SECONDS_MAX, 0.2)


def test_log_on_a_full_disk(tmp_path: Path, table: list[Fired]) -> None:
    image.needs_mounts(tmp_path)
    with image.tmpfs(tmp_path / "logs", _LOG_DISK_MIB) as disk:
        variables = {"PEGCOUNT_LOG_FILE": str(disk / "pegcount.log")}
        with (
            site(tmp_path / "data", tmp_path, environment=variables) as here,
            usual(here.server, here.busy),
            here.fault(table, "PegcountLogLinesDropped") as undone_later,
        ):
            undone_later.callback((disk / "ballast").unlink)
            _leave_free(disk, disk / "ballast", 0)


def _leave_free(disk: Path, ballast: Path, left_bytes: int) -> None:
    """Fills a file system up to a number of free bytes."""
    statistics = os.statvfs(disk)
    size = statistics.f_bavail * statistics.f_frsize - left_bytes
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


def _retain_days(server: Installation) -> None:
    request = admin_pb2.SetRetentionRequest(retention=admin_pb2.Retention(days=_RETAINED_DAYS))
    with server.channel() as channel:
        stub = admin_pb2_grpc.AdminServiceStub(channel)
        stub.SetRetention(request, timeout=30, metadata=server.metadata())
