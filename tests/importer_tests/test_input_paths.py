"""Which files the arguments of an import name."""

from pathlib import Path

import pytest
from pegcount.errors import ImportFileError
from pegcount.importers import STANDARD_INPUT, default_rejects, input_paths


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A directory as rotation leaves it: older logs, an empty new one, files of others."""
    logs = tmp_path / "cdr-csv"
    (logs / "accounts").mkdir(parents=True)
    for name in ("cdr-20260310091500.csv", "Master.csv", "cdr-20260310090000.csv.gz", ".lock", "rejects.csv"):
        (logs / name).touch()
    (logs / "accounts" / "alice.csv").touch()
    return logs


def names(argument: Path, rejects: Path) -> list[str]:
    (found,) = input_paths([argument], rejects)
    assert not found.is_single
    assert found.argument == argument
    return [path.name for path in found.files]


def test_a_directory_stands_for_its_files(logs: Path) -> None:
    found = ["Master.csv", "cdr-20260310090000.csv.gz", "cdr-20260310091500.csv"]
    assert names(logs, logs / "rejects.csv") == found
    assert names(logs, logs.parent / "cdr-csv" / ".." / "cdr-csv" / "rejects.csv") == found
    assert names(logs, Path("elsewhere.csv")) == [*found, "rejects.csv"]


def test_a_glob_stands_for_the_files_that_match(logs: Path) -> None:
    assert names(logs / "cdr-*", Path("r")) == ["cdr-20260310090000.csv.gz", "cdr-20260310091500.csv"]
    assert names(logs / "*", logs / "rejects.csv") == names(logs, logs / "rejects.csv")
    assert names(logs / "**" / "a*.csv", Path("r")) == ["alice.csv"]


def test_a_file_whose_name_looks_like_a_glob_is_a_file(logs: Path) -> None:
    (logs / "log[1].csv").touch()
    (found,) = input_paths([logs / "log[1].csv"], Path("r"))
    assert (found.is_single, found.files) == (True, [logs / "log[1].csv"])


def test_arguments_keep_their_order(logs: Path) -> None:
    found = input_paths([STANDARD_INPUT, logs / "missing", logs / "Master.csv"], Path("r"))
    assert [one.files for one in found] == [[STANDARD_INPUT], [logs / "missing"], [logs / "Master.csv"]]


def test_arguments_without_files_are_refused(logs: Path) -> None:
    (logs / "empty").mkdir()
    (logs / "empty" / ".hidden").touch()
    for argument in (logs / "empty", logs / "*.zst"):
        with pytest.raises(ImportFileError, match="no files"):
            input_paths([argument], Path("r"))
    with pytest.raises(ImportFileError, match="standard input"):
        input_paths([STANDARD_INPUT, STANDARD_INPUT], Path("r"))


def test_the_rejects_file_cannot_be_imported_into_itself(logs: Path) -> None:
    with pytest.raises(
        ImportFileError, match="is the file for rejected rows; name another one with --rejects"
    ):
        input_paths([logs / "rejects.csv"], logs / "rejects.csv")


def test_rejects_files_of_other_imports_are_left_out(logs: Path) -> None:
    (logs / "Master.rejects.csv").touch()
    assert "Master.rejects.csv" not in names(logs, Path("r")) + names(logs / "*", Path("r"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["calls.csv"], "calls.rejects.csv"),
        (["logs/calls.csv", "other.csv"], "calls.rejects.csv"),
        (["calls.csv.gz"], "calls.rejects.csv"),
        (["calls.jsonl.zst"], "calls.rejects.csv"),
        (["calls"], "calls.rejects.csv"),
        (["cdr.2026.csv"], "cdr.2026.rejects.csv"),
        (["-"], "stdin.rejects.csv"),
        (["cdr.2026"], "cdr.2026.rejects.csv"),
        ([".", "calls.csv"], "cdr-csv.rejects.csv"),
        (["accounts/.."], "cdr-csv.rejects.csv"),
        (["*.csv"], "cdr-csv.rejects.csv"),
        (["accounts/**/a?.csv"], "accounts.rejects.csv"),
        (["log[1].csv"], "log[1].rejects.csv"),
    ],
)
def test_the_rejects_file_is_named_after_the_first_argument(
    arguments: list[str], expected: str, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (logs / "log[1].csv").touch()
    (logs / "cdr.2026").mkdir()
    monkeypatch.chdir(logs)
    assert default_rejects([Path(argument) for argument in arguments]) == Path(expected)
