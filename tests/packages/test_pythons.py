"""Service and client under each Python version that their classifiers name."""

from pathlib import Path

import pytest

from packages.environment import new_environment
from packages.interpreters import CLIENT, SERVICE, classified, interpreters, versions
from packages.packages import Packages
from packages.smoke import Installed, check_client, check_reports, import_samples


@pytest.fixture(params=versions())
def version(request: pytest.FixtureRequest) -> str:
    """A version of Python that this machine has."""
    found: str = request.param
    if found not in interpreters():
        pytest.skip(f"NOT TESTED: Python {found}, which this machine does not have")
    return found


def test_the_service_answers_the_four_reports(version: str, packages: Packages, tmp_path: Path) -> None:
    environment = new_environment(tmp_path / "venv", interpreters()[version])
    environment.install(packages.wheel, packages.client_wheel)
    import_samples(environment, tmp_path / "data")
    with environment.serve(tmp_path / "data") as address:
        check_reports(environment, address)
        check_client(environment, address)
    assert version in classified(SERVICE), "it works: add the classifier"


def test_the_client_alone_asks_for_a_report(
    version: str, packages: Packages, installed: Installed, tmp_path: Path
) -> None:
    environment = new_environment(tmp_path / "venv", interpreters()[version])
    environment.install(packages.client_wheel)
    check_client(environment, installed.address)
    assert environment.run("python", "-c", "import pegcount.cli").returncode == 1
    assert version in classified(CLIENT), "it works: add the classifier"
