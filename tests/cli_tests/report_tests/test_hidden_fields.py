"""Default fields that the credential does not show are left out; those that were asked for are not."""

from pathlib import Path

import pytest
from pegcount.auth import Scope
from pegcount.v1 import admin_pb2
from server_tests.example_requests import active_record
from server_tests.keys import guarded

from cli_tests.report_tests.running import run


def test_hidden_default_fields_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scope = admin_pb2.DataScope(orig_clients_id=[11], hidden_fields=["duration"])
    with guarded(tmp_path) as held:
        held.service.write(active_record("d1", orig_clients_id=11, orig_clients_name="north"))
        made = held.create("customer", Scope.READ_REPORTS, data_scope=scope)
        monkeypatch.setenv("PEGCOUNT_API_KEY", made.secret)
        address = ("--server", held.service.address)
        assert run(monkeypatch, "report", "active", *address) == 0
        shown = capsys.readouterr().out
        assert "notice: the credential does not show term_clients_name, duration\n" in shown
        assert "north" in shown
        assert run(monkeypatch, "report", "active", "term_clients_name", *address) == 2
    assert "the credential does not show term_clients_name; leave it out" in capsys.readouterr().err
