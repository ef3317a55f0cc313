"""freeswitch-json: documents of mod_json_cdr."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, SessionRecord

from .reading import only_record, outline, parse

START_US = 1_774_688_400_250_000
VARIABLES = {
    "direction": "inbound",
    "uuid": "a1",
    "bridge_uuid": "b1",
    "sip_network_ip": "192.0.2.10",
    "accountcode": "acme/1001 east",
    "sip_from_uri": "12025550101@192.0.2.10",
    "start_stamp": "2026-03-28 09:00:00",
    "start_epoch": "1774688400",
    "start_uepoch": str(START_US),
    "answer_epoch": "1774688405",
    "answer_uepoch": str(START_US + 5_000_000),
    "end_epoch": "1774688525",
    "end_uepoch": str(START_US + 125_000_000),
    "hangup_cause": "NORMAL_CLEARING",
    "hangup_cause_q850": "16",
}
PROFILE = {"uuid": "a1", "caller_id_number": "+12025550101", "destination_number": "442079460001"}
TIMES = "2026-03-28T09:00:00.250000Z 2026-03-28T09:00:05.250000Z 2026-03-28T09:02:05.250000Z"


def flow(created: int = 0, answered: int = 0, hangup: int = 0, **profile: Any) -> dict[str, Any]:
    times = {"created_time": str(created), "answered_time": str(answered), "hangup_time": str(hangup)}
    return {"caller_profile": PROFILE | profile, "times": times}


def document(*flows: dict[str, Any], without: str = "", **variables: str) -> dict[str, Any]:
    remaining = {
        name: value for name, value in (VARIABLES | variables).items() if name not in without.split()
    }
    return {
        "core-uuid": "c",
        "switchname": "pbx1",
        "variables": remaining,
        "callflow": list(flows or [flow()]),
    }


def encoded(plain: dict[str, Any]) -> dict[str, Any]:
    variables = {name: quote(value, safe="/,()") for name, value in plain["variables"].items()}
    return plain | {"variables": variables}


def check(data: str, *expected: str) -> None:
    assert outline(parse("freeswitch-json", data)) == [*expected]


@pytest.mark.parametrize("plain", [document(), encoded(document())], ids=["plain", "encoded"])
def test_fields(plain: dict[str, Any]) -> None:
    record = only_record(parse("freeswitch-json", json.dumps(plain)))
    for name in ("setup_time", "answer_time", "end_time"):
        record.ClearField(name)
    assert record == SessionRecord(
        source="pbx",
        session_id="a1",
        kind=SESSION_KIND_CALL,
        disconnect_cause=16,
        account_id="acme/1001 east",
        orig_accounts_ident="acme/1001 east",
        src_prefix_routing="+12025550101",
        dst_prefix_routing="442079460001",
        auth_orig_ip="192.0.2.10",
        orig_leg_id="a1",
        term_leg_id="b1",
        orig_src_party_id="+12025550101",
        orig_dst_party_id="442079460001",
        term_dst_party_id="442079460001",
    )


def test_percent_signs_of_plain_values_are_preserved() -> None:
    record = only_record(parse("freeswitch-json", json.dumps(document(accountcode="50%25"))))
    assert record.account_id == "50%25"
    record = only_record(parse("freeswitch-json", json.dumps(encoded(document(accountcode="50%25")))))
    assert record.account_id == "50%25"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (document(), TIMES),
        (
            document(answer_uepoch="0", answer_epoch="0"),
            "2026-03-28T09:00:00.250000Z - 2026-03-28T09:02:05.250000Z",
        ),
        (
            document(without="start_uepoch answer_uepoch end_uepoch"),
            "2026-03-28T09:00:00Z 2026-03-28T09:00:05Z 2026-03-28T09:02:05Z",
        ),
        (
            document(
                flow(START_US, START_US + 1_000_000, START_US + 2_000_000),
                without="start_uepoch answer_uepoch end_uepoch",
            ),
            "2026-03-28T09:00:00.250000Z 2026-03-28T09:00:01.250000Z 2026-03-28T09:00:02.250000Z",
        ),
        # A transferred call has a profile for each part, the newest first.
        (
            document(
                flow(START_US, START_US + 1_000_000, START_US + 9_000_000),
                flow(START_US, 0, START_US + 4_000_000),
                without="start_uepoch answer_uepoch end_uepoch",
            ),
            "2026-03-28T09:00:00.250000Z 2026-03-28T09:00:01.250000Z 2026-03-28T09:00:09.250000Z",
        ),
    ],
)
def test_times(data: dict[str, Any], expected: str) -> None:
    check(json.dumps(data), f"1 a1 {expected}")


def test_the_called_party_is_the_one_dialled_before_a_transfer() -> None:
    data = document(flow(destination_number="442079460009"), flow(destination_number="442079460001"))
    assert only_record(parse("freeswitch-json", json.dumps(data))).orig_dst_party_id == "442079460001"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"hangup_cause_q850": "17", "hangup_cause": "NORMAL_CLEARING"}, 17),
        ({"hangup_cause_q850": "", "hangup_cause": "USER_BUSY"}, 17),
        ({"hangup_cause_q850": "0", "hangup_cause": "ORIGINATOR_CANCEL"}, 16),
        ({"hangup_cause_q850": "0", "hangup_cause": "NONE"}, None),
    ],
)
def test_causes(variables: dict[str, str], expected: int | None) -> None:
    record = only_record(parse("freeswitch-json", json.dumps(document(**variables))))
    assert (record.disconnect_cause if record.HasField("disconnect_cause") else None) == expected


@pytest.mark.parametrize(
    ("leg", "expected"),
    [
        (document(flow(originator={"originator_caller_profiles": [PROFILE]})), "1 skipped"),
        (document(originating_leg_uuid="a0"), "1 skipped"),
        # A call that the switch itself originated is outbound and has no calling leg.
        (document(direction="outbound"), f"1 a1 {TIMES}"),
        (document(flow(originatee={"originatee_caller_profiles": [PROFILE]})), f"1 a1 {TIMES}"),
    ],
)
def test_called_legs_are_skipped(leg: dict[str, Any], expected: str) -> None:
    check(json.dumps(leg), expected)


@pytest.mark.parametrize("indent", [1, 2, "\t"])
def test_documents_over_several_lines(indent: int | str) -> None:
    text = json.dumps(document(), indent=indent)
    line_count = text.count("\n") + 1
    check(f"\ufeff{text}\r\n{text}\n", f"1 a1 {TIMES}", f"{line_count + 1} a1 {TIMES}")


def test_json_numbers_are_accepted_as_values() -> None:
    data = document(without="start_uepoch")
    data["variables"]["start_uepoch"] = START_US
    check(json.dumps(data), f"1 a1 {TIMES}")


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (json.dumps(document())[:-20], "no JSON: "),
        ("[" * 100_000, "no JSON: "),
        ("[]", "the document is no object"),
        ("{}", "the document has no uuid, no start or no end"),
        (json.dumps({"variables": 7, "callflow": "x"}), "the document has no uuid, no start or no end"),
        (json.dumps(document(uuid="")), "the document has no uuid, no start or no end"),
        (json.dumps(document(end_uepoch="0", end_epoch="0")), "the document has no uuid, no start or no end"),
        (json.dumps(document(start_uepoch="soon")), "start: 'soon' is no whole number"),
        (json.dumps(document(start_uepoch="-5")), "start: '-5' is no whole number"),
        (json.dumps(document(accountcode="a\0b")), "accountcode is no text"),
        (json.dumps(document(accountcode="\ud800")), "a text has an unpaired surrogate"),
        (json.dumps(encoded(document()) | {"variables": {"uuid": "%ff"}}), "uuid is no UTF-8"),
        (json.dumps(document(flow(caller_id_number=[1]))), "caller_id_number is no text"),
    ],
)
def test_a_damaged_document_does_not_affect_its_neighbours(damaged: str, reason: str) -> None:
    good = json.dumps(document())
    first, middle, last = outline(parse("freeswitch-json", f"{good}\n{damaged}\n{good}\n"))
    assert (first, last) == (f"1 a1 {TIMES}", f"3 a1 {TIMES}")
    assert middle.startswith(f"2 ! {reason}")
