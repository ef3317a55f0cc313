"""A server that cannot start says so, instead of keeping its caller waiting."""

import threading
from pathlib import Path
from typing import Any

import pytest
from pegcount.server import services
from service import Service


def test_a_failing_service_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError("the proto files are damaged")

    monkeypatch.setattr(services, "ReflectionService", fail)
    raised: list[BaseException] = []

    def start() -> None:
        try:
            Service(tmp_path)
        except ValueError as error:
            raised.append(error)

    starting = threading.Thread(target=start, daemon=True)
    starting.start()
    starting.join(20)
    assert [str(error) for error in raised] == ["the proto files are damaged"]
