"""Each command on the page about reports prints what the page shows."""

import re
import shlex

import pytest
from documented_calls import ROOT, sections

from cli_tests.report_tests.running import run

PAGE = ROOT / "docs" / "reports.md"
COMMANDS = [
    (command.strip(), shown.strip())
    for section in sections(PAGE)
    for block in section.blocks()
    for command, _, shown in [
        piece.partition("\n\n") for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    ]
]


@pytest.mark.parametrize(("command", "shown"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_a_command_prints_what_the_page_shows(
    command: str,
    shown: str,
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    program, *arguments = shlex.split(command)
    assert program == "pegcount"
    assert run(monkeypatch, *arguments, "--server", address) == 0
    assert capsys.readouterr().out.strip() == shown


def test_each_report_is_on_the_page() -> None:
    reports = {shlex.split(command)[2] for command, _ in COMMANDS}
    assert reports == {"usage", "active", "folders", "quality", "traffic", "busy-hour"}
    assert len(COMMANDS) == PAGE.read_text(encoding="utf-8").count("    $ ")
