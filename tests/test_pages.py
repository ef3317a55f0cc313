"""Pages name files, and link to places, that exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_tidy import ROOT, name_of, sources

PAGES = sources(".md")
MAP = ROOT / "CONTRIBUTING.md"

INDENTED = re.compile(r"^ {4}.*$", re.MULTILINE)
INLINE_CODE = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
PATH = re.compile(r"[\w.*-]*(?:/[\w.*-]+)+/?|[\w.*-]+/|[\w*-]+\.(?:md|proto|pyi?|rs|sh|toml|txt)|Makefile")


def prose(text: str) -> str:
    """Returns a page without its blocks of commands."""
    return INDENTED.sub("", text)


def links(text: str) -> Iterator[str]:
    """Yields the targets of links within the project."""
    for target in LINK.findall(INLINE_CODE.sub("", prose(text))):
        if "://" not in target:
            yield target


def anchor(heading: str) -> str:
    """Returns the anchor that a web page of the project gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def leads_somewhere(page: Path, target: str) -> bool:
    name, _, place = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.exists():
        return False
    return not place or place in map(anchor, HEADING.findall(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert [target for target in links(text) if not leads_somewhere(page, target)] == []


def paths(text: str) -> list[str]:
    """Returns what looks like a path of the project among the words in backticks."""
    return [name for name in INLINE_CODE.findall(prose(text)) if PATH.fullmatch(name)]


def test_the_map_of_the_code_names_files_that_exist() -> None:
    named = paths(MAP.read_text(encoding="utf-8"))
    assert len(named) > 50
    assert [name for name in named if not any(ROOT.glob(name))] == []


def targets() -> set[str]:
    """Returns the tasks that `make help` lists."""
    return set(re.findall(r"^## ([\w-]+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_each_task_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(r"(?:`|\$ | {4})make ([a-z][\w-]*)", page.read_text(encoding="utf-8"))
    assert set(named) - {"help"} <= targets()


def test_tasks_are_found() -> None:
    assert {"build", "lint", "test", "test-notebook"} < targets()


def parts_of_the_project() -> list[str]:
    """Returns the packages of the service, the layers of the core and the folders of tests."""
    parents = ("python/pegcount", "rust/aggcore/src", "tests")
    folders = [path for parent in parents for path in (ROOT / parent).iterdir() if path.is_dir()]
    return [f"{name_of(path)}/" for path in folders if sources(".py", path) or sources(".rs", path)]


def test_the_map_shows_each_part() -> None:
    named = set(paths(MAP.read_text(encoding="utf-8")))
    assert [name for name in parts_of_the_project() if name not in named] == []


def test_pages_are_read_as_pages() -> None:
    """The searches that the tests above rely on."""
    text = "[x](y.md#z) `[no](no.md)` [out](https://example.com) `a/b.py` `a.b` `-n 2`\n    [no](no)\n"
    assert list(links(text)) == ["y.md#z"]
    assert paths(text) == ["a/b.py"]
    assert anchor("A, `b` & c") == "a-b--c"
    assert leads_somewhere(MAP, "README.md#limits")
    assert not leads_somewhere(MAP, "README.md#no-such-place")
    assert not leads_somewhere(MAP, "no-such-page.md")
