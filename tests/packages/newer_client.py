"""A client of another version, whose contract has a field more than that of this repository."""

import re
import shutil
import subprocess
from pathlib import Path

from packages.environment import REPOSITORY, variables
from packages.packages import PROTO_ENVIRONMENT, build_client

FIELD = "of_a_newer_contract"
_MESSAGE = "message QueryAsrUsageRequest {"


def client_of_version(version: str, directory: Path) -> Path:
    """Builds the client of this repository as another version."""
    return build_client(_copy_of_client(version, directory), directory / "dist")


def client_of_newer_contract(version: str, directory: Path) -> Path:
    """Builds a client of another version with the field FIELD, a text, in QueryAsrUsageRequest."""
    source = _copy_of_client(version, directory)
    proto = directory / "proto"
    shutil.copytree(REPOSITORY / "proto", proto)
    reports = proto / "pegcount" / "v1" / "reports.proto"
    text = reports.read_text(encoding="utf-8")
    assert text.count(_MESSAGE) == 1
    reports.write_text(text.replace(_MESSAGE, f"{_MESSAGE}\n  string {FIELD} = 1000;\n"), encoding="utf-8")
    subprocess.run(
        [
            *(PROTO_ENVIRONMENT / "bin" / "python", "-m", "grpc_tools.protoc", "-I", proto),
            *(f"--{kind}_out={source}" for kind in ("python", "pyi", "grpc_python")),
            *sorted(proto.glob("pegcount/v1/*.proto")),
        ],
        check=True,
        capture_output=True,
        env=variables(),
    )
    return build_client(source, directory / "dist")


def _copy_of_client(version: str, directory: Path) -> Path:
    source = directory / "client"
    shutil.copytree(REPOSITORY / "clients" / "python", source)
    project = source / "pyproject.toml"
    text, count = re.subn(
        r'^version = ".*"$', f'version = "{version}"', project.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert count == 1
    project.write_text(text, encoding="utf-8")
    return source
