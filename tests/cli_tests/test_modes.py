"""What commands write names callers and callees: only its owner may read it, whatever the umask."""

from pathlib import Path
from stat import S_IMODE

import pytest
from program import run_program

from cli_tests.test_command_line import serving

ROWS = """session_id,setup_time,orig_src_party_id
s1,yesterday,+15550100
s2,2026-03-29T08:00:00Z,+15550101
"""


def run(mask: int, *arguments: str | Path) -> int:
    return run_program(*arguments, umask=mask).returncode


def modes(directory: Path) -> dict[str, int]:
    """Returns the modes of all files and directories below a directory; sealed files never change again."""
    return {
        path.relative_to(directory).as_posix(): S_IMODE(path.stat().st_mode) for path in directory.rglob("*")
    }


def allowed(path: Path) -> set[int]:
    return {0o700} if path.is_dir() else {0o600, 0o400}


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_only_the_owner_may_read_what_commands_write(mask: int, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    rows = tmp_path / "rows.csv"
    written = tmp_path / "written"
    written.mkdir(mode=0o700)
    rows.write_text(ROWS)
    old = written / "old.csv.part"
    old.touch(mode=0o666)
    data, rejects = ("--data", written / "data"), ("--rejects", written / "rejects.csv")
    assert run(mask, "import", "--source", "a", "--format", "pegcount-csv", rows, *data, *rejects) == 1
    assert run(mask, "export", *data, "--format", "csv", written / "old.csv") == 0
    assert run(mask, "backup", *data, written / "above" / "copy") == 0
    with serving(written / "data") as (address, _):
        report = ("report", "usage", "--from", "2026-03-29", "--to", "2026-03-30", "--server", address)
        assert run(mask, *report, "--parquet", written / "usage.parquet") == 0
    found = modes(written)
    assert {"rejects.csv", "old.csv", "above/copy/catalog.db", "data/catalog.db"} <= set(found)
    assert {name: mode for name, mode in found.items() if mode not in allowed(written / name)} == {}
