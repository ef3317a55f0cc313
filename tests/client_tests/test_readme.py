"""The program in the README of the client prints what the README shows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from documented_calls import ADDRESS, ROOT
from sample_service import service_over_samples

PAGE = (ROOT / "clients" / "python" / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Step:
    """A block of code, and what the page says that it prints."""

    code: str
    printed: str


def steps(page: str) -> Iterator[Step]:
    blocks = [*BLOCK.findall(page), ("end", "")]
    for (kind, code), (next_kind, text) in pairwise(blocks):
        if kind == "python":
            yield Step(code, text if next_kind == "text" else "")


def test_each_block_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The blocks are one program, which needs a file with certificates at its end."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ca.pem").write_text("none is read before a connection begins")
    names: dict[str, Any] = {"__name__": "readme"}
    with service_over_samples(tmp_path) as service:
        for step in steps(PAGE):
            code = compile(step.code.replace(ADDRESS, service.address), "README.md", "exec")
            exec(code, names)
            assert capsys.readouterr().out == step.printed, step.code


def test_the_page_has_only_blocks_that_are_run() -> None:
    kinds = [kind for kind, _ in BLOCK.findall(PAGE)]
    assert set(kinds) == {"python", "text"}
    assert PAGE.count("```") == 2 * len(kinds)
    assert len(list(steps(PAGE))) == kinds.count("python") > 5


def test_a_block_is_followed_by_what_it_prints() -> None:
    page = "```python\na\n```\nx\n```text\n1\n```\n```python\nb\n```\n```python\nc\n```\n"
    assert list(steps(page)) == [Step("a\n", "1\n"), Step("b\n", ""), Step("c\n", "")]
