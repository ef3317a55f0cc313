"""The packages, and a running service, built once for all tests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from packages.environment import new_environment
from packages.packages import Packages, build_packages
from packages.smoke import Installed, import_samples


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    return build_packages(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def installed(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """The wheels of service and client in an environment of the Python that runs the tests."""
    environment = new_environment(tmp_path_factory.mktemp("installed") / "venv", Path(sys.executable))
    environment.install(packages.wheel, packages.client_wheel)
    data = environment.directory / "data"
    import_samples(environment, data)
    with environment.serve(data) as address:
        yield Installed(environment, address, data)
