"""The log of a process: where its lines go, and that they hold up nobody."""

import fcntl
import json
import logging
import os
import resource
import termios
import threading
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from pegcount import logs
from pegcount.logs import Log, LogFileError
from pegcount.settings import LogFormat, LogSettings, ServeSettings
from waiting import wait_until

OPEN_FILES = Path("/proc/self/fd")
LOG = logging.getLogger("pegcount.test")


def told(**log: Any) -> ServeSettings:
    return ServeSettings(Path("data"), log=LogSettings(**log))


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def messages_of(path: Path) -> list[str]:
    return [line.partition(" ")[2] for line in lines_of(path)]


def open_count(path: Path) -> int:
    """Returns how often this process has a file open."""
    return sum(each.exists() and each.samefile(path) for each in OPEN_FILES.iterdir())


def waiting_bytes(pipe: int) -> int:
    """Returns how many bytes are in a pipe."""
    found = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, found)
    return found[0]


@contextmanager
def pipe_at(path: Path) -> Iterator[int]:
    """Makes a named pipe, and opens its end for reading, from which nobody reads."""
    os.mkfifo(path)
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        yield number
    finally:
        os.close(number)


def test_lines_go_to_the_end_of_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for _ in range(2):
        with logs.opened(LogSettings(file=path)):
            LOG.info("a line")
            LOG.debug("not this one")
    assert messages_of(path) == ["INFO a line"] * 2
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_level_is_the_least_of_the_lines(tmp_path: Path) -> None:
    with logs.opened(LogSettings(file=tmp_path / "log", level="error")):
        LOG.warning("not this one")
        LOG.error("a line")
    assert messages_of(tmp_path / "log") == ["ERROR a line"]


def test_after_a_reload_lines_go_to_a_new_file(tmp_path: Path) -> None:
    path, old = tmp_path / "log", tmp_path / "log.1"
    with logs.opened(LogSettings(file=path)) as log:
        LOG.info("before")
        wait_until(lambda: path.read_text(encoding="utf-8"))
        path.rename(old)
        LOG.info("still there")
        wait_until(lambda: len(lines_of(old)) == 2)
        log.reload(told(file=path))
        LOG.info("after")
    assert messages_of(old) == ["INFO before", "INFO still there"]
    assert messages_of(path) == ["INFO after"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_reload_changes_what_the_lines_are_and_where_they_go(tmp_path: Path) -> None:
    text, other = tmp_path / "text", tmp_path / "json"
    with logs.opened(LogSettings(file=text)) as log:
        log.reload(told(file=other, format=LogFormat.JSON, level="debug"))
        LOG.debug("details")
    assert [json.loads(line)["message"] for line in lines_of(other)] == ["details"]
    assert lines_of(text) == []


def test_a_file_that_cannot_be_opened_again_stays_in_use(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    with logs.opened(LogSettings(file=folder / "log")) as log:
        moved = folder.rename(tmp_path / "moved")
        with pytest.raises(LogFileError, match="cannot write the log to"):
            log.reload(told(file=folder / "log", level="error"))
        LOG.info("a line")
    assert messages_of(moved / "log") == ["INFO a line"]


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(LogFileError, match="No such file or directory; name a file in a directory"),
        logs.opened(LogSettings(file=tmp_path / "missing" / "log")),
    ):
        pass


def test_a_pipe_that_nobody_reads_holds_up_nobody(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    with pipe_at(path) as reader:
        begin_s = monotonic()
        with logs.opened(LogSettings(file=path)) as log:
            for number in range(30_000):
                LOG.info("line %d", number)
            wait_until(lambda: log.dropped_count > 10_000)
            close_s = monotonic()
        assert monotonic() - close_s < 6
        assert monotonic() - begin_s < 60
        first, _, _ = os.read(reader, 100).partition(b"\n")
        assert first.endswith(b"INFO line 0")


def test_a_reload_leaves_a_pipe_that_nobody_reads(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with pipe_at(tmp_path / "pipe") as reader, logs.opened(LogSettings(file=tmp_path / "pipe")) as log:
        for number in range(3_000):
            LOG.info("line %d", number)
        # A piece that does not fit into the rest of a page begins another, so two have at least one page.
        wait_until(lambda: waiting_bytes(reader) > 30_000)
        for _ in range(20):
            log.reload(told(file=path))
        wait_until(lambda: path.read_text(encoding="utf-8").endswith("INFO line 2999\n"))
        wait_until(lambda: open_count(path) == 1)
        in_pipe = os.read(reader, 1_000_000).decode().splitlines()
        assert log.dropped_count == 0
    first, *rest = messages_of(path)
    # The line that the pipe has a part of comes again, whole.
    begin = int(first.rpartition(" ")[2])
    assert len(in_pipe) in (begin, begin + 1)
    assert [first, *rest] == [f"INFO line {number}" for number in range(begin, 3_000)]
    assert [line.partition(" ")[2] for line in in_pipe[:begin]] == [
        f"INFO line {number}" for number in range(begin)
    ]


def test_lines_that_were_dropped_are_told_once_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    with pipe_at(path) as reader:
        log = Log(LogSettings(file=path, format=LogFormat.JSON), queue_count_max=500)
        try:
            record = logging.LogRecord("pegcount.test", logging.INFO, "", 0, "x" * 1_000, None, None)
            for _ in range(3_000):
                log.handler.handle(record)
            wait_until(lambda: log.dropped_count)
            received = read_until(reader, b"dropped_line_count")
        finally:
            log.close()
        received += read_until(reader, None)
        entries = [json.loads(line) for line in received.splitlines()]
        told = [entry for entry in entries if "dropped_line_count" in entry]
        assert [entry["message"] for entry in told] == [
            f"dropped {entry['dropped_line_count']:,} log lines" for entry in told
        ]
        assert sum(entry["dropped_line_count"] for entry in told) == log.dropped_count
        assert len(entries) - len(told) + log.dropped_count == 3_000


def read_until(reader: int, text: bytes | None) -> bytes:
    """Reads whole lines from a pipe until one has a text; without one, until the end."""
    received = b""

    def has_found() -> bool:
        nonlocal received
        try:
            piece = os.read(reader, 65_536)
        except BlockingIOError:
            return False
        received += piece
        return not piece if text is None else text in received and received.endswith(b"\n")

    wait_until(has_found, "the line")
    return received


def test_a_reader_that_comes_back_gets_lines_again(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    record = logging.LogRecord("pegcount.test", logging.INFO, "", 0, "a line", None, None)
    with pipe_at(path):
        log = Log(LogSettings(file=path))
    log.handler.handle(record)
    wait_until(lambda: log.dropped_count == 1)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    log.handler.handle(record)
    log.close()
    received = os.read(reader, 65_536).decode().splitlines()
    os.close(reader)
    assert [line.partition("Z ")[2] for line in received] == ["WARNING dropped 1 log lines", "INFO a line"]


def test_a_full_disk_loses_lines_and_nothing_else(tmp_path: Path) -> None:
    """A limit of the size of files stands for the disk: a line is cut, and the next one begins on its own."""
    path = tmp_path / "log"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log = Log(LogSettings(file=path))
    record = logging.LogRecord("pegcount.test", logging.INFO, "", 0, "a line of the log", None, None)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        for _ in range(5):
            log.handler.handle(record)
        wait_until(lambda: log.dropped_count == 3)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        log.handler.handle(record)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        log.close()
    messages = [line.partition("Z ")[2] for line in lines_of(path)]
    assert messages[:2] == ["INFO a line of the log"] * 2
    assert messages[-2:] == ["WARNING dropped 3 log lines", "INFO a line of the log"]


def test_a_thread_that_ends_by_a_fault_is_told(tmp_path: Path) -> None:
    def fail() -> None:
        raise ValueError("a bug")

    with logs.opened(LogSettings(file=tmp_path / "log")):
        thread = threading.Thread(target=fail, name="worker")
        thread.start()
        thread.join()
    lines = lines_of(tmp_path / "log")
    assert lines[0].endswith("CRITICAL the thread worker has ended by a fault")
    assert lines[-1] == "    ValueError: a bug"


def test_a_line_that_cannot_be_formatted_says_so(tmp_path: Path) -> None:
    log = Log(LogSettings(file=tmp_path / "log"))
    log.handler.handle(logging.LogRecord("a", logging.INFO, "", 0, "%d records", ("three",), None))
    log.close()
    assert messages_of(tmp_path / "log") == ["INFO a line that cannot be formatted: '%d records'"]
