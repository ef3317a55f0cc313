"""The CSV file of rejected lines."""

import os
from pathlib import Path
from stat import S_IMODE

import pytest
from pegcount.cli.import_summary import print_rejected
from pegcount.config import Config, Tuning
from pegcount.errors import ImportFileError
from pegcount.importers import RejectsFile


def test_no_file_is_created_without_rejects(tmp_path: Path) -> None:
    with RejectsFile(tmp_path / "rejects.csv", Config()):
        pass
    assert list(tmp_path.iterdir()) == []


def test_rejects(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    path.write_text("of an earlier import\n")
    with RejectsFile(path, Config()) as rejects:
        rejects.add("a.csv", 3, "no row of CSV", '"x,')
        rejects.add("b,c.csv", 1, "why", "two\nlines")
    expected = 'file,line,reason,text\r\na.csv,3,no row of CSV,"""x,"\r\n"b,c.csv",1,why,"two\nlines"\r\n'
    assert path.read_bytes().decode() == expected


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_only_the_owner_may_read_it_whatever_the_umask(mask: int, tmp_path: Path) -> None:
    old = tmp_path / "old.csv"
    old.touch()
    old.chmod(0o666)
    before = os.umask(mask)
    try:
        for path in (old, tmp_path / "new.csv"):
            with RejectsFile(path, Config()) as rejects:
                rejects.add("a.csv", 1, "why", "x")
            assert S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_device_keeps_its_mode() -> None:
    mode = os.stat(os.devnull).st_mode
    with RejectsFile(Path(os.devnull), Config()) as rejects:
        rejects.add("a.csv", 1, "why", "x")
    assert os.stat(os.devnull).st_mode == mode


def test_an_unwritable_path_is_reported(tmp_path: Path) -> None:
    with (
        RejectsFile(tmp_path / "none" / "rejects.csv", Config()) as rejects,
        pytest.raises(ImportFileError, match="none"),
    ):
        rejects.add("a.csv", 1, "why", "x")


@pytest.mark.parametrize(
    ("kind_count_max", "rest"),
    [(3, "  1 row: 1 more kind"), (2, "  1 row: at least 1 more kind")],
)
def test_what_is_printed(
    kind_count_max: int, rest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tuning = Tuning(reject_kind_count_max=kind_count_max, reject_kind_shown_count_max=2)
    config = Config(tuning=tuning)
    with RejectsFile(tmp_path / "rejects.csv", config) as rejects:
        print_rejected(rejects, 0, config)
        for line, reason in enumerate(("odd: '\x1b[2J'", "late", "early", "odd: '\x1b[2J'"), 1_000):
            rejects.add("a.csv", line, reason, "the text of the row")
        print_rejected(rejects, 2_000, config)
    assert capsys.readouterr().err.splitlines() == [
        f"rejected rows: 4 of 2,000, in {tmp_path}/rejects.csv",
        "  2 rows: odd: '\\x1b[2J'; first a.csv line 1,000",
        "  1 row: late; first a.csv line 1,001",
        rest,
    ]
