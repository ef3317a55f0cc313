"""`pegcount import --correct` puts a wrong import right, and `--dry-run` shows one beforehand."""

from pathlib import Path

import pytest
from pegcount.cli import app
from typer.testing import CliRunner

from cli_tests.test_command_line import pegcount, printed_counts, serving
from cli_tests.test_import_figures import figures, rejects

HEADER = "session_id,setup_time,answer_time,end_time,account_id\n"
ROWS = [
    "a,2026-04-02T00:30:00,2026-04-02T00:30:05,2026-04-02T00:31:05,34",
    "b,2026-04-02T01:00:00,,2026-04-02T01:00:20,34",
    "c,2026-04-02T23:30:00,2026-04-02T23:30:05,2026-04-02T23:30:35,34",
]
TEXT = HEADER + "\n".join(ROWS) + "\n"
ZONE = ["--time-zone", "Europe/Berlin"]
FIRST_DAY = {"from_time": "2026-04-01", "to_time": "2026-04-02"}
Counts = tuple[int, int, int, int, int]
"""Accepted, replaced, identical, outranked and rejected rows."""


def imported(directory: Path, text: str, *options: str, status: int = 0, file: str = "calls.csv") -> str:
    (directory / file).write_text(text)
    rejects_option = ["--rejects", str(directory / "rejects.csv")]
    arguments = ["--format", "pegcount-csv", "--source", "switch", *rejects_option, *options]
    done = CliRunner().invoke(app, ["import", *arguments, str(directory / file)])
    assert done.exit_code == status, done.output
    return done.output


def counted(directory: Path, text: str, *options: str, status: int = 0) -> Counts:
    printed = imported(directory, text, "--data", str(directory / "data"), *options, status=status)
    counts = printed_counts(printed)
    return tuple(counts[name] for name in ("accepted", "replaced", "identical", "outranked", "rejected"))  # type: ignore[return-value]


def test_a_wrong_time_zone_is_corrected(tmp_path: Path) -> None:
    assert counted(tmp_path, TEXT) == (3, 0, 0, 0, 0)
    assert figures(tmp_path, "34", **FIRST_DAY) == (0, 0, 0)
    assert counted(tmp_path, TEXT, "--correct", *ZONE) == (0, 3, 0, 0, 0)
    # 00:30 and 01:00 in Berlin are 22:30 and 23:00 UTC of the day before.
    assert figures(tmp_path, "34", **FIRST_DAY) == (2, 1, 60_000)
    assert figures(tmp_path, "34") == (3, 2, 90_000)
    assert counted(tmp_path, TEXT, "--correct", *ZONE) == (0, 0, 3, 0, 0)
    assert counted(tmp_path, TEXT) == (0, 0, 0, 3, 0)
    assert figures(tmp_path, "34", **FIRST_DAY) == (2, 1, 60_000)


def test_an_answer_that_was_none_is_taken_away(tmp_path: Path) -> None:
    counted(tmp_path, TEXT)
    corrected = TEXT.replace("2026-04-02T00:30:05,", ",")
    assert counted(tmp_path, corrected, "--correct") == (0, 1, 2, 0, 0)
    assert figures(tmp_path, "34") == (3, 1, 30_000)


def test_a_correction_over_a_server_equals_one_into_a_directory(tmp_path: Path) -> None:
    file = tmp_path / "calls.csv"
    file.write_text(TEXT)
    options = ["--format", "pegcount-csv", "--source", "switch"]
    (tmp_path / "data").mkdir()
    with serving(tmp_path / "data") as (address, _):
        found = [
            printed_counts(
                pegcount("import", "--server", address, *options, *more, file, cwd=tmp_path).stdout
            )
            for more in ([], ["--correct", *ZONE], ["--correct", *ZONE], [])
        ]
    assert [counts["accepted"] for counts in found] == [3, 0, 0, 0]
    assert [counts["replaced"] for counts in found] == [0, 3, 0, 0]
    assert [counts["identical"] for counts in found] == [0, 0, 3, 0]
    assert [counts["outranked"] for counts in found] == [0, 0, 0, 3]
    assert figures(tmp_path, "34", **FIRST_DAY) == (2, 1, 60_000)


def test_rows_that_correct_nothing_are_named(tmp_path: Path) -> None:
    printed = imported(tmp_path, TEXT, "--data", str(tmp_path / "data"), "--correct")
    assert "3 rows are new, as nothing was stored of their calls" in printed


def test_events_are_rejected_with_their_lines(tmp_path: Path) -> None:
    text = "session_id,setup_time,end_time,event\na,2026-04-02T08:00:00,2026-04-02T08:00:30,END\n"
    assert counted(tmp_path, text, "--correct", status=1) == (0, 0, 0, 0, 1)
    ((line, reason),) = rejects(tmp_path)
    assert (line, reason.startswith("event: only whole records can be corrected")) == ("2", True)


@pytest.mark.parametrize("setting", ["revision=3", "replaces=false"])
def test_a_correction_is_given_its_revision(setting: str, tmp_path: Path) -> None:
    printed = imported(tmp_path, TEXT, "--data", str(tmp_path / "d"), "--correct", "--set", setting, status=2)
    assert "--correct gives each record its revision and replaces" in printed
    assert not (tmp_path / "d").exists()


def test_a_dry_run_shows_records_and_writes_nothing(tmp_path: Path) -> None:
    printed = imported(tmp_path, TEXT + ROWS[0] + "\n", "--dry-run", *ZONE)
    first, *lines = printed.splitlines()
    assert first.endswith("4 rows, 4 valid, 0 rejected, 0 skipped")
    assert "    setup_time: 2026-04-02T00:30:00+02:00" in lines
    assert [line.split(": ")[1] for line in lines if line.endswith(":")] == ["line 2:", "line 3:", "line 4:"]
    assert "local times were read as Europe/Berlin" in lines
    assert "dry run: no store was asked, and nothing was written" in lines
    assert [path.name for path in tmp_path.iterdir()] == ["calls.csv"]


@pytest.mark.parametrize("target", [["--data", "nowhere"], ["--server", "127.0.0.1:1"]])
def test_a_dry_run_does_not_look_at_its_target(target: list[str], tmp_path: Path) -> None:
    printed = imported(tmp_path, TEXT, "--dry-run", "--correct", *target)
    assert "3 rows, 3 valid," in printed
    assert "with --correct, rows replace what is stored of their calls" in printed
    assert not Path("nowhere").exists()


def test_a_dry_run_rejects_what_every_store_rejects(tmp_path: Path) -> None:
    bad = ["d,2026-04-02T08:00:00,,2026-04-02T07:00:00,34", "e,soon,,,34"]
    printed = imported(tmp_path, TEXT + "\n".join(bad) + "\n", "--dry-run", status=1)
    assert printed.splitlines()[0].endswith("5 rows, 3 valid, 2 rejected, 0 skipped")
    assert (
        "local times were read as UTC; if they are local times of another zone, give --time-zone" in printed
    )
    assert sorted(line for line, _ in rejects(tmp_path)) == ["5", "6"]


def test_a_dry_run_says_that_a_zone_would_change_nothing(tmp_path: Path) -> None:
    text = HEADER + "a,2026-04-02T08:00:00Z,,2026-04-02T08:00:30Z,34\n"
    printed = imported(tmp_path, text, "--dry-run", *ZONE)
    assert "every time states its UTC offset; none was read as one of Europe/Berlin" in printed
