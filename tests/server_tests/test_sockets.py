"""Between the look at the open files and the use of one, gRPC closes it, and another takes its number."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pegcount.server.sockets import ListeningPort

GONE = ("127.0.0.1", 4000)
PORT = 50_051
USES: dict[str, Callable[[ListeningPort, int], object]] = {
    "pause": lambda port, number: port.pause(number, GONE),
    "resume": lambda port, number: port.resume(number, GONE, waiting_bytes_max=0),
    "look": lambda port, _: port.look(),
    "numbers": lambda port, _: port.numbers(),
    "disconnect": lambda port, _: port.disconnect([GONE]),
    "close": lambda port, _: port.close(),
}


@pytest.fixture
def port() -> Iterator[ListeningPort]:
    port = ListeningPort(PORT)
    yield port
    port.close()


@pytest.fixture(params=[*USES.values()], ids=[*USES])
def use(
    request: pytest.FixtureRequest, port: ListeningPort, monkeypatch: pytest.MonkeyPatch
) -> Callable[[int], object]:
    """Uses a file as the socket that it was at the look."""

    def use(number: int) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, "listdir", lambda _: [str(number)])
            patch.setattr(os, "readlink", lambda _: "socket:[1]")
            request.param(port, number)

    return use


def test_a_pipe_still_ends_when_its_writer_closes_it(use: Callable[[int], object]) -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    use(writer)
    os.close(writer)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_file_keeps_the_locks_of_this_process(use: Callable[[int], object], tmp_path: Path) -> None:
    path = tmp_path / "database"
    with path.open("wb") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        use(file.fileno())
        program = f"import fcntl; fcntl.lockf(open({str(path)!r}, 'wb'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "BlockingIOError" in other.stderr


def test_a_closed_number_is_passed_over(use: Callable[[int], object]) -> None:
    reader, writer = os.pipe()
    os.close(writer)
    use(writer)
    os.close(reader)
