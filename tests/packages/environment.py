"""A virtual environment outside of the repository, into which a test installs packages."""

import os
import re
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
_COMMAND_SECONDS_MAX = 900
_OF_THIS_RUN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS")
"""Variables through which an environment would see the repository, or build in another way."""


def variables(**more: str) -> dict[str, str]:
    """Returns the variables of a process that knows nothing of the repository."""
    return {name: value for name, value in os.environ.items() if name not in _OF_THIS_RUN} | more


@dataclass(frozen=True)
class Environment:
    """An environment; its commands run in its own directory."""

    directory: Path

    def run(self, *command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs a program of the environment, whatever its exit status; `more` are variables."""
        program, *arguments = map(str, command)
        return subprocess.run(
            [self.directory / "bin" / program, *arguments],
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS_MAX,
            check=False,
            cwd=self.directory,
            env=variables(**more),
        )

    def output(self, *command: str | Path, **more: str) -> str:
        """Runs a program that must succeed, and returns its standard output."""
        process = self.run(*command, **more)
        assert process.returncode == 0, f"{command}: {process.stdout}{process.stderr}"
        return process.stdout

    def install(self, *packages: str | Path, **more: str) -> None:
        """Installs files, and what they depend on as pip is configured."""
        self.output("pip", "install", "--quiet", "--disable-pip-version-check", *packages, **more)

    @contextmanager
    def serve(self, data: Path) -> Iterator[str]:
        """Yields the address of a service over a directory, which must end well after SIGTERM."""
        # Ten years, so that the active sessions of the samples are active still.
        command = ["serve", "--data", data, "--listen", "127.0.0.1:0", "--active-ttl", "315360000"]
        with subprocess.Popen(
            [self.directory / "bin" / "pegcount", *map(str, command)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.directory,
            env=variables(PYTHONUNBUFFERED="1"),
        ) as process:
            assert process.stdout is not None
            try:
                yield _address(process.stdout)
            finally:
                process.send_signal(signal.SIGTERM)
                rest = process.stdout.read()
        assert process.returncode == 0, rest


def _address(output: Iterable[str]) -> str:
    """Returns the address that a service prints once it listens."""
    said = []
    for line in output:
        if listening := re.match(r"listening on (\S+)", line):
            return listening[1]
        said.append(line)
    raise AssertionError(f"the service does not listen: {said}")


def new_environment(directory: Path, python: Path) -> Environment:
    """Makes an environment with an interpreter, outside of the repository."""
    assert REPOSITORY not in directory.resolve().parents
    subprocess.run([python, "-m", "venv", directory], check=True, env=variables())
    return Environment(directory)
