"""`pegcount backup`, `check` and `retention`, run in processes of their own."""

import re
from pathlib import Path

import pytest

from cli_tests.test_command_line import SAMPLES, import_into, import_over, pegcount, serving


@pytest.fixture
def data(tmp_path: Path) -> Path:
    assert import_into(tmp_path / "data", "pegcount-csv", SAMPLES / "pegcount.csv").returncode == 0
    return tmp_path / "data"


def printed_counts(output: str) -> dict[str, str]:
    """Parses the table that `check` prints."""
    return dict(re.findall(r"([a-z_]+) *│ *([a-z0-9,]+) *│", output))


def test_a_backup_of_a_served_directory_can_be_served(data: Path, tmp_path: Path) -> None:
    with serving(data) as (address, _):
        server_import = import_over(address, "yeti-csv", SAMPLES / "yeti.csv", cwd=tmp_path)
        assert server_import.returncode == 0
        result = pegcount("backup", "--data", data, tmp_path / "backup")
        assert (result.returncode, result.stderr) == (0, "")
        records = re.search("records: .*", pegcount("info", "--server", address).stdout)
    files = [path for path in (tmp_path / "backup").rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    assert result.stdout == f"{tmp_path / 'backup'}: {len(files):,} files, {size:,} bytes\n"
    with serving(tmp_path / "backup") as (address, _):
        assert records is not None
        assert records[0] in pegcount("info", "--server", address).stdout


def test_a_backup_into_an_occupied_directory_is_refused(data: Path, tmp_path: Path) -> None:
    result = pegcount("backup", "--data", data, tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"pegcount: {tmp_path} is there already and not an empty directory\n"


def test_nothing_is_written_into_the_data_directory(data: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    (tmp_path / "link").symlink_to(data)
    for place in (data, tmp_path / "link"):
        for command, target in (("backup", "segments/2026-11-29"), ("export", "catalog.db")):
            result = pegcount(command, "--data", data, place / target)
            assert (result.returncode, result.stdout) == (2, "")
            assert f"is in the data directory {data}; choose a place outside it" in result.stderr
        rejects = (SAMPLES / "pegcount.csv", Path("--rejects"), place / "catalog.db")
        assert import_into(data, "pegcount-csv", *rejects).returncode == 2
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before


def test_an_intact_directory_is_counted(data: Path) -> None:
    result = pegcount("check", "--data", data)
    assert (result.returncode, result.stderr) == (0, "")
    found = printed_counts(result.stdout)
    assert (found["segments"], found["active_sessions"], found["records"]) == ("3", "7", "65")
    assert "problem" not in result.stdout


def flip_a_byte(data: Path) -> str:
    """Damages a segment; returns its name."""
    segment = min(data.glob("segments/*/*"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    return segment.relative_to(data).as_posix()


def test_a_backup_says_which_files_are_damaged(data: Path, tmp_path: Path) -> None:
    name = flip_a_byte(data)
    result = pegcount("backup", "--data", data, tmp_path / "backup")
    assert result.returncode == 1
    assert result.stderr.startswith(f"problem: {name}: ")
    assert (tmp_path / "backup" / name).exists()


def test_a_flipped_byte_is_reported_and_sets_the_exit_status(data: Path) -> None:
    name = flip_a_byte(data)
    result = pegcount("check", "--data", data)
    assert result.returncode == 1
    (problem,) = (line for line in result.stdout.splitlines() if line.startswith("problem: "))
    assert name in problem
    assert printed_counts(result.stdout)["records"] == "unknown"


def test_a_missing_segment_is_a_problem_but_an_orphan_is_not(data: Path) -> None:
    segment = min(data.glob("segments/*/*"))
    orphan = segment.with_name("00009999.arrow")
    orphan.write_bytes(b"x")
    result = pegcount("check", "--data", data)
    assert (result.returncode, "problem" in result.stdout) == (0, False)
    assert f"leftover: {orphan}, which a crash left; the next start removes it" in result.stdout.splitlines()
    segment.rename(orphan)
    result = pegcount("check", "--data", data)
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert f"orphan: {orphan}, which the catalogue does not name; the next start keeps it" in lines
    assert any(
        line.startswith("problem: ") and segment.relative_to(data).as_posix() in line for line in lines
    )


def test_a_directory_in_use_is_not_checked(data: Path) -> None:
    with serving(data) as (_, process):
        result = pegcount("check", "--data", data)
        assert (result.returncode, result.stdout) == (2, "")
        assert result.stderr == f"pegcount: data directory {data} is in use by process {process.pid}\n"


def test_retention_is_printed_and_set_one_limit_at_a_time(data: Path) -> None:
    with serving(data) as (address, _):

        def run_retention(*arguments: str) -> list[str]:
            result = pegcount("retention", *arguments, "--server", address)
            assert (result.returncode, result.stderr) == (0, "")
            return result.stdout.splitlines()

        assert run_retention() == ["all records are kept"]
        assert run_retention("--days", "36500") == ["days: 36,500"]
        assert run_retention("--bytes", "1000000000") == ["days: 36,500", "bytes: 1,000,000,000"]
        assert run_retention("--keep-all", "--days", "40000") == ["days: 40,000"] == run_retention()
        refused = pegcount("retention", "--days", "90000", "--server", address)
        assert (refused.returncode, "retention.days" in refused.stderr) == (2, True)
        believed = "the server believes its clock: days are dropped and records are accepted by it"
        assert run_retention("--accept-clock") == [believed, "days: 40,000"]
        assert run_retention("--keep-all") == ["all records are kept"]
