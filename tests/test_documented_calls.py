"""Each grpcurl command on a page prints what the page shows."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from documented_calls import (
    PAGES,
    ROOT,
    Call,
    Section,
    as_shown,
    output_of,
    parts,
    sections,
)
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from pegcount.v1 import admin_pb2, records_pb2, reports_pb2, traffic_pb2
from sample_service import service_over_samples
from service import Service

GRPCURL_PAGE = ROOT / "docs" / "grpcurl.md"
SECTIONS = [section for page in PAGES for section in sections(page) if section.calls()]


def name_of(section: Section) -> str:
    return f"{section.page}: {section.heading}"


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Serves the sections that only read."""
    with service_over_samples(tmp_path_factory.mktemp("shared")) as service:
        yield service


@pytest.mark.parametrize("section", SECTIONS, ids=map(name_of, SECTIONS))
def test_commands_print_what_the_page_shows(
    section: Section, shared_service: Service, tmp_path: Path
) -> None:
    with ExitStack() as own:
        if section.may_change_the_store():
            service = own.enter_context(service_over_samples(tmp_path))
        else:
            service = shared_service
        for call in section.calls():
            assert call.answer, f"the page shows no answer of {call.command}"
            shown = parts(call.answer)
            assert as_shown(parts(output_of(call, service.address)), shown) == shown, call.command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_grpcurl_command_is_run(page: Path) -> None:
    """A command that the test above does not find would never be compared."""
    without_inline_code = re.sub(r"`[^`]*`", "", page.read_text(encoding="utf-8"))
    found = [call for section in sections(page) for call in section.calls()]
    assert len(re.findall(r"grpcurl -", without_inline_code)) == len(found)


def test_pages_are_found() -> None:
    assert {"README.md", "operations.md", "grpcurl.md", "errors.md"} <= {section.page for section in SECTIONS}


def test_the_page_lists_all_optional_fields() -> None:
    (listed,) = [section for section in sections(GRPCURL_PAGE) if section.heading == "Optional fields"]
    rows = [line.split("|")[1:4] for line in listed.text.splitlines() if line.startswith("| `")]
    found = {name: (texts[1], texts[2]) for texts in rows for name in re.findall(r"`(\w+)`", texts[0])}
    assert {name: tuple(map(str.strip, cells)) for name, cells in found.items()} == {
        message.name: cells_of(message) for message in messages_of_requests() if cells_of(message) != ("", "")
    }


def cells_of(message: Descriptor) -> tuple[str, str]:
    """Returns the optional fields that a template of grpcurl leaves out, and those that it leaves empty."""
    optional = [field for field in message.fields if field.has_presence]
    left_out = [field for field in optional if field.message_type is None]
    empty = [field for field in optional if field.message_type is not None]
    return names_in_cell(left_out, len(message.fields) - len(empty)), names_in_cell(empty, len(optional))


def names_in_cell(fields: list[FieldDescriptor], count_of_all: int) -> str:
    if len(fields) > 20:
        assert len(fields) == count_of_all, "a long list is all fields"
        return "all others"
    return ", ".join(f"`{field.name}`" for field in fields)


def messages_of_requests() -> list[Descriptor]:
    """Returns the request messages of all methods, and the messages of Pegcount within them."""
    methods = [
        method
        for file in (reports_pb2, traffic_pb2, records_pb2, admin_pb2)
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]
    found, waiting = list[Descriptor](), [method.input_type for method in methods]
    while waiting:
        message = waiting.pop()
        if message not in found and message.full_name.startswith("pegcount."):
            found.append(message)
            waiting += [field.message_type for field in message.fields if field.message_type is not None]
    return found


TEXT = """
A question?

    $ make serve
    $ grpcurl -d '{
        "a": 1
    }' x

    {"b": 2,

      "c": 3}

    {"b": 4}

    $ grpcurl -x y

Another one?

    $ echo {} | grpcurl -d @ z

    ERROR:
      Code: NotFound
"""


def test_a_call_ends_where_the_next_one_or_the_block_ends() -> None:
    assert Section("page.md", "heading", TEXT).calls() == [
        Call("grpcurl -d '{\n    \"a\": 1\n}' x", '{"b": 2,\n\n  "c": 3}\n\n{"b": 4}'),
        Call("grpcurl -x y", ""),
        Call("echo {} | grpcurl -d @ z", "ERROR:\n  Code: NotFound"),
    ]


def test_an_output_is_its_json_values_and_other_lines() -> None:
    output = 'ERROR:\n  Code: X\n  1)\t{\n\t"a_b":  [1]\n}\n{"c": "}"}\nend'
    assert parts(output) == ["ERROR:", "Code: X", "1)", {"a_b": [1]}, {"c": "}"}, "end"]


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ({"a": [1, "12:00"]}, {"a": [1, "…:00"]}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        (["x", "y"], ["…"], False),
        (1, "…", False),
        ("a.c", "a.b", False),
        ("abc", "a.c", False),
    ],
)
def test_only_stated_places_may_differ(printed: object, shown: object, same: bool) -> None:
    assert (as_shown(printed, shown) == shown) is same
