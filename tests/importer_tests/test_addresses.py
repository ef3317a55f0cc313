"""Addresses of records: the forms in address_cases.txt, in every format that has them."""

import json
import re
from pathlib import Path

import pytest
from pegcount.errors import ImportFileError
from pegcount.importers.addresses import ADDRESS_FIELDS, read_address
from pegcount.importers.parsed_line import ParsedLine, UnreadableLine, UnreadableRowError
from pegcount.importers.record_fields import read_overrides
from pegcount.v1.records_pb2 import SessionRecord

from .reading import csv_line, get_zone, only_record, parse

CASES = [
    line.split("\t")
    for line in Path(__file__).parents[1].joinpath("address_cases.txt").read_text("utf-8").splitlines()
]
REFUSED = "auth_orig_ip: '***.*******.***' is no IPv4 or IPv6 address"


def yeti(address: str) -> list[ParsedLine]:
    times = ["2026-03-10 09:00:00+00", "", "2026-03-10 09:00:09+00"]
    header = "id,time_start,time_connect,time_end,is_last_cdr,auth_orig_ip\n"
    return parse("yeti-csv", header + csv_line(["1", *times, "t", address]))


def pegcount(address: str) -> list[ParsedLine]:
    header = "session_id,setup_time,auth_orig_ip\n"
    return parse("pegcount-csv", header + csv_line(["1", "2026-03-10T09:00:00Z", address]))


def freeswitch_json(address: str) -> list[ParsedLine]:
    times = {"uuid": "1", "start_epoch": "1773133200", "end_epoch": "1773133209"}
    document = {"variables": times | {"sip_network_ip": address, "encoded": "no, plain"}}
    return parse("freeswitch-json", json.dumps(document) + "\n")


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_forms_of_addresses(text: str, expected: str) -> None:
    if expected == "rejected":
        with pytest.raises(UnreadableRowError, match=r"^ip: .* is no IPv4 or IPv6 address$"):
            read_address("ip", text)
    else:
        assert read_address("ip", text) == expected
        assert read_address("ip", expected) == expected


@pytest.mark.parametrize("read", [yeti, pegcount, freeswitch_json])
@pytest.mark.parametrize(
    ("text", "expected"), [("192.0.2.10/32", "192.0.2.10"), ("[2001:DB8::7]:5060", "2001:db8::7")]
)
def test_every_format_stores_the_plain_address(read: object, text: str, expected: str) -> None:
    assert callable(read)
    assert only_record(read(text)).auth_orig_ip == expected


@pytest.mark.parametrize("read", [yeti, pegcount, freeswitch_json])
def test_every_format_rejects_what_no_filter_can_match(read: object) -> None:
    assert callable(read)
    (line,) = read("pbx.example.com")
    assert isinstance(line, UnreadableLine)
    assert line.reason == REFUSED


def test_addresses_that_are_set_for_a_whole_file() -> None:
    zone = get_zone("UTC")
    assert read_overrides({"auth_orig_ip": "192.0.2.10:5060"}, zone).auth_orig_ip == "192.0.2.10"
    with pytest.raises(ImportFileError, match=re.escape(REFUSED)):
        read_overrides({"auth_orig_ip": "pbx.example.com"}, zone)


def test_all_address_fields_exist() -> None:
    assert {field.name for field in SessionRecord.DESCRIPTOR.fields} >= ADDRESS_FIELDS
