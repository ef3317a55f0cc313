"""What is in the built files, and on which systems they run."""

import platform
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest
from pegcount.importers import shipped_names

from packages.packages import Packages


def lines(*command: str | Path) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def names(path: Path) -> set[str]:
    """Files of a wheel or of an sdist, in the latter without the folder that all are in."""
    if path.suffix == ".whl":
        return set(zipfile.ZipFile(path).namelist())
    with tarfile.open(path) as sdist:
        return {name.partition("/")[2] for name in sdist.getnames()}


@pytest.fixture(scope="module")
def extension(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension of the wheel, as it is installed."""
    with zipfile.ZipFile(packages.wheel) as wheel:
        return Path(wheel.extract("pegcount/_aggcore.abi3.so", tmp_path_factory.mktemp("wheel")))


# ---- Files ----


def test_the_wheel_runs_on_systems_since_2018(packages: Packages) -> None:
    """By its name, and by the symbols that auditwheel finds in it."""
    print(f"\n{packages.printed}")
    tag = f"manylinux_2_28_{platform.machine()}"
    assert packages.wheel.name.endswith(f"-cp311-abi3-{tag}.whl")
    assert re.search(rf'consistent with\s+the following platform tag:\s+"{tag}"', packages.printed)


@pytest.mark.parametrize("kind", ["client_wheel", "client_sdist"])
def test_the_client_owns_the_contract(kind: str, packages: Packages) -> None:
    client = names(getattr(packages, kind))
    assert {
        "pegcount/v1/reports_pb2.py",
        "pegcount/v1/reports_pb2.pyi",
        "pegcount_client/__init__.py",
    } <= client
    assert {"pegcount_client/py.typed", "pegcount_client/service_config.json"} <= client


def test_the_service_has_its_mappings(packages: Packages) -> None:
    shipped = {f"pegcount/importers/mapping/files/{name}.toml" for name in shipped_names()}
    assert len(shipped) >= 10
    assert shipped <= names(packages.wheel)


def test_no_file_is_in_both_distributions(packages: Packages) -> None:
    """pip would remove a common file with either of the two."""
    service, client = names(packages.wheel), names(packages.client_wheel)
    assert service & client == set()
    assert "pegcount/__init__.py" not in service | client
    assert "pegcount/cli/__init__.py" in service


def test_the_sdist_has_what_its_build_reads(packages: Packages) -> None:
    needed = {".cargo/config.toml", "LICENSE", "README.md", "pyproject.toml"}
    needed |= {"rust/aggcore/Cargo.lock", "rust/aggcore/build.rs", "proto/pegcount/v1/reports.proto"}
    assert needed <= names(packages.sdist)


@pytest.mark.parametrize("kind", ["wheel", "client_wheel"])
def test_a_wheel_has_the_licence(kind: str, packages: Packages) -> None:
    assert [name for name in names(getattr(packages, kind)) if name.endswith("dist-info/licenses/LICENSE")]


# ---- Line tables ----


def section_sizes(path: Path) -> dict[str, tuple[str, str]]:
    """Address and size of each section that is loaded into memory."""
    rows = (line.partition("]")[2].split() for line in lines("readelf", "--sections", "--wide", path))
    return {row[0]: (row[2], row[4]) for row in rows if len(row) > 6 and "A" in row[6]}


def sections(path: Path) -> set[str]:
    rows = (line.partition("]")[2].split() for line in lines("readelf", "--sections", "--wide", path))
    return {row[0] for row in rows if row}


def build_id(path: Path) -> str:
    return found_in(lines("readelf", "--notes", path), r"Build ID: (\w{40})")


def found_in(texts: Iterable[str], pattern: str) -> str:
    (found,) = [match[1] for text in texts if (match := re.search(pattern, text))]
    return found


def test_the_extension_is_stripped(extension: Path, packages: Packages) -> None:
    assert {".debug_info", ".debug_line", ".symtab"} & sections(extension) == set()
    assert {".debug_info", ".debug_line", ".symtab"} <= sections(packages.line_tables)


def test_the_line_tables_are_those_of_the_extension(extension: Path, packages: Packages) -> None:
    assert build_id(extension) == build_id(packages.line_tables)
    assert ".text" in section_sizes(extension)
    assert section_sizes(extension) == section_sizes(packages.line_tables)


def test_the_line_tables_resolve_an_address(extension: Path, packages: Packages) -> None:
    """Of the first function of the store, only with the file beside the stripped extension."""
    symbols = lines("readelf", "--syms", "--wide", packages.line_tables)
    functions = (re.search(r"([0-9a-f]{16}) .* FUNC .* _ZN7aggcore7storage\w+$", line) for line in symbols)
    address = f"0x{next(match[1] for match in functions if match)}"
    command = ("addr2line", "--functions", "--inlines", "--demangle", f"--exe={extension}", address)
    assert "storage" not in "".join(lines(*command))
    # addr2line follows the link in the extension, and compares the checksum in it.
    shutil.copy(packages.line_tables, extension.parent)
    resolved = lines(*command)
    print(f"\n{address}", *resolved, sep="\n    ")
    assert any(re.search(r"aggcore/src/storage/\S+\.rs:\d+", line) for line in resolved)
