"""Signals that reach `pegcount serve`: many at once, while it starts, and while it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from logs_tests.test_serve_log import IN_FLIGHT, call, served
from waiting import wait_until

STORM = 50_000
SERVE_WITH_A_LONG_JOURNAL = """
import threading
from pegcount import cli
from pegcount.store import location

def open_for_ever(*arguments, **options):
    print("opens", flush=True)
    threading.Event().wait()

location.EmbeddedStore = open_for_ever
cli.main()
"""


def test_a_storm_of_reloads_does_no_harm(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with served(tmp_path / "data", subprocess.DEVNULL, f'--log-file "{log}"') as (address, process):
        for _ in range(STORM):
            os.kill(process.pid, signal.SIGHUP)
        call(address, IN_FLIGHT)
        wait_until(lambda: "reloaded the settings: none has changed" in log.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_reload_at_the_end_does_not_change_the_exit_status(tmp_path: Path) -> None:
    with served(tmp_path / "data", subprocess.DEVNULL) as (_, process):
        process.send_signal(signal.SIGTERM)

        def has_ended() -> bool:
            process.send_signal(signal.SIGHUP)
            return process.poll() is not None

        wait_until(has_ended)
        assert process.returncode == 0


def test_a_server_that_opens_its_store_ends_at_once(tmp_path: Path) -> None:
    options = ("serve", "--create", "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0")
    with subprocess.Popen(
        [sys.executable, "-c", SERVE_WITH_A_LONG_JOURNAL, *options, "--metrics-listen", "none"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "opens\n"
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    assert [line.partition("Z ")[2] for line in log.splitlines()] == [
        "INFO stopping: SIGTERM",
        "INFO stopped before the store was open",
    ]


def test_standard_output_that_takes_nothing_is_named(tmp_path: Path) -> None:
    with served(tmp_path / "data", subprocess.PIPE, ">/dev/full") as (_, process):
        _, log = process.communicate(timeout=60)
    assert process.returncode == 2
    assert (
        log.splitlines()[-1]
        == "pegcount: cannot write to standard output, which gets the addresses: No space left on device"
    )
