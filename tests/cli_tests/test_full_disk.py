"""Commands whose output does not fit on its disk."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from faults.image import needs_mounts, tmpfs
from store_tests.store_fixtures import MANUAL_MAINTENANCE, StoreHarness, finished, write

from cli_tests.test_command_line import pegcount

_RECORD_COUNT = 20_000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        write(harness.store, *(finished(f"{number:032}") for number in range(_RECORD_COUNT)))
        harness.flush()
    return tmp_path / "data"


@pytest.mark.parametrize("format_name", ["csv", "parquet"])
def test_an_export_to_a_full_disk_leaves_nothing(format_name: str, data: Path, tmp_path: Path) -> None:
    needs_mounts(tmp_path)
    with tmpfs(tmp_path / "small", 1) as disk:
        filler = disk / "filler"
        filler.write_bytes(b"x" * (2**20 - 2**13))
        out = disk / f"out.{format_name}"
        result = pegcount("export", "--data", data, "--format", format_name, out)
        assert (result.returncode, result.stdout) == (2, "")
        sentence = f"pegcount: the export to {out} needs more than the 8,192 bytes that are free"
        assert result.stderr == f"{sentence}: No space left on device\n"
        assert list(disk.iterdir()) == [filler]


def test_a_backup_to_a_full_disk_leaves_nothing(data: Path, tmp_path: Path) -> None:
    needs_mounts(tmp_path)
    with tmpfs(tmp_path / "small", 1) as disk:
        result = pegcount("backup", "--data", data, disk / "backup")
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr.count("\n") == 1
        assert re.match(r"pegcount: the backup to .* needs 1,8\d\d,\d{3} bytes, of which 1,0", result.stderr)
        assert list(disk.iterdir()) == []


def test_a_backup_shows_its_progress_on_a_terminal(data: Path, tmp_path: Path) -> None:
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "pegcount", "backup", "--data", str(data), str(tmp_path / "backup")]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=end, text=True, timeout=60, check=True)
    shown = os.read(terminal, 2**16).decode()
    os.close(end)
    os.close(terminal)
    assert re.search(r"backup.*1\.\d/1\.\d MB", shown), shown
    assert result.stdout.endswith(" bytes\n")
