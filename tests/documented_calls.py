"""Runs the grpcurl commands that a page shows, over the records of samples/, and reads what they print.

A command begins with `$` in an indented block and ends at an empty line. What follows it in the block, up to
the next command, is its answer. Each section of a page begins with the same records; the clock stands still.
"""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grpcurl import grpcurl_path

ROOT = Path(__file__).parents[1]
SECURITY_PAGE = ROOT / "docs" / "security.md"
PRIVACY_PAGE = ROOT / "docs" / "privacy.md"
"""Its commands build on each other; `test_security_page.py` runs them."""
PAGES = [ROOT / "README.md", *sorted({*(ROOT / "docs").glob("*.md")} - {SECURITY_PAGE})]
ADDRESS = "127.0.0.1:50051"
"""The address of the server in the pages."""
ANY_TEXT = "…"
"""In an answer on a page: what differs from run to run."""

_WRITING_METHODS = ["WriteRecords", "PutCodeDeck", "SetRetention", "EraseParties", "SetMasking"]
_COMMAND = re.compile(r"^\$ ", re.MULTILINE)


@dataclass(frozen=True)
class Call:
    """A command of a page and the answer that the page shows, "" if it shows none."""

    command: str
    answer: str


@dataclass(frozen=True)
class Section:
    """The text below a heading, up to the next heading."""

    page: str
    heading: str
    text: str

    def blocks(self) -> list[str]:
        """Returns the indented blocks without their indentation."""
        found = re.findall(r"(?:^ {4}.*\n|^ *\n(?=(?: *\n)* {4}))+", self.text, re.MULTILINE)
        return [re.sub(r"^ {4}", "", block, flags=re.MULTILINE).strip() for block in found]

    def calls(self) -> list[Call]:
        """Returns the calls of grpcurl among the commands."""
        found = [command for block in self.blocks() for command in _COMMAND.split(block)[1:]]
        halves = [command.partition("\n\n") for command in found]
        return [Call(command, answer.strip()) for command, _, answer in halves if "grpcurl -" in command]

    def may_change_the_store(self) -> bool:
        """Returns whether one of the calls writes something, which another section could see."""
        return any(method in call.command for call in self.calls() for method in _WRITING_METHODS)


def sections(page: Path) -> list[Section]:
    """Splits a page at its headings."""
    _, *parts = re.split(r"^#+ (.*)\n", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [Section(page.name, heading, text) for heading, text in zip(parts[::2], parts[1::2], strict=True)]


def output_of(call: Call, address: str) -> str:
    """Runs a command in a shell at the root of the project; its errors follow its output."""
    command = call.command.replace(ADDRESS, address).replace(".venv/bin/", "")
    path = f"{grpcurl_path().parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return (process.stdout + process.stderr).replace(address, ADDRESS)


def parts(output: str) -> list[Any]:
    """Splits an output into its JSON values and other lines, without the layout.

    The layout differs between builds of grpcurl, and the pages have fewer lines.
    """
    found, decoder = list[Any](), json.JSONDecoder()
    while output := output.strip():
        if output.startswith("{"):
            value, end = decoder.raw_decode(output)
            found.append(value)
        else:
            # Details of a status are numbered: `1)` and a JSON value.
            line = re.match(r"\d+\)\s|.*", output)
            end = line.end() if line else 0
            found.append(output[:end].strip())
        output = output[end:]
    return found


def as_shown(printed: object, shown: object) -> object:
    """Returns what was printed; texts that differ only where the page has `…` are as the page has them."""
    if isinstance(printed, str) and isinstance(shown, str):
        pattern = ".*".join(map(re.escape, shown.split(ANY_TEXT)))
        return shown if re.fullmatch(pattern, printed, re.DOTALL) else printed
    if isinstance(printed, dict) and isinstance(shown, dict):
        return {name: as_shown(value, shown.get(name)) for name, value in printed.items()}
    if isinstance(printed, list) and isinstance(shown, list) and len(printed) == len(shown):
        return [as_shown(*pair) for pair in zip(printed, shown, strict=True)]
    return printed
