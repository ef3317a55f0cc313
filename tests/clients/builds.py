"""Builds the clients, below .cache/clients, so that a second run finds most of the work done."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests" / "clients"
EXAMPLES = ROOT / "examples"
PROTO_FILES = sorted((ROOT / "proto").glob("**/*.proto"))
CACHE = ROOT / ".cache" / "clients"
PROGRAMS_BUILT = CACHE / "bin"
NEXT_TO_PYTHON = Path(sys.executable).parent

Command = Sequence[str | Path]

_PROTO_PYTHON = ROOT / ".cache" / "proto-venv" / "bin" / "python"
_COLOUR_RESET = "\x1b[0m"
_BUILD_SECONDS_MAX = 900.0
_RUN_SECONDS_MAX = 120.0


def run(
    command: Command,
    directory: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    seconds_max: float = _RUN_SECONDS_MAX,
) -> str:
    """Runs a program and returns what it prints; fails the test with its output if the program fails."""
    process = run_any(command, directory, environment, seconds_max)
    if process.returncode != 0:
        words = " ".join(map(str, command))
        pytest.fail(f"{words}\n{process.stdout}{process.stderr}", pytrace=False)
    return process.stdout


def run_any(
    command: Command,
    directory: Path = ROOT,
    environment: Mapping[str, str] | None = None,
    seconds_max: float = _RUN_SECONDS_MAX,
) -> "subprocess.CompletedProcess[str]":
    process = subprocess.run(
        list(map(str, command)),
        cwd=directory,
        env=os.environ | dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=seconds_max,
        check=False,
    )
    # Maven resets the colour at its end, also without colours.
    process.stdout = process.stdout.replace(_COLOUR_RESET, "")
    process.stderr = process.stderr.replace(_COLOUR_RESET, "")
    return process


def build(command: Command, directory: Path = ROOT, **environment: str) -> None:
    run(command, directory, environment, _BUILD_SECONDS_MAX)


def require(program: str, package: str) -> None:
    """Fails the test if a program that it needs is missing."""
    if shutil.which(program) is None:
        pytest.fail(f"{program} is missing: install {package}", pytrace=False)


def installed_next_to_python(program: str, target: str) -> Path:
    """Returns the path of a program that a target of the Makefile installs."""
    path = NEXT_TO_PYTHON / program
    if not path.exists():
        pytest.fail(f"{program} is missing: run make {target}", pytrace=False)
    return path


def protoc() -> Path:
    """Returns the path of a program that calls the protoc of grpcio-tools."""
    path = PROGRAMS_BUILT / "protoc"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec "{_proto_python()}" -m grpc_tools.protoc "$@"\n')
    path.chmod(0o755)
    return path


def generated_python(name: str) -> Path:
    """Generates the Python code for one environment, as tests may run at once, and returns its folder."""
    out = CACHE / f"{name}-generated"
    build([".ci/generate-proto", _proto_python(), out])
    return out / "clients" / "python"


def virtual_environment(name: str, requirements: Path) -> Path:
    """Returns the Python of a virtual environment that has the required packages."""
    directory = CACHE / name
    python = directory / "bin" / "python"

    def install() -> None:
        # The pip of this environment installs into that one, which takes less time than a pip of its own.
        build([sys.executable, "-m", "venv", "--clear", "--without-pip", directory])
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
        build([*pip, "install", "--quiet", "--require-hashes", "-r", requirements])

    once(directory / "built", [requirements], install)
    return python


def go_environment() -> dict[str, str]:
    """Returns the environment in which Go programs are built, with protoc and its plugins in PATH."""
    require("go", "a Go toolchain")
    path = f"{protoc().parent}{os.pathsep}{os.environ['PATH']}"
    return {"GOBIN": str(PROGRAMS_BUILT), "PATH": path}


def once(stamp: Path, inputs: Sequence[Path], work: Callable[[], None]) -> None:
    """Does work unless it was done for the same inputs."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in inputs)).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    work()
    stamp.write_text(digest)


def _proto_python() -> Path:
    if not _PROTO_PYTHON.exists():
        pytest.fail("grpcio-tools is missing: run make proto", pytrace=False)
    return _PROTO_PYTHON
