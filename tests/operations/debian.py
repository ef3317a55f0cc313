"""Programs of Debian packages, unpacked beside the checkout and not installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_CACHE = _ROOT / ".cache" / "operations"
_SECONDS_MAX = 300.0


def unpacked(package: str) -> Path:
    """Returns where the files of a package are, as if that were `/`; skips the test if it cannot be had."""
    target = _CACHE / package
    if target.is_dir():
        return target
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        pytest.skip(f"NOT TESTED: {package} is a package of Debian, and apt-get is missing")
    download = _CACHE / f"{package}.download"
    shutil.rmtree(download, ignore_errors=True)
    download.mkdir(parents=True)
    try:
        _run("apt-get", "download", package, directory=download)
        (archive,) = download.glob("*.deb")
        _run("dpkg-deb", "--extract", archive.name, "files", directory=download)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"NOT TESTED: {package} cannot be downloaded: {error.stderr.strip()}")
    (download / "files").rename(target)
    shutil.rmtree(download)
    return target


def _run(*command: str, directory: Path) -> None:
    subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True, timeout=_SECONDS_MAX)
