"""Reads Rust without comments and strings, for rules about its shape."""

import re
from pathlib import Path

RUST_ASIDE = re.compile(
    r"""//[^\n]*                         # a comment to the end of the line
    | /\*.*?\*/                          # any other comment
    | \bb?r(\#*)".*?"\1                  # a raw string
    | "(?:\\.|[^"\\])*"                  # a string
    | '(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\])'  # a character; a lifetime has no second quote
    """,
    re.VERBOSE | re.DOTALL,
)


def without_aside(text: str) -> str:
    """Rust without comments and the content of strings, with the same lines."""
    return RUST_ASIDE.sub(lambda match: '""' + "\n" * match[0].count("\n"), text)


def code_of(path: Path) -> str:
    return without_aside(path.read_text(encoding="utf-8"))


def end_of_braces(code: str, start: int) -> int:
    """The place after the brace that closes the first from `start` on; `start` where a `;` comes before."""
    depth = 0
    for place in range(start, len(code)):
        if code[place] in "([{":
            depth += 1
        elif code[place] in ")]}":
            depth -= 1
            if depth == 0 and code[place] == "}":
                return place + 1
        elif code[place] == ";" and depth == 0:
            return start
    return start


def outside_tests(code: str) -> str:
    """Rust code without its modules of tests."""
    while (start := code.find("#[cfg(test)]")) >= 0:
        code = code[:start] + code[end_of_braces(code, start + len("#[cfg(test)]")) :]
    return code
