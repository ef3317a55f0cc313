"""`pegcount erase` and `pegcount masking`, run in processes of their own."""

import errno
import os
import pty
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from pegcount import core
from pegcount.config import Config
from pegcount.errors import StoreReadOnlyError
from pegcount.store import EmbeddedStore
from pegcount.store.scrubber import Scrubber
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
    assert listed.startswith("erasure 1: 1 number; made ")
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
    assert result.stdout.startswith("1 record had one of the numbers")
    assert "23125" not in result.stdout + result.stderr


@pytest.mark.parametrize("separator", [",", ", ", ";", "\t", " ;+"])
def test_two_numbers_in_a_line_of_a_file_are_refused(separator: str, tmp_path: Path) -> None:
    numbers = tmp_path / "numbers"
    numbers.write_text(f"{NUMBER}\n{WRITTEN}{separator}4930\n", encoding="utf-8")
    erase = ("erase", "--data", tmp_path, "--party-file", numbers)
    assert ", line 2 has several numbers: write each in a line of its own" in refused(*erase)


def test_a_comment_in_a_file_is_refused(tmp_path: Path) -> None:
    numbers = tmp_path / "numbers"
    numbers.write_text(f"# numbers of a customer\n{NUMBER}\n", encoding="utf-8")
    error = refused("erase", "--data", tmp_path, "--party-file", numbers)
    assert ", line 1 is a comment: leave it out" in error


def test_a_count_of_none_says_what_is_compared(data: Path, tmp_path: Path) -> None:
    numbers = tmp_path / "numbers"
    numbers.write_text("sip:+15550100123@192.0.2.7;user=phone\nanna\n", encoding="utf-8")
    result = pegcount("erase", "--data", data, "--party-file", numbers, "--dry-run")
    assert (result.returncode, result.stderr) == (
        0,
        "1 text has no digit, and is compared as a name, as a whole\n",
    )
    first, second = result.stdout.splitlines()
    assert first == "0 records have one of the numbers"
    assert "national forms (030 23125001) are other numbers" in second
    assert "masked already cannot be found" in second


def test_an_erasure_that_was_cut_short_is_found_and_completed(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = mock.Mock(side_effect=OSError(errno.ENOSPC, "no space"))
    with monkeypatch.context() as patch, closing(EmbeddedStore(data, Config())) as store:
        patch.setattr(Scrubber, "scrub", full)
        patch.setattr(Scrubber, "scrub_memory", full)
        with pytest.raises(StoreReadOnlyError):
            store.erase([NUMBER], core.CancelToken(None))
    assert "erasure 1 is not complete: files may have its numbers" in printed("check", "--data", data)
    assert files_with(data, [WRITTEN]) != {}
    assert printed("erase", "--data", data, "--list").endswith("; complete\n")
    assert files_with(data, [WRITTEN]) == {}
    assert "not complete" not in printed("check", "--data", data)


def test_a_server_erases_and_masks(data: Path) -> None:
    with serving(data) as (address, _):
        erased = printed("erase", "--server", address, "--party", NUMBER, "--yes")
        assert erased.startswith("2 records had one of the numbers")
        assert "complete" in printed("erase", "--server", address, "--list")
        assert "NOT_FOUND: no erasure has the number 7" in refused(
            "erase", "--server", address, "--lift", "7"
        )
        masking = ("masking", "--server", address)
        wanted = ("--after-days", "30", "--keep-digits", "4")
        assert printed(*masking, *wanted, "--dry-run").startswith("3 records from before ")
        shown = printed(*masking, *wanted, "--yes")
        assert shown.startswith("after 30 UTC days, numbers of parties keep their first 4 digits")
        assert printed(*masking, "--off") == (
            "numbers of parties are masked no more; what was masked stays masked\n"
        )


def test_a_directory_is_masked_at_once(data: Path) -> None:
    masking = ("masking", "--data", data)
    assert printed(*masking).startswith("no masking is set: ")
    expected = "after 30 UTC days, numbers of parties keep their first 4 digits\n"
    assert printed(*masking, "--after-days", "30", "--keep-digits", "4", "--yes") == expected
    assert printed(*masking) == expected
    assert files_with(data, [WRITTEN, OTHER]) == {}
    assert printed(*masking, "--after-days", "1", "--keep-digits", "1", "--yes") == (
        "after 1 UTC day, numbers of parties keep their first 1 digit\n"
    )
    raised = printed(*masking, "--after-days", "1", "--keep-digits", "5", "--yes")
    assert raised.endswith("\nwhat was masked before stays as it is: no digit comes back\n")


def test_nothing_is_masked_unasked(data: Path) -> None:
    masking = ("masking", "--data", data, "--after-days", "30", "--keep-digits", "4")
    first_day = datetime.now(UTC).date() - timedelta(days=29)
    told = (
        f"3 records from before {first_day} would keep the first 4 digits of each number, and so would later"
        f" ones in time; {first_day} is the first day that stays whole, and the store has 1 segment"
    )
    assert printed(*masking, "--dry-run") == f"{told}; nothing is masked now\n"
    assert "give --yes, or --dry-run" in refused(*masking)
    assert typed(*masking, answer="n") == (0, f"{told}; mask them for good? [y/N]: ")
    assert printed("masking", "--data", data).startswith("no masking is set: ")
    assert files_with(data, [WRITTEN, OTHER]) != {}
    assert typed(*masking, answer="y")[0] == 0
    assert files_with(data, [WRITTEN, OTHER]) == {}


def typed(*arguments: str | Path, answer: str) -> tuple[int, str]:
    """The status and the lines of a command on a terminal, whose question gets an answer."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pegcount", *map(str, arguments)]
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        os.write(ours, f"{answer}\n".encode())
        output, _ = process.communicate()
    os.close(ours)
    os.close(theirs)
    return process.returncode, output.decode()


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
    assert "go with --after-days" in refused("masking", "--data", data, "--yes")
