"""`pegcount info` of a server whose store has a fault."""

from pathlib import Path

import pytest
from pegcount.store import write_faults
from service import Service

from cli_tests.report_tests.running import run


def test_info_says_why_no_batch_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Service(tmp_path) as service:
        assert run(monkeypatch, "info", "--server", service.address) == 0
        assert "write_fault" not in capsys.readouterr().out
        monkeypatch.setattr(write_faults, "free_bytes", lambda _: 1_000)
        assert run(monkeypatch, "info", "--server", service.address) == 0
    assert "write_fault: the disk has 1000 bytes free, less than " in capsys.readouterr().out
