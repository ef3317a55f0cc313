"""`pegcount audit`, run in processes of its own."""

import csv
import json
import os
import pwd
from pathlib import Path
from unittest import mock

import pytest
from pegcount.cli import app
from pegcount.cli.connection import Connection
from pegcount.cli.local_admin import user_name
from pegcount.v1 import admin_pb2
from typer.testing import CliRunner

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
    deleted = json.dumps({"session_ids": ["s\x1b[2J1"], "deleted": 0, "rule_id": 1})
    assert newest.endswith(f" user {USER} of the machine: DeleteRecords {deleted}: OK")
    assert oldest.startswith("1 2")
    made = json.dumps({"name": "operator", "scopes": ["SCOPE_ROOT"], "id": id_of_the_operator(data)})
    assert oldest.endswith(f" user {USER} of the machine: CreateCredential {made}: OK")


def test_entries_are_printed_as_json_and_csv(data: Path) -> None:
    entries = json.loads(printed("--data", data, "--format", "json"))
    assert [(one["entry_id"], one["method"], one["caller_id"]) for one in entries] == [
        (2, "DeleteRecords", None),
        (1, "CreateCredential", None),
    ]
    assert [one["caller_kind"] for one in entries] == ["user", "user"]
    header, *rows = csv.reader(printed("--data", data, "--format", "csv").splitlines())
    assert header == list(entries[0])
    assert rows == [["" if value is None else str(value) for value in one.values()] for one in entries]


def test_entries_are_listed_in_pages(data: Path) -> None:
    assert printed("--data", data, "--limit", "1").startswith("2 ")
    assert printed("--data", data, "--before", "2").startswith("1 ")
    assert printed("--data", data, "--before", "1") == "there are no entries\n"


def test_entries_are_listed_by_method_and_caller(data: Path) -> None:
    assert printed("--data", data, "--method", "CreateCredential").startswith("1 ")
    assert len(printed("--data", data, "--caller", USER, "--limit", "1").splitlines()) == 1
    assert len(printed("--data", data, "--caller", USER).splitlines()) == 2
    assert printed("--data", data, "--caller", "somebody else") == "there are no entries\n"
    result = pegcount("audit", "--data", data, "--method", "createCredentials")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.endswith('is not a method of AdminService; did you mean "CreateCredential"?\n')


def test_a_caller_is_searched_in_all_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """More entries than one answer has, of which the oldest is wanted."""
    kept = [admin_pb2.AuditEntry(entry_id=number, caller_name="b") for number in range(2_001, 1, -1)]
    kept.append(admin_pb2.AuditEntry(entry_id=1, caller_name="a", caller_id="c1"))
    admin = mock.Mock()
    admin.ListAuditEntries = lambda request: admin_pb2.ListAuditEntriesResponse(
        entries=[
            entry
            for entry in kept
            if not request.HasField("before_entry_id") or entry.entry_id < request.before_entry_id
        ][: request.limit]
    )
    client = mock.MagicMock()
    client.__enter__.return_value.admin = admin
    monkeypatch.setattr(Connection, "client", lambda _: client)
    command = CliRunner().invoke(app, ["audit", "--caller", "a", "--server", "127.0.0.1:1"])
    assert command.output.splitlines() == ["1 None 'a': None None: no outcome: at work, or ended by a crash"]


def test_a_refused_command_is_noted(data: Path) -> None:
    assert pegcount("delete", "--data", data, "--lift", "7").returncode == 2
    assert printed("--data", data, "--limit", "1").endswith("DELETION_NOT_FOUND\n")


def test_erasures_and_masking_are_noted_without_their_numbers(data: Path) -> None:
    assert pegcount("erase", "--data", data, "--party", "+1 555 010 0123", "--yes").returncode == 0
    masking = ("--after-days", "30", "--keep-digits", "6", "--yes")
    assert pegcount("masking", "--data", data, *masking).returncode == 0
    masked, erased = printed("--data", data, "--limit", "2").splitlines()
    assert masked.endswith('SetMasking {"masking": {"after_days": 30, "keep_digits": 6}}: OK')
    assert erased.endswith('EraseParties {"parties": ["+1 55* *** ****"], "records": 0, "erasure_id": 1}: OK')


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
