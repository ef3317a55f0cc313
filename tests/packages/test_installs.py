"""Other ways to install: from source, with extras; and what an installation weighs."""

import json
import platform
import re
import sys
from pathlib import Path

import pytest

from packages.environment import Environment, new_environment
from packages.packages import Packages
from packages.smoke import Installed, check_client, check_reports, import_samples

# Optimizing takes minutes and changes none of what the test looks at.
QUICK_BUILD = {
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "0",
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_DEBUG": "0",
}
SIZES = """
import importlib.metadata as metadata, json
print(json.dumps({
    found.name: sum(file.locate().stat().st_size for file in found.files or () if file.locate().is_file())
    for found in metadata.distributions()
}))
"""
CLIENT_BYTES_MAX = 1_000_000


def processor_level(environment: Environment) -> str:
    printed = environment.output("pegcount", "--version")
    found = re.search(r"core \S+ \(release build, (.+)\), tzdata", printed)
    assert found, printed
    return found[1]


def test_the_sdist_builds_for_the_processors_of_the_wheel(
    packages: Packages, installed: Installed, tmp_path: Path
) -> None:
    environment = new_environment(tmp_path / "venv", Path(sys.executable))
    build_and_install(environment, packages)
    level = processor_level(environment)
    print(f"\nwheel: {processor_level(installed.environment)}; sdist: {level}")
    assert level == processor_level(installed.environment)
    check_all(environment, tmp_path / "data")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="NOT TESTED: levels of another processor")
def test_the_level_is_that_of_the_compiler(packages: Packages, tmp_path: Path) -> None:
    """RUSTFLAGS of a user override the configuration in the sdist."""
    environment = new_environment(tmp_path / "venv", Path(sys.executable))
    build_and_install(environment, packages, RUSTFLAGS="-C target-cpu=x86-64")
    assert processor_level(environment) == "x86-64 baseline"
    check_all(environment, tmp_path / "data")


def build_and_install(environment: Environment, packages: Packages, **more: str) -> None:
    # The cache of pip would give both tests what the first has built.
    environment.install("--no-cache-dir", packages.sdist, packages.client_sdist, **QUICK_BUILD, **more)


def check_all(environment: Environment, data: Path) -> None:
    import_samples(environment, data)
    with environment.serve(data) as address:
        check_reports(environment, address)
        check_client(environment, address)


def test_exports_need_the_extra(packages: Packages, installed: Installed, tmp_path: Path) -> None:
    command = ("pegcount", "export", "--data", installed.samples, tmp_path / "out.parquet")
    process = installed.environment.run(*command)
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr.endswith("pip install 'pegcount[export]'\n")
    environment = new_environment(tmp_path / "venv", Path(sys.executable))
    environment.install(f"{packages.wheel}[export]", packages.client_wheel)
    assert environment.output(*command).endswith("65 records\n")


def sizes(environment: Environment) -> dict[str, int]:
    """Bytes that the files of each distribution have, with the code that pip compiles."""
    found: dict[str, int] = json.loads(environment.output("python", "-c", SIZES))
    return {name: size for name, size in found.items() if name not in ("pip", "setuptools")}


def print_sizes(what: str, found: dict[str, int]) -> None:
    print(f"\n{what}: {sum(found.values()) / 1e6:.1f} MB installed")
    for name, size in sorted(found.items(), key=lambda item: -item[1]):
        print(f"    {name:24} {size / 1e6:8.2f} MB")


def test_sizes(packages: Packages, installed: Installed, tmp_path: Path) -> None:
    environment = new_environment(tmp_path / "venv", Path(sys.executable))
    environment.install(packages.client_wheel)
    client, service = sizes(environment), sizes(installed.environment)
    print_sizes("client", client)
    print_sizes("service", service)
    for path in packages.files():
        print(f"{path.stat().st_size / 1e6:8.2f} MB  {path.name}")
    assert {"grpcio", "protobuf", "pegcount-client"} <= set(client)
    assert {"pegcount", "pyarrow", "numpy"} & set(client) == set()
    assert client["pegcount-client"] < CLIENT_BYTES_MAX
    assert "pyarrow" not in service
