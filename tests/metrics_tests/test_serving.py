"""`pegcount serve` with metrics: when they answer, what is announced, and what is refused."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from cli_tests.test_command_line import pegcount, serving
from pegcount import process
from pegcount.settings import ServeSettings
from pegcount.store import EmbeddedStore
from waiting import wait_until

LOOPBACK = "127.0.0.1:0"


class Served:
    """`process.serve` on a thread, and what it announces."""

    def __init__(self, settings: ServeSettings) -> None:
        self.announced: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=process.serve, args=(settings, self._stop, self.announced.append)
        )
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def serve() -> Iterator[Callable[[ServeSettings], Served]]:
    started: list[Served] = []

    def start(settings: ServeSettings) -> Served:
        started.append(Served(settings))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def scraped(url: str) -> list[str]:
    with urlopen(url, timeout=20) as response:
        text: str = response.read().decode()
    return text.splitlines()


def test_metrics_are_announced_after_the_addresses(
    serve: Callable[[ServeSettings], Served], tmp_path: Path
) -> None:
    running = serve(ServeSettings(tmp_path, LOOPBACK, LOOPBACK, LOOPBACK, create=True))
    wait_until(lambda: len(running.announced) == 3)
    main, admin, metrics = running.announced
    assert main.startswith("listening on 127.0.0.1:")
    assert admin.endswith(" for AdminService and reflection")
    url = metrics.removeprefix("metrics on ")
    lines = scraped(url)
    assert 'pegcount_health{service=""} 1.0' in lines
    assert "pegcount_scrape_complete 1.0" in lines
    running.stop()
    with pytest.raises(OSError, match="refused"):
        scraped(url)


def test_without_an_address_nothing_is_announced(
    serve: Callable[[ServeSettings], Served], tmp_path: Path
) -> None:
    running = serve(ServeSettings(tmp_path, LOOPBACK, metrics_listen=None, create=True))
    wait_until(lambda: running.announced)
    running.stop()
    assert len(running.announced) == 1


def test_a_server_that_starts_can_be_seen(
    serve: Callable[[ServeSettings], Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opens = threading.Event()

    def open_late(*arguments: Any, **options: Any) -> EmbeddedStore:
        assert opens.wait(30)
        return EmbeddedStore(*arguments, **options)

    monkeypatch.setattr("pegcount.store.location.EmbeddedStore", open_late)
    port = free_port()
    url = f"http://127.0.0.1:{port}/metrics"
    running = serve(ServeSettings(tmp_path, LOOPBACK, metrics_listen=f"127.0.0.1:{port}", create=True))
    found: list[str] = []

    def answers() -> bool:
        try:
            found[:] = scraped(url)
        except OSError:
            return False
        return True

    try:
        wait_until(answers)
        assert 'pegcount_health{service=""} 0.0' in found
        assert "pegcount_scrape_complete 0.0" in found
        assert running.announced == []
    finally:
        opens.set()
    wait_until(lambda: 'pegcount_health{service=""} 1.0' in scraped(url))


def test_the_command_line_names_the_option_of_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        options = ("--create", "--data", "data", "--listen", LOOPBACK, "--metrics-listen", address)
        failed = pegcount("serve", *options, cwd=tmp_path)
    assert failed.returncode == 2
    assert failed.stderr == (
        f"pegcount: cannot offer metrics at --metrics-listen '{address}': address already in use;"
        " give another address, such as 127.0.0.1:0 for any free port, or none for no metrics\n"
    )
    assert not (tmp_path / "data").exists()


def test_the_command_line_serves_metrics(tmp_path: Path) -> None:
    with serving(tmp_path / "data", LOOPBACK, "--metrics-listen", LOOPBACK) as (_, running):
        assert running.stdout is not None
        url = running.stdout.readline().removeprefix("metrics on ").strip()
        assert "pegcount_stored_records 0.0" in scraped(url)
