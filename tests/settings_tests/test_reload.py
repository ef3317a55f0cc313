"""SIGHUP: all of a change, or nothing of it."""

import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pegcount.config import Config, LiveConfig
from pegcount.process import ReloadRequest
from pegcount.process.reloading import Reloader
from pegcount.settings import ServeSettings, SettingsError, Sources, load
from waiting import wait_until

from settings_tests.sources import written

# ---- In this process ----


class Listening:
    """A part of a server that takes settings, and may fail to."""

    def __init__(self) -> None:
        self.taken: list[ServeSettings] = []
        self.error: Exception | None = None
        self.error_after: int | None = None
        """Number of reloads after which each one fails."""

    def reload(self, settings: ServeSettings) -> None:
        if self.error is not None:
            raise self.error
        if len(self.taken) == self.error_after:
            raise RuntimeError("fault of first")
        self.taken.append(settings)


class Reloaded:
    """A reloader over a file."""

    def __init__(self, directory: Path, text: str) -> None:
        self.directory = directory
        self.file = written(directory, f'data = "data"\n{text}')
        settings = load(Sources(self.file)).settings()
        self.live = LiveConfig(settings.config)
        self.first, self.second = Listening(), Listening()
        self.request = ReloadRequest(lambda: load(Sources(self.file)))
        self.reloader = Reloader(settings, self.request, self.live, self.first, self.second)

    def reload(self, text: str) -> None:
        written(self.directory, f'data = "data"\n{text}')
        self.request.ask()
        self.reloader.look()


def test_without_a_request_nothing_is_read(tmp_path: Path) -> None:
    reloaded = Reloaded(tmp_path, "")
    written(tmp_path, "not toml")
    reloaded.reloader.look()
    assert reloaded.first.taken == []
    Reloader(reloaded.reloader.settings, None, reloaded.live).look()


def test_a_change_is_taken_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    reloaded = Reloaded(tmp_path, "")
    reloaded.reload('stop_delay_seconds = 3\n[log]\nlevel = "debug"\n[config]\nquery_seconds_max = 5\n')
    assert caplog.messages == [
        "reloaded stop_delay_seconds: 0.0 -> 3.0",
        'reloaded log.level: "info" -> "debug"',
        "reloaded config.query_seconds_max: 30.0 -> 5.0",
        "reloaded the settings: 3 took effect",
    ]
    assert reloaded.live.now == Config(query_seconds_max=5)
    assert reloaded.reloader.settings.stop_delay_seconds == 3
    assert reloaded.first.taken == reloaded.second.taken == [reloaded.reloader.settings]
    assert reloaded.first.taken[0].log.level == "debug"


def test_what_needs_a_restart_is_named_each_time_and_not_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    reloaded = Reloaded(tmp_path, "")
    text = 'listen = "127.0.0.1:1"\n[config]\nworker_count = 3\nquery_seconds_max = 5\n'
    reloaded.reload(text)
    named = [
        'listen: "127.0.0.1:50051" -> "127.0.0.1:1" needs a restart; the server goes on with the first',
        "config.worker_count: 2 -> 3 needs a restart; the server goes on with the first",
    ]
    assert [line for line in caplog.messages if "the first" in line] == named
    assert caplog.messages[-1] == "reloaded the settings: 1 took effect, 2 need a restart"
    assert reloaded.live.now == Config(query_seconds_max=5)
    caplog.clear()
    reloaded.reload(text)
    assert caplog.messages == [*named, "reloaded the settings: none took effect, 2 need a restart"]


def test_settings_that_are_the_same_are_handed_on_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A log file that was renamed is opened again."""
    caplog.set_level(logging.INFO)
    reloaded = Reloaded(tmp_path, "")
    reloaded.reload("")
    assert caplog.messages == ["reloaded the settings: none has changed"]
    assert len(reloaded.first.taken) == 1


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("[config]\nquery_seconds_max = 5\nworker_count = 0\nzzz = 1\n", 2),
        ("[config]\nquery_seconds_max = 5\nno toml\n", 1),
        # A contradiction with what only a restart would change.
        ("[config]\nquery_seconds_max = 5\ncredential_calls_per_second = 2_000_000\n", 1),
        (
            "[config]\ncredential_calls_per_second = 2_000_000\ncredential_limit_max = 3_000_000\n",
            1,
        ),
    ],
)
def test_if_anything_is_wrong_nothing_changes(
    text: str, problems: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reloaded = Reloaded(tmp_path, "")
    before = reloaded.reloader.settings
    reloaded.reload(text)
    assert [line.partition(": ")[0] for line in caplog.messages] == [
        *["not reloaded"] * problems,
        "nothing is reloaded; the server goes on with the settings that it has",
    ]
    assert reloaded.reloader.settings is before
    assert reloaded.live.now == Config()
    assert reloaded.first.taken == []


@pytest.mark.parametrize(
    "error", [OSError(13, "Permission denied", "log"), SettingsError([]), ValueError("embedded null byte")]
)
def test_if_a_part_cannot_take_it_nothing_changes(
    error: Exception, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reloaded = Reloaded(tmp_path, "")
    before = reloaded.reloader.settings
    reloaded.second.error = error
    reloaded.reload("[config]\nquery_seconds_max = 5\n")
    assert "nothing is reloaded" in caplog.text
    assert [each.config.query_seconds_max for each in reloaded.first.taken] == [5.0, 30.0]
    assert reloaded.reloader.settings is before
    assert reloaded.live.now == Config()


def test_whatever_fails_the_server_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    reloaded = Reloaded(tmp_path, "")
    reloaded.first.error_after, reloaded.second.error = 1, RuntimeError("fault of second")
    reloaded.reload("[config]\nquery_seconds_max = 5\n")
    assert caplog.messages == [
        "Listening cannot take back changed settings",
        "not reloaded: a fault of the server",
        "nothing is reloaded; the server goes on with the settings that it has",
    ]
    assert "fault of second" in caplog.text
    assert reloaded.live.now == Config()


def test_a_file_that_cannot_be_read_at_all_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reloaded = Reloaded(tmp_path, "")
    reloaded.reload(f'[config]\nquery_seconds_max = 0x{"F" * 4_000}\n[log]\nfile = "a\\u0000b"\n')
    assert [line.rpartition("; allowed: ")[0].rpartition(": ")[2] for line in caplog.messages] == [
        "a number of more than 40 digits cannot be used",
        "'a\\x00b' cannot be used",
        "",
    ]
    assert reloaded.first.taken == []


# ---- A process ----


@contextmanager
def serving(file: Path, log: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "pegcount", "serve", "--config", str(file), "--listen", "127.0.0.1:0"]
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("listening on "), log.read_text()
            yield process
        finally:
            process.terminate()
            assert process.wait(30) == 0


@pytest.mark.parametrize(("command", "is_alive"), [("serve", True), ("report", False)])
def test_sighup_before_its_handler_does_not_end_a_server(command: str, is_alive: bool) -> None:
    """As service managers may send it while the process still imports; other commands end with it."""
    code = (
        f"import os, signal, sys; sys.argv[1:] = ['{command}']; import pegcount.cli;"
        " os.kill(os.getpid(), signal.SIGHUP)"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)
    assert ended.returncode == (0 if is_alive else -signal.SIGHUP)


def test_a_server_reloads_on_sighup(tmp_path: Path) -> None:
    text = 'data = "data"\ncreate = true\nmetrics_listen = "none"\n'
    file, log = written(tmp_path, text), tmp_path / "log"

    def reload(added: str, last: str) -> str:
        """Returns the lines that a reload logs, of which the last one begins with a text."""
        seen = len(log.read_text())
        written(tmp_path, text + added)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: last in log.read_text()[seen:], seconds_max=60)
        return log.read_text()[seen:]

    with serving(file, log) as process:
        assert (tmp_path / "data").is_dir()
        done = "reloaded the settings: "
        assert "query_seconds_max: 30.0 -> 5.0" in reload(
            "[config]\nquery_seconds_max = 5\n", f"{done}1 took effect"
        )
        wrong = reload("listn = 1\n[config]\nquery_seconds_max = -1\n", "nothing is reloaded")
        assert f"{file}:4: 'listn': there is no such setting" in wrong
        assert f"{file}:6: config.query_seconds_max: -1 cannot be used" in wrong
        reload("[config]\nquery_seconds_max = 5\n", f"{done}none has changed")
        named = reload("[config]\nworker_count = 3\n", f"{done}1 took effect, 1 needs a restart")
        assert "query_seconds_max: 5.0 -> 30.0" in named
        assert "config.worker_count: 2 -> 3 needs a restart" in named
        assert process.poll() is None
