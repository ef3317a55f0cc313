"""Builds the packages as `make dist` does."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from packages.environment import REPOSITORY, variables

DIST_ENVIRONMENT = REPOSITORY / ".cache" / "dist-venv"
PROTO_ENVIRONMENT = REPOSITORY / ".cache" / "proto-venv"


@dataclass(frozen=True)
class Packages:
    """The built files, and what the build printed."""

    wheel: Path
    line_tables: Path
    """The debug information that the extension in the wheel lacks."""
    sdist: Path
    client_wheel: Path
    client_sdist: Path
    printed: str

    def files(self) -> list[Path]:
        """Returns all files that are published."""
        return [self.wheel, self.line_tables, self.sdist, self.client_wheel, self.client_sdist]


def build_packages(directory: Path) -> Packages:
    """Builds all packages into a directory; takes minutes."""
    process = subprocess.run(
        [REPOSITORY / ".ci" / "dist", DIST_ENVIRONMENT, directory],
        capture_output=True,
        text=True,
        check=False,
        env=variables(),
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return Packages(
        wheel=only(directory, "pegcount-*.whl"),
        line_tables=only(directory, "pegcount-*.debug"),
        sdist=only(directory, "pegcount-*.tar.gz"),
        client_wheel=only(directory, "pegcount_client-*.whl"),
        client_sdist=only(directory, "pegcount_client-*.tar.gz"),
        printed=process.stdout,
    )


def build_client(source: Path, directory: Path) -> Path:
    """Builds the wheel of a client from its folder."""
    build = (DIST_ENVIRONMENT / "bin" / "python", "-m", "build", "--no-isolation", "--wheel")
    subprocess.run(
        [*build, "--outdir", directory, source],
        check=True,
        capture_output=True,
        env=variables(),
    )
    return only(directory, "pegcount_client-*.whl")


def only(directory: Path, pattern: str) -> Path:
    """Returns the file of a directory that a pattern matches."""
    (path,) = directory.glob(pattern)
    return path
