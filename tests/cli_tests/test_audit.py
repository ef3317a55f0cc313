"""`pegcount audit`, run in processes of its own."""

import csv
import json
import os
import pwd
from pathlib import Path

import pytest
from pegcount.cli.local_admin import user_name

from cli_tests.test_command_line import pegcount, serving

USER = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory with a credential and a deletion."""
    arguments = ("--create", "--data", tmp_path / "data", "--name", "operator", "--scope", "root")
    assert pegcount("key", "create", *arguments).returncode == 0
    assert pegcount("delete", "--data", tmp_path / "data", "--id", "s\x1b[2J1").returncode == 0
    return tmp_path / "data"


def printed(*arguments: str | Path) -> str:
    result = pegcount("audit", *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_a_table_has_a_line_for_each_entry(data: Path) -> None:
    newest, oldest = printed("--data", data).splitlines()
    assert newest.startswith("2 2")
    assert newest.endswith(f' {USER}: DeleteRecords {{"session_ids": ["s\\u001b[2J1"]}}: OK')
    assert oldest.startswith("1 2")
    assert oldest.endswith(f' {USER}: CreateCredential {{"name": "operator", "scopes": ["SCOPE_ROOT"]}}: OK')


def test_entries_are_printed_as_json_and_csv(data: Path) -> None:
    entries = json.loads(printed("--data", data, "--format", "json"))
    assert [(one["entry_id"], one["method"], one["caller_id"]) for one in entries] == [
        (2, "DeleteRecords", None),
        (1, "CreateCredential", None),
    ]
    header, *rows = csv.reader(printed("--data", data, "--format", "csv").splitlines())
    assert header == list(entries[0])
    assert rows == [["" if value is None else str(value) for value in one.values()] for one in entries]


def test_entries_are_listed_in_pages(data: Path) -> None:
    assert printed("--data", data, "--limit", "1").startswith("2 ")
    assert printed("--data", data, "--before", "2").startswith("1 ")
    assert printed("--data", data, "--before", "1") == "there are no entries\n"


def test_a_refused_command_is_noted(data: Path) -> None:
    assert pegcount("delete", "--data", data, "--lift", "7").returncode == 2
    assert printed("--data", data, "--limit", "1").endswith("DELETION_NOT_FOUND\n")


def test_erasures_and_masking_are_noted_without_their_numbers(data: Path) -> None:
    assert pegcount("erase", "--data", data, "--party", "+1 555 010 0123", "--yes").returncode == 0
    masking = ("--after-days", "30", "--keep-digits", "6", "--yes")
    assert pegcount("masking", "--data", data, *masking).returncode == 0
    masked, erased = printed("--data", data, "--limit", "2").splitlines()
    assert masked.endswith('SetMasking {"masking": {"after_days": 30, "keep_digits": 6}}: OK')
    assert erased.endswith('EraseParties {"parties": ["+1 55* *** ****"]}: OK')


def test_a_command_that_changes_nothing_is_not_noted(data: Path) -> None:
    assert pegcount("delete", "--data", data, "--list").returncode == 0
    assert pegcount("delete", "--data", data, "--all", "--dry-run").returncode == 0
    assert pegcount("key", "list", "--data", data).returncode == 0
    assert len(printed("--data", data).splitlines()) == 2


def test_entries_come_from_a_server(data: Path) -> None:
    text = pegcount("key", "rotate", "--data", data, id_of_the_operator(data)).stdout.strip()
    with serving(data) as (address, _):
        result = pegcount("audit", "--server", address, "--api-key", text, "--limit", "1")
    assert result.stdout.split(": ")[1].startswith("RotateCredential")


def id_of_the_operator(data: Path) -> str:
    return pegcount("key", "list", "--data", data).stdout.split()[0]


def test_no_variable_changes_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody")
    monkeypatch.setenv("USER", "somebody")
    assert user_name() == USER


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 987_654)
    assert user_name() == "user 987654"
