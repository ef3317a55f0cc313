"""Clients in Go, Node and Python decode the same answers, and their examples work; buf's curl needs no proto.

`make test-clients` does the same with all clients.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clients.client import Client
from clients.comparison import REPORTS, REQUESTS, check_answers
from clients.examples import check_example
from clients.served import served_samples
from service import Service

from clients import programs, tools


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served_samples(tmp_path_factory.mktemp("samples")) as service:
        yield service


@pytest.mark.parametrize(
    "built", [programs.go, programs.node, programs.python_protobuf6, programs.python_protobuf7]
)
def test_client(built: Callable[[], Client], samples: Service, tmp_path: Path) -> None:
    client = built()
    check_answers(client, samples, REQUESTS)
    check_example(client, tmp_path)


def test_buf_curl_learns_the_methods_by_reflection(samples: Service) -> None:
    listed = tools.methods_that_buf_lists(samples.address)
    assert {f"pegcount.v1.ReportService/{report}" for report in REPORTS} <= set(listed)
    check_answers(tools.buf_curl(), samples, REQUESTS)
