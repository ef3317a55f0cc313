"""Compares answers that clients print as JSON with those that the client of this project decodes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from pegcount.v1 import reports_pb2
from service import Service

from clients.client import Client

REQUESTS = Path(__file__).with_name("requests.txt")
REPORTS = ("QueryAsrUsage", "QueryActiveSessions", "QueryFolderStats", "QueryOriginationQuality")
EQUAL = "equal"


@dataclass(frozen=True)
class Request:
    """A request of the file, as every client gets it."""

    method: str
    json_text: str

    def message(self) -> Message:
        message: Message = _message_type(self.method, "Request")()
        return json_format.Parse(self.json_text, message)

    def canonical(self, answer: Any) -> str:
        """Returns the text of an answer that was decoded from JSON.

        The JSON of libraries differs in the order of fields, in whether 64-bit integers are texts, and in
        whether enum values are names; parsing it to a message takes these away. Unknown fields are errors.
        """
        message = json_format.ParseDict(answer, _message_type(self.method, "Response")())
        return _text(message)


def requests(asked: Path) -> list[Request]:
    lines = asked.read_text(encoding="utf-8").splitlines()
    return [Request(*line.split(" ", 1)) for line in lines]


def expected_answers(service: Service, asked: Path) -> list[str]:
    """Returns the canonical answers to the requests of a file."""
    return [_text(getattr(service.reports, each.method)(each.message())) for each in requests(asked)]


def differences(asked: Path, printed: Sequence[str], expected: Sequence[str]) -> dict[str, str]:
    """Returns for each report how the answers of a client differ, or `equal`."""
    sent = requests(asked)
    assert len(printed) == len(sent), f"{len(printed)} answers to {len(sent)} requests"
    found = dict.fromkeys((request.method for request in sent), EQUAL)
    for request, answer, right in zip(sent, printed, expected, strict=True):
        if difference := _difference(request, answer, right):
            found[request.method] = difference
    return found


def check_answers(client: Client, service: Service, asked: Path) -> None:
    """Fails the test, and shows how the answers of a client differ, unless all are equal."""
    found = differences(asked, client.answers(service.address, asked), expected_answers(service, asked))
    if wrong := [f"{report} {text}" for report, text in found.items() if text != EQUAL]:
        pytest.fail("\n".join(wrong), pytrace=False)


def _difference(request: Request, answer: str, right: str) -> str:
    try:
        canonical = request.canonical(json.loads(answer))
    except (ValueError, json_format.ParseError) as error:
        return f"{request.json_text}: {error}: {answer}"
    if canonical == right:
        return ""
    lines = unified_diff(right.splitlines(), canonical.splitlines(), "expected", "decoded", n=1, lineterm="")
    return "\n".join([request.json_text, *lines])


def _message_type(method: str, suffix: str) -> Any:
    return getattr(reports_pb2, f"{method}{suffix}")


def _text(message: Message) -> str:
    return json_format.MessageToJson(message, sort_keys=True, ensure_ascii=False)
