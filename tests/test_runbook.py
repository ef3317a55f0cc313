"""What the runbook quotes is what an operator sees."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pegcount.config import Config
from pegcount.errors import PegcountError
from pegcount.logs.line_formats import JsonFormat, TextFormat
from pegcount.store import EmbeddedStore
from test_tidy import ROOT

_PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_SENTENCES = re.findall(
    r"`([^`]+)`",
    "".join(
        line.split(" | ")[0]
        for line in _PAGE.partition("#### A start that fails\n")[2].partition("\n###")[0].split("\n")
        if line.startswith("| ")
    ),
)
"""Those of failed starts; an ellipsis stands for a name."""
_OF_PROBLEMS = re.compile('"\\(warning\\|error\\)"[^\'\n]+')


def _without_catalogue(data: Path) -> None:
    (data / "catalog.db").unlink()


def _other_catalogue(data: Path) -> None:
    (data / "catalog.db").write_text("not a database " * 100, encoding="utf-8")


def _damaged_catalogue(data: Path) -> None:
    with (data / "catalog.db").open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 3_000)


def _without_anything(data: Path) -> None:
    data.rename(data.with_name("moved"))


def _emptied(data: Path) -> None:
    _without_anything(data)
    data.mkdir()


@pytest.mark.parametrize(
    "fault", [_without_catalogue, _other_catalogue, _damaged_catalogue, _without_anything, _emptied]
)
def test_the_sentence_of_a_failed_start_is_in_the_runbook(
    tmp_path: Path, fault: Callable[[Path], None]
) -> None:
    data = tmp_path / "data"
    EmbeddedStore(data, Config(), create=True).close()
    (data / "segments").mkdir(exist_ok=True)
    fault(data)
    with pytest.raises(PegcountError) as caught:
        EmbeddedStore(data, Config()).close()
    assert _quoted(str(caught.value)), str(caught.value)


def _quoted(sentence: str) -> list[str]:
    return [each for each in _SENTENCES if re.search(re.escape(each).replace("…", ".+"), sentence)]


@pytest.mark.parametrize("form", [TextFormat(), JsonFormat()], ids=["text", "json"])
@pytest.mark.parametrize(
    ("level", "is_found"), [(logging.INFO, False), (logging.WARNING, True), (logging.ERROR, True)]
)
def test_the_expression_for_the_log_finds_its_problems(
    form: logging.Formatter, level: int, is_found: bool
) -> None:
    (expression,) = _OF_PROBLEMS.findall(_PAGE)
    record = logging.LogRecord("pegcount.store", level, "", 1, "a flush took 3 ms", None, None)
    assert bool(re.search(expression, form.format(record))) == is_found


def test_each_setting_is_looked_up_in_the_file_of_the_server() -> None:
    """Without the file, the command shows defaults."""
    runbook = _PAGE.partition("\n## Alerts\n")[2].partition("\n## ")[0]
    commands = re.findall(r"`pegcount config show([^`]*)`", runbook)
    assert len(commands) > 1
    assert [each for each in commands if "--config /etc/pegcount/pegcount.toml" not in each] == []
