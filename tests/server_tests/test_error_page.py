"""docs/errors.md has a section for each reason, which shows what the server sends.

`test_documented_calls.py` runs the commands of the page. A section without a command shows the status with
which the call of `reason_triggers.py` ends.
"""

import json
import re
from typing import Any

import pytest
from documented_calls import ROOT, Section, as_shown, parts, sections
from google.protobuf.json_format import MessageToDict
from google.rpc import code_pb2, status_pb2
from pegcount.v1 import error_reason_pb2, records_pb2
from proto_comments import names_of

from server_tests.reason_triggers import RESERVED, TRIGGERS, Open
from server_tests.refusal import status_of

ERROR_REASONS = names_of(error_reason_pb2.ErrorReason, "ERROR_REASON_")
REJECT_REASONS = [name for name, number in records_pb2.RejectReason.items() if number]
SECTIONS = [
    section
    for section in sections(ROOT / "docs" / "errors.md")
    if re.fullmatch(r"[A-Z]+_[A-Z_]+|OVERLOADED", section.heading)
]
WITHOUT_A_COMMAND = [
    section for section in SECTIONS if section.heading in ERROR_REASONS and not section.calls()
]


def shown_statuses(section: Section) -> list[list[Any]]:
    """Returns the statuses that a section shows, as parts of an output."""
    shown = section.blocks() + [call.answer for call in section.calls()]
    return [parts(text) for text in shown if text.startswith("ERROR:")]


def parts_of(status: status_pb2.Status) -> list[Any]:
    """Returns the parts of what grpcurl prints for a status."""
    code = code_pb2.Code.Name(status.code).title().replace("_", "")
    details = [
        f"  {number})\t{json.dumps(MessageToDict(detail, preserving_proto_field_name=True))}"
        for number, detail in enumerate(status.details, 1)
    ]
    return parts(
        "\n".join(["ERROR:", f"  Code: {code}", f"  Message: {status.message}", "  Details:", *details])
    )


def test_every_reason_has_one_section() -> None:
    assert sorted(section.heading for section in SECTIONS) == sorted([*ERROR_REASONS, *REJECT_REASONS])


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.heading)
def test_a_section_shows_its_reason(section: Section) -> None:
    if section.heading in REJECT_REASONS:
        calls = section.calls()
        assert f'"reason": "{section.heading}"' in (calls[-1].answer if calls else section.text)
    else:
        infos = [status[-1] for status in shown_statuses(section)]
        found = {info["reason"] for info in infos if isinstance(info, dict)}
        assert found == ({section.heading} - RESERVED)


@pytest.mark.parametrize(
    "section", [s for s in WITHOUT_A_COMMAND if s.heading in TRIGGERS], ids=lambda section: section.heading
)
def test_a_section_without_a_command_shows_what_the_server_sends(section: Section, serve: Open) -> None:
    (shown,) = shown_statuses(section)
    sent = parts_of(status_of(lambda: TRIGGERS[section.heading](serve)))
    assert as_shown(sent, shown) == shown
