"""Streams that write records: stopped writers give way, and idle ones with pings may stay."""

import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from load.go_programs import built, first_line, running
from load.pinned_server import PinnedServer
from load.traffic import batch

_WRITER_COUNT = 16
"""`Config.write_stream_count_max`, half of it from each of two addresses."""
_ADDRESSES = ("127.0.0.1", "127.0.0.2")
_OTHER_ADDRESS = "127.0.0.3"
_KEPT_OUT_SECONDS_MAX = 60.0
_ANSWER_SECONDS_MAX = 10.0
_RETRY_SECONDS = 1.0
_IDLE_SECONDS = 120
_WITHOUT_CALL_SECONDS = 40

WriterCommand = Callable[[str], list[str]]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("go"))


@pytest.fixture
def batch_file(tmp_path: Path) -> Path:
    path = tmp_path / "batch"
    path.write_bytes(batch("written by Go", 0, 10))
    return path


def test_stopped_writers_do_not_keep_others_out(
    server: PinnedServer, programs: Path, batch_file: Path
) -> None:
    def command(local: str) -> list[str]:
        address = f"--address={server.address}"
        return [str(programs / "writer"), address, f"--local={local}", f"--batch={batch_file}"]

    with ExitStack() as stack:
        for number in range(_WRITER_COUNT):
            writer = stack.enter_context(running(command(_ADDRESSES[number % len(_ADDRESSES)])))
            assert first_line(writer, _ANSWER_SECONDS_MAX) == "open"
            writer.send_signal(signal.SIGSTOP)
        seconds, refusal = _kept_out(command)
    print(f"\n{_WRITER_COUNT} stopped writers kept another out for {seconds:.1f} s; refused with: {refusal}")
    assert seconds < _KEPT_OUT_SECONDS_MAX


def test_an_idle_stream_with_pings_stays_open(server: PinnedServer, programs: Path, batch_file: Path) -> None:
    idle = [f"--with-stream={_IDLE_SECONDS}s", f"--without={_WITHOUT_CALL_SECONDS}s"]
    command = [str(programs / "idle"), f"--address={server.address}", f"--batch={batch_file}", *idle]
    seconds_max = _IDLE_SECONDS + _WITHOUT_CALL_SECONDS + 60
    result = subprocess.run(command, capture_output=True, text=True, timeout=seconds_max, check=False)
    print(
        f"\nidle for {_IDLE_SECONDS} s in a stream, then for {_WITHOUT_CALL_SECONDS} s without a call,"
        f" with a ping every 10 s: {result.stdout.strip()}"
    )
    assert (result.returncode, result.stdout) == (0, "ok\n"), result.stderr


def _kept_out(command: WriterCommand) -> tuple[float, str]:
    """Retries until a writer gets in; returns the seconds that this took and the last refusal."""
    begin, refusal = time.monotonic(), ""
    while True:
        with running(command(_OTHER_ADDRESS)) as writer:
            line = first_line(writer, _ANSWER_SECONDS_MAX)
        seconds = time.monotonic() - begin
        if line == "open" or seconds > _KEPT_OUT_SECONDS_MAX:
            return seconds, refusal
        refusal = line or "no answer"
        time.sleep(_RETRY_SECONDS)
