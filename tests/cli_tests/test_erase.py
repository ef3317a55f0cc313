"""`pegcount erase` and `pegcount masking`, run in processes of their own."""

import subprocess
import sys
from pathlib import Path

import pytest
from store_tests.party_files import files_with

from cli_tests.test_command_line import import_into, pegcount, serving

NUMBER = "+49 30 23125 001"
WRITTEN = "+493023125001"
OTHER = "+493023125002"
ROWS = f"""session_id,setup_time,end_time,orig_src_party_id
c1,2026-03-29T08:00:00Z,2026-03-29T08:01:00Z,{WRITTEN}
c2,2026-03-29T08:00:00Z,2026-03-29T08:01:00Z,0049 (30) 23125-001
c3,2026-03-29T08:00:00Z,2026-03-29T08:01:00Z,{OTHER}
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "calls.csv").write_text(ROWS, encoding="utf-8")
    result = import_into(tmp_path / "data", "pegcount-csv", tmp_path / "calls.csv")
    assert result.returncode == 0, result.stderr
    return tmp_path / "data"


def printed(*arguments: str | Path) -> str:
    result = pegcount(*arguments)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def refused(*arguments: str | Path) -> str:
    result = pegcount(*arguments)
    assert (result.returncode, result.stdout) == (2, "")
    return result.stderr


def test_numbers_of_a_directory_are_erased_listed_and_lifted(data: Path) -> None:
    erase = ("erase", "--data", data)
    assert printed(*erase, "--list") == "later writes keep all numbers\n"
    assert printed(*erase, "--party", NUMBER, "--dry-run") == "2 records have one of the numbers\n"
    assert printed(*erase, "--party", NUMBER, "--party", WRITTEN, "--yes") == (
        "2 records had one of the numbers, and count as before without it; erasure 1 holds later writes to"
        " it, until `pegcount erase --lift 1`\n"
    )
    assert files_with(data, [WRITTEN, "0049 (30) 23125-001"]) == {}
    assert files_with(data, [OTHER]) != {}
    listed = printed(*erase, "--list")
    assert listed.startswith("erasure 1: 1 numbers; made ")
    assert listed.endswith(", 2 records had one; complete\n")
    assert "erasure 1 is lifted" in printed(*erase, "--lift", "1")
    assert "no erasure has the number 1" in refused(*erase, "--lift", "1")


def test_numbers_come_from_a_file_or_from_the_input(data: Path, tmp_path: Path) -> None:
    numbers = tmp_path / "numbers"
    numbers.write_text(f"\ufeff{NUMBER}\n\n  {OTHER}  \n", encoding="utf-8")
    assert printed("erase", "--data", data, "--party-file", numbers, "--dry-run") == (
        "3 records have one of the numbers\n"
    )
    command = [sys.executable, "-m", "pegcount", "erase", "--data", str(data), "--party-file", "-", "--yes"]
    result = subprocess.run(command, input=f"{OTHER}\n", capture_output=True, text=True, check=False)
    assert result.stdout.startswith("1 records had one of the numbers")
    assert "23125" not in result.stdout + result.stderr


def test_a_server_erases_and_masks(data: Path) -> None:
    with serving(data) as (address, _):
        erased = printed("erase", "--server", address, "--party", NUMBER, "--yes")
        assert erased.startswith("2 records had one of the numbers")
        assert "complete" in printed("erase", "--server", address, "--list")
        assert "NOT_FOUND: no erasure has the number 7" in refused(
            "erase", "--server", address, "--lift", "7"
        )
        shown = printed("masking", "--server", address, "--after-days", "30", "--keep-digits", "4")
        assert shown.startswith("after 30 UTC days, numbers of parties keep their first 4 digits")
        assert printed("masking", "--server", address, "--off") == "numbers of parties are kept whole\n"


def test_a_directory_is_masked_at_once(data: Path) -> None:
    masking = ("masking", "--data", data)
    assert printed(*masking) == "numbers of parties are kept whole\n"
    expected = "after 30 UTC days, numbers of parties keep their first 4 digits\n"
    assert printed(*masking, "--after-days", "30", "--keep-digits", "4") == expected
    assert printed(*masking) == expected
    assert files_with(data, [WRITTEN, OTHER]) == {}


def test_options_that_erase_nothing_or_contradict_each_other_are_refused(data: Path, tmp_path: Path) -> None:
    erase = ("erase", "--data", data)
    assert refused(*erase) == "pegcount: say which numbers: --party-file FILE, or --party NUMBER\n"
    assert refused(*erase, "--yes") == "pegcount: say which numbers: --party-file FILE, or --party NUMBER\n"
    assert "give --yes, or --dry-run" in refused(*erase, "--party", NUMBER)
    assert "--lift and --list erase nothing" in refused(*erase, "--lift", "1", "--party", NUMBER)
    assert "'****' has no digit or letter" in refused(*erase, "--party", "+ ()", "--yes")
    empty = tmp_path / "numbers"
    empty.write_text("\n", encoding="utf-8")
    assert "has no number" in refused(*erase, "--party-file", empty, "--yes")
    empty.write_bytes(f"{NUMBER}\xff\n".encode("latin-1"))
    error = refused(*erase, "--party-file", empty, "--yes")
    assert "is not UTF-8, from byte 16 on" in error
    assert "23125" not in error
    assert "--party-file: " in refused(*erase, "--party-file", tmp_path / "none")
    assert "go together" in refused("masking", "--data", data, "--after-days", "3")
    assert "--off goes without" in refused("masking", "--data", data, "--off", "--keep-digits", "3")
