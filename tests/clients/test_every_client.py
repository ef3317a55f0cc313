"""Every client decodes the same answers, every example works, and probes see a healthy server.

`make test-clients` runs this; it prints a table of the clients and the reports.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from service import Service

from clients import programs, tools
from clients.client import Client
from clients.comparison import EQUAL, REPORTS, REQUESTS, check_answers, differences, expected_answers
from clients.examples import check_example
from clients.served import LONG_ANSWER_REQUEST, served_long_answer, served_samples

PROGRAMS = (
    programs.go,
    programs.node,
    programs.java,
    programs.rust,
    programs.python_protobuf6,
    programs.python_protobuf7,
)
TOOLS = (tools.grpcurl, tools.grpcui, tools.buf_curl, tools.ghz)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served_samples(tmp_path_factory.mktemp("samples")) as service:
        yield service


def test_every_client_decodes_the_same_answers(samples: Service) -> None:
    expected = expected_answers(samples, REQUESTS)
    found = {built.__name__: _answers(built, samples.address, expected) for built in (*PROGRAMS, *TOOLS)}
    print(_table(found))
    wrong = [
        f"{client} {report}: {text}"
        for client, by_report in found.items()
        for report, text in by_report.items()
        if text != EQUAL
    ]
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


@pytest.mark.parametrize("built", PROGRAMS)
def test_example(built: Callable[[], Client], tmp_path: Path) -> None:
    check_example(built(), tmp_path)


@pytest.mark.parametrize("built", PROGRAMS)
def test_answer_of_more_than_4_mib(built: Callable[[], Client], tmp_path: Path) -> None:
    """The programs raise the limit of gRPC, as docs/clients.md shows it for each language."""
    asked = tmp_path / "requests"
    asked.write_text(LONG_ANSWER_REQUEST)
    with served_long_answer(tmp_path / "data") as service:
        check_answers(built(), service, asked)


def test_health_probe(samples: Service) -> None:
    assert tools.health_of_services(samples.address) == dict.fromkeys(tools.SERVICES, "status: SERVING")


def _answers(built: Callable[[], Client], address: str, expected: list[str]) -> dict[str, str]:
    """Compares the answers of a client; if it fails, the table still has the others."""
    try:
        return differences(REQUESTS, built().answers(address, REQUESTS), expected)
    except (AssertionError, pytest.fail.Exception) as error:
        return dict.fromkeys(REPORTS, f"failed: {error}")


def _table(found: dict[str, dict[str, str]]) -> str:
    rows = [["", *REPORTS]]
    rows += [[client, *map(_cell, by_report.values())] for client, by_report in found.items()]
    return "\n" + "\n".join("".join(f"{cell:26}" for cell in row).rstrip() for row in rows)


def _cell(text: str) -> str:
    if text == EQUAL or text.startswith("failed"):
        return text.partition(":")[0]
    return "different"
