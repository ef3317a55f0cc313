"""Service and client beside each other, at equal and at different versions."""

import sys
from pathlib import Path

from packages.environment import Environment, new_environment
from packages.newer_client import FIELD, client_of_newer_contract, client_of_version
from packages.packages import Packages
from packages.smoke import Installed, check_client, check_reports, import_samples

BOTH_IN_ONE_PROCESS = """
from importlib.metadata import version
import pegcount.cli, pegcount.server, pegcount_client
from pegcount.v1 import reports_pb2
print(version("pegcount"), version("pegcount-client"), hasattr(reports_pb2.QueryAsrUsageRequest(), "%s"))
"""


def versions(environment: Environment) -> list[str]:
    """Versions of service and client, and whether the contract has the field of the newer one."""
    return environment.output("python", "-c", BOTH_IN_ONE_PROCESS % FIELD).split()


def test_equal_versions(installed: Installed) -> None:
    service, client, has_field = versions(installed.environment)
    assert (service, has_field) == (client, "False")
    check_reports(installed.environment, installed.address)
    check_client(installed.environment, installed.address)


def test_a_newer_client_works(packages: Packages, installed: Installed, tmp_path: Path) -> None:
    """With a field that the service does not know: in its process, and as it asks an older service."""
    environment = new_environment(tmp_path / "venv", Path(sys.executable))
    environment.install(packages.wheel, client_of_newer_contract("0.99.0", tmp_path))
    service, client, has_field = versions(environment)
    assert (client, has_field) == ("0.99.0", "True")
    assert service != client
    import_samples(environment, tmp_path / "data")
    with environment.serve(tmp_path / "data") as address:
        check_reports(environment, address)
        check_client(environment, address)
    check_client(environment, installed.address)


def test_pip_refuses_a_client_older_than_required(packages: Packages, tmp_path: Path) -> None:
    older = client_of_version("0.0.9", tmp_path)
    refusal = refused(packages.wheel, older, tmp_path)
    assert "pegcount 0.1.0 depends on pegcount-client<1 and >=0.1" in refusal


def test_pip_refuses_a_client_of_the_next_major_version(packages: Packages, tmp_path: Path) -> None:
    next_one = client_of_version("1.0.0", tmp_path)
    assert "depends on pegcount-client<1" in refused(packages.wheel, next_one, tmp_path)


def refused(wheel: Path, client: Path, directory: Path) -> str:
    """What pip says when it refuses to install both."""
    environment = new_environment(directory / "venv", Path(sys.executable))
    process = environment.run("pip", "install", "--disable-pip-version-check", wheel, client)
    assert process.returncode == 1
    print(process.stdout[-600:])
    assert "pegcount" not in environment.output("pip", "list").split()
    return process.stdout
