"""What reports look like: each file of `captures` is a command and what it prints.

The first line of a file has the columns of the terminal, then the command.
"""

from pathlib import Path

import pytest
from rich.cells import cell_len

from cli_tests.report_tests.running import run

CAPTURES = sorted((Path(__file__).parent / "captures").glob("*.txt"))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_a_report_prints_what_the_file_shows(
    path: Path, address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command, shown = path.read_text(encoding="utf-8").split("\n", 1)
    columns, _, arguments = command.partition(" columns: pegcount ")
    monkeypatch.setenv("COLUMNS", columns)
    assert run(monkeypatch, *arguments.split(), "--server", address) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (shown, "")
    if not {"--csv", "--json"} & set(arguments.split()):
        assert max(map(cell_len, printed.out.splitlines())) <= int(columns)


def test_each_report_is_captured_at_two_widths() -> None:
    reports = ("usage", "active", "folders", "quality")
    names = {path.stem for path in CAPTURES}
    assert {f"{report}-{width}" for report in reports for width in (80, 160)} <= names
    assert {f"{report}-plot" for report in reports} <= names
