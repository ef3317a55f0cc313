"""`pegcount serve` under a service manager: systemd learns when it answers, and when it stops."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli_tests.test_command_line import serving

DATAGRAM_BYTES_MAX = 4096


@contextmanager
def notifications(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A socket such as that of systemd; `@NAME` is one without a file."""
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(20)
        receiver.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        yield receiver


@pytest.mark.parametrize("place", ["a file", "no file"])
def test_systemd_learns_when_a_server_answers_and_stops(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(tmp_path / "notify") if place == "a file" else f"@{tmp_path}"
    with notifications(address, monkeypatch) as receiver, serving(tmp_path / "data") as (_, process):
        assert receiver.recv(DATAGRAM_BYTES_MAX) == b"READY=1"
        process.terminate()
        assert receiver.recv(DATAGRAM_BYTES_MAX) == b"STOPPING=1"
        assert process.wait(20) == 0


@pytest.mark.parametrize("address", ["", "no path", "/missing/notify"])
def test_a_service_manager_that_cannot_be_reached_changes_nothing(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    with serving(tmp_path / "data") as (_, process):
        process.terminate()
        assert process.wait(20) == 0


def test_a_service_manager_that_reads_nothing_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with notifications(str(tmp_path / "notify"), monkeypatch):
        fill(tmp_path / "notify")
        with serving(tmp_path / "data") as (_, process):
            process.terminate()
            assert process.wait(20) == 0


def fill(address: Path) -> None:
    """Sends until the receiver takes no more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        with pytest.raises(BlockingIOError):
            send_for_ever(sender, str(address))


def send_for_ever(sender: socket.socket, address: str) -> None:
    while True:
        sender.sendto(b"x", address)
