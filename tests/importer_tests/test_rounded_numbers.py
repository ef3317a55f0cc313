"""Numbers that a spreadsheet has rounded are rejected alike in every format."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pegcount.errors import ImportFileError
from pegcount.importers.call_record import TEXT_READERS, new_call, set_text
from pegcount.importers.parsed_line import ParsedLine, UnreadableLine, UnreadableRowError
from pegcount.importers.record_fields import read_overrides, record_setters
from pegcount.importers.rounded_numbers import NUMBER_FIELDS, read_number
from pegcount.masked import masked_digits
from pegcount.v1.records_pb2 import SessionRecord

from .reading import csv_line, get_zone, only_record, parse
from .test_asterisk_csv import BASE
from .test_yeti_csv import ROW, table

CASES = [
    line.split("\t")
    for line in Path(__file__).parents[1].joinpath("rounded_number_cases.txt").read_text("utf-8").splitlines()
]
UTC = get_zone("UTC")
ROUNDED = "4.42079E+11"
REASON = f"{masked_digits(ROUNDED)!r} is a number that a spreadsheet has rounded"


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_forms_of_numbers(text: str, expected: str) -> None:
    if expected == "rounded":
        with pytest.raises(UnreadableRowError, match=r"is a number that a spreadsheet has rounded$"):
            read_number(text)
    else:
        assert read_number(text) == text


def pegcount(column: str) -> list[ParsedLine]:
    header = csv_line(
        ["setup_time", "session_id", column] if column != "session_id" else ["setup_time", column]
    )
    cells = (
        ["2026-03-10T09:00:00Z", "s1", ROUNDED]
        if column != "session_id"
        else ["2026-03-10T09:00:00Z", ROUNDED]
    )
    return parse("pegcount-csv", header + csv_line(cells))


def yeti(column: str) -> list[ParsedLine]:
    return parse("yeti-csv", table({column: ROUNDED}))


def freeswitch(column: str) -> list[ParsedLine]:
    cells = ["x", "100", "200", "c", "2026-03-10 09:00:00", "", "2026-03-10 09:00:05", "5", "0", "USER_BUSY"]
    cells += ["a1", "", "acc"]
    cells[{"caller": 1, "called": 2, "uuid": 10, "accountcode": 12}[column]] = ROUNDED
    return parse("freeswitch-csv", csv_line(cells))


def asterisk(text: str) -> list[ParsedLine]:
    assert text in BASE
    return parse("asterisk-csv", BASE.replace(text, ROUNDED))


@pytest.mark.parametrize(
    ("read", "column"),
    [
        *((pegcount, name) for name in sorted(NUMBER_FIELDS)),
        *((yeti, name) for name in ("id", "src_prefix_routing", "src_prefix_in", "dst_prefix_out")),
        *((yeti, name) for name in ("customer_acc_id", "destination_prefix", "orig_call_id")),
        *((freeswitch, name) for name in ("caller", "called", "uuid", "accountcode")),
        (asterisk, "442079460001"),
    ],
)
def test_the_line_is_rejected(read: Callable[[str], list[ParsedLine]], column: str) -> None:
    (line,) = read(column)
    assert isinstance(line, UnreadableLine)
    assert line.reason == REASON


@pytest.mark.parametrize("name", ["folder", "company", "equipment_name", "orig_accounts_name"])
def test_names_may_look_like_numbers(name: str) -> None:
    assert getattr(only_record(pegcount(name)), name) == ROUNDED


def test_whole_numbers_have_the_same_reason() -> None:
    with pytest.raises(UnreadableRowError) as refused:
        record_setters(UTC)["tenant_id"](SessionRecord(), ROUNDED)
    assert str(refused.value) == REASON


def test_numbers_that_are_set_for_a_whole_file() -> None:
    with pytest.raises(ImportFileError, match="a spreadsheet has rounded"):
        read_overrides({"account_id": ROUNDED}, UTC)


def test_every_way_to_set_a_text_checks_it() -> None:
    with pytest.raises(UnreadableRowError):
        new_call("pbx", ROUNDED)
    for name in NUMBER_FIELDS:
        with pytest.raises(UnreadableRowError):
            set_text(SessionRecord(), name, ROUNDED)


def test_texts_are_fields_of_records() -> None:
    assert TEXT_READERS.keys() <= {field.name for field in SessionRecord.DESCRIPTOR.fields}


def test_columns_that_no_field_uses_may_be_rounded() -> None:
    only_record(yeti("local_tag" if "local_tag" in ROW else "uuid"))
