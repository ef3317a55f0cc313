"""Rules of length: functions, files, the README."""

import ast
import re
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rust_source import code_of, end_of_braces, outside_tests, without_aside
from test_tidy import CORE, MAY_PANIC, PACKAGE, PYTHON, ROOT, RUST, name_of, sources, tree_of

FUNCTION_LINES_MAX = 70
FUNCTION_LINES_MEDIAN_MAX = 12
FILE_LINES_MAX = 500
README_LINES_MAX = 150


@dataclass(frozen=True)
class Function:
    """A function and its number of lines, from its first to its last."""

    place: str
    lines: int


def rust_functions(name: str, code: str) -> Iterator[Function]:
    for match in re.finditer(r"\bfn\s+(\w+)", code):
        end = end_of_braces(code, match.end())
        if end > match.end():
            yield Function(f"{name}: {match[1]}", code.count("\n", match.start(), end) + 1)


def python_functions(name: str, tree: ast.Module) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield Function(f"{name}: {node.name}", node.end_lineno - node.lineno + 1)


def functions_of(paths: list[Path]) -> list[Function]:
    found: list[Function] = []
    for path in paths:
        if path.suffix == ".py":
            found += python_functions(name_of(path), tree_of(path))
        else:
            found += rust_functions(name_of(path), code_of(path))
    return found


@pytest.mark.parametrize("paths", [PYTHON, RUST], ids=["Python", "Rust"])
def test_no_function_is_longer_than_a_screen(paths: list[Path]) -> None:
    found = functions_of(paths)
    assert len(found) > 100
    assert [function for function in found if function.lines > FUNCTION_LINES_MAX] == []


@pytest.mark.parametrize(
    "paths", [sources(".py", PACKAGE), sources(".rs", CORE / "src")], ids=["Python", "Rust"]
)
def test_most_functions_are_short(paths: list[Path]) -> None:
    lengths = sorted(function.lines for function in functions_of(paths))
    median = statistics.median(lengths)
    print(
        f"{len(lengths)} functions: median {median:g}, 90 % {lengths[len(lengths) * 9 // 10]}, {lengths[-1]}"
    )
    assert median < FUNCTION_LINES_MEDIAN_MAX


def test_no_file_is_too_long() -> None:
    lengths = {name_of(path): path.read_text(encoding="utf-8").count("\n") for path in PYTHON + RUST}
    longest = max(lengths, key=lambda name: lengths[name])
    print(f"{len(lengths)} files, the longest is {longest} with {lengths[longest]} lines")
    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= README_LINES_MAX


RUST_SNIPPET = """
// fn not_this() { unwrap() }
fn one<'a>(text: &'a str) -> [i64; 2] { "}" ; '}'; r#"" }"#; [1, 2] }
trait Two { fn without_body(&self); }
fn three() {
    let closure = || { 1 };
}
#[cfg(test)]
mod tests {
    fn four() { panic!() }
}
fn five() {}
"""


def test_rust_is_read_as_rust() -> None:
    """The search that the rules about Rust rely on."""
    code = without_aside(RUST_SNIPPET)
    assert code.count("\n") == RUST_SNIPPET.count("\n")
    found = [(function.place, function.lines) for function in rust_functions("x", code)]
    assert found == [("x: one", 1), ("x: three", 3), ("x: four", 1), ("x: five", 1)]
    assert "panic" not in outside_tests(code)
    assert "five" in outside_tests(code)
    assert [match[0] for match in MAY_PANIC.finditer("a.unwrap() b.unwrap_or(1) c.expect() panic!()")] == [
        ".unwrap(",
        ".expect(",
        "panic!",
    ]
