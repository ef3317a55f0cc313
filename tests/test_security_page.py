"""The commands of docs/security.md, one after the other, by somebody who follows the page."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from documented_calls import ADDRESS, PRIVACY_PAGE, ROOT, SECURITY_PAGE, as_shown, parts, sections
from grpcurl import grpcurl_path

_END = "the command has ended"


@dataclass(frozen=True)
class Command:
    """A command of the page, and what the page shows of its output."""

    text: str
    shown: str


def commands() -> Iterator[Command]:
    for section in sections(SECURITY_PAGE):
        for block in section.blocks():
            for text in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, shown = text.partition("\n\n")
                yield Command(command.strip(), shown.strip())


class Reader:
    """Follows the page in one shell, in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        programs = directory / "bin"
        programs.mkdir()
        for name, module in (("pegcount", "-m pegcount"), ("python", "")):
            (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {module} "$@"\n')
            (programs / name).chmod(0o755)
        (directory / "samples").symlink_to(ROOT / "samples")
        path = f"{programs}{os.pathsep}{grpcurl_path().parent}{os.pathsep}{os.environ['PATH']}"
        self._directory = directory
        self._environment = {**os.environ, "PATH": path}
        self._address = ADDRESS
        self._stack = ExitStack()
        self._shell = self._start("bash", stdin=subprocess.PIPE, stderr=subprocess.STDOUT)

    def follow(self, command: Command) -> str:
        """Runs a command, and returns what it prints; that of a server goes on until the end."""
        if command.text.startswith("pegcount serve"):
            server = self._start(*shlex.split(command.text.replace(ADDRESS, "127.0.0.1:0")))
            assert server.stdout is not None
            said, _, self._address = server.stdout.readline().strip().rpartition(" ")
            assert said == "listening on"
            return ""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        print(command.text.replace(ADDRESS, self._address), file=self._shell.stdin)
        print(f"echo; echo '{_END}'", file=self._shell.stdin, flush=True)
        return "".join(iter(self._shell.stdout.readline, f"{_END}\n")).replace(self._address, ADDRESS)

    def close(self) -> None:
        self._stack.close()

    def _start(self, *arguments: str, **streams: int) -> "subprocess.Popen[str]":
        process: subprocess.Popen[str] = subprocess.Popen(
            arguments,
            cwd=self._directory,
            env=self._environment,
            stdout=subprocess.PIPE,
            text=True,
            executable=self._directory / "bin" / "pegcount" if arguments[0] == "pegcount" else None,
            **streams,  # type: ignore[call-overload]
        )
        self._stack.enter_context(process)
        self._stack.callback(process.terminate)
        return process


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    found = Reader(tmp_path)
    yield found
    found.close()


def test_the_page_tells_what_happens(reader: Reader) -> None:
    followed = 0
    for command in commands():
        printed, shown = parts(reader.follow(command)), parts(command.shown)
        if command.shown:
            assert as_shown(printed, shown) == shown, command.text
        followed += 1
    assert followed > 10


@pytest.mark.parametrize("page", [SECURITY_PAGE, PRIVACY_PAGE], ids=lambda page: page.stem)
def test_each_promise_stands_beside_a_test_that_exists(page: Path) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", page.read_text(encoding="utf-8"))
    assert len(named) > 10
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists() or f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert missing == []
