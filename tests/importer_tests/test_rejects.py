"""The CSV file of rejected lines."""

from pathlib import Path

import pytest
from pegcount.config import Config
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


def test_an_unwritable_path_is_reported(tmp_path: Path) -> None:
    with (
        RejectsFile(tmp_path / "none" / "rejects.csv", Config()) as rejects,
        pytest.raises(ImportFileError, match="none"),
    ):
        rejects.add("a.csv", 1, "why", "x")
