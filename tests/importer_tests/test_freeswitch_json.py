"""freeswitch-json: documents of mod_json_cdr."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from pegcount.importers.parsed_line import ParsedRecord, SkippedLine, SkipReason
from pegcount.importers.undecoded import decode_fields, shown
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, ReleaseParty, SessionRecord

from .reading import only_record, options, outline, parse

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
ENDS = ("start", "answer", "end")
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


@pytest.mark.parametrize(
    ("variables", "flow_times", "expected"),
    [
        ({}, {}, None),
        ({"progress_uepoch": "0", "progress_media_uepoch": "0"}, {"progress_time": "0"}, None),
        ({"progress_uepoch": str(START_US + 2_000_000)}, {"progress_time": str(START_US)}, 2.0),
        ({}, {"progress_time": str(START_US + 1_500_000)}, 1.5),
        ({"progress_epoch": "1774688403"}, {}, 2.75),
        ({"progress_media_uepoch": str(START_US + 900_000)}, {}, 0.9),
        # Early media came before the ringing, and the caller heard it first.
        (
            {"progress_media_uepoch": str(START_US + 900_000)},
            {"progress_time": str(START_US + 1_500_000)},
            0.9,
        ),
    ],
)
def test_the_alert_is_the_first_ringing_or_early_media(
    variables: dict[str, str], flow_times: dict[str, str], expected: float | None
) -> None:
    of_call = flow()
    of_call["times"] |= flow_times
    record = only_record(parse("freeswitch-json", json.dumps(document(of_call, **variables))))
    assert record.HasField("alert_time") is (expected is not None)
    if expected is not None:
        assert record.alert_time.ToMicroseconds() == START_US + round(expected * 1_000_000)


UNANSWERED = {"answer_uepoch": "0", "answer_epoch": "0", "bridge_uuid": ""}
BUSY_THERE = UNANSWERED | {
    "sip_hangup_disposition": "send_refuse",
    "last_bridge_proto_specific_hangup_cause": "sip:486",
}


@pytest.mark.parametrize(
    ("variables", "status", "party"),
    [
        ({}, None, None),
        ({"sip_hangup_disposition": "recv_bye", "sip_term_status": "200"}, 200, "ORIGINATION"),
        ({"sip_hangup_disposition": "send_bye", "sip_call_id": "x"}, 200, "TERMINATION"),
        # The switch itself was the called side, as an IVR is, or had its reasons.
        ({"sip_hangup_disposition": "send_bye", "bridge_uuid": ""}, None, "SWITCH"),
        ({"sip_hangup_disposition": "send_bye", "hangup_cause": "ALLOTTED_TIMEOUT"}, None, "SWITCH"),
        # A transfer after the answer failed; the call was answered all the same.
        ({"last_bridge_proto_specific_hangup_cause": "sip:486"}, 200, None),
        (BUSY_THERE, 486, "TERMINATION"),
        (BUSY_THERE | {"sip_term_status": "603"}, 603, "TERMINATION"),
        # Nobody answered until the switch gave up on the called side.
        (BUSY_THERE | {"last_bridge_proto_specific_hangup_cause": "sip:487"}, 487, "SWITCH"),
        (UNANSWERED | {"sip_hangup_disposition": "send_refuse"}, None, "SWITCH"),
        (
            UNANSWERED | {"sip_hangup_disposition": "recv_cancel", "sip_invite_failure_status": "487"},
            487,
            "ORIGINATION",
        ),
        # Legs that the switch originated: the party at the other end is the called one.
        ({"direction": "outbound", "sip_hangup_disposition": "recv_bye"}, None, "TERMINATION"),
        ({"direction": "outbound", "sip_hangup_disposition": "send_bye"}, None, None),
        (
            UNANSWERED | {"direction": "outbound", "sip_hangup_disposition": "send_cancel"},
            None,
            "SWITCH",
        ),
        (
            UNANSWERED
            | {"direction": "outbound", "sip_hangup_disposition": "recv_refuse", "sip_term_status": "404"},
            404,
            "TERMINATION",
        ),
        (UNANSWERED | {"sip_term_status": "none", "proto_specific_hangup_cause": "q850:17"}, None, None),
    ],
)
@pytest.mark.parametrize("is_encoded", [False, True])
def test_how_the_call_ended(
    variables: dict[str, str], status: int | None, party: str | None, is_encoded: bool
) -> None:
    plain = document(**variables)
    record = only_record(parse("freeswitch-json", json.dumps(encoded(plain) if is_encoded else plain)))
    assert (record.sip_status if record.HasField("sip_status") else None) == status
    found = ReleaseParty.Name(record.release_party) if record.HasField("release_party") else None
    assert found == (party and f"RELEASE_PARTY_{party}")


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
    ("variables", "reason"),
    [
        # A queue of mod_callcenter originates the legs to its agents without an a-leg.
        ({"cc_side": "agent", "cc_member_session_uuid": "a0"}, SkipReason.AGENT_LEG),
        ({"cc_side": "agent", "hangup_cause": "NO_ANSWER"}, SkipReason.AGENT_LEG),
        ({"cc_side": "agent", "hangup_cause": "LOSE_RACE"}, SkipReason.LOST_LEG),
        ({"hangup_cause": "LOSE_RACE", "originating_leg_uuid": "a0"}, SkipReason.LOST_LEG),
        ({"ent_originate_aleg_uuid": "a0"}, SkipReason.B_LEG),
        # The end of a loopback channel that goes on through the dialplan comes in, like an a-leg.
        ({"loopback_leg": "B", "is_loopback": "1"}, SkipReason.B_LEG),
    ],
)
def test_legs_that_are_no_calls_are_told_apart(variables: dict[str, str], reason: SkipReason) -> None:
    assert parse("freeswitch-json", json.dumps(document(**variables))) == [SkippedLine(1, reason)]
    assert parse("freeswitch-json", json.dumps(encoded(document(**variables)))) == [SkippedLine(1, reason)]


@pytest.mark.parametrize("variables", [{"cc_side": "member"}, {"loopback_leg": "A"}])
def test_the_caller_in_a_queue_and_the_origin_of_a_loopback_are_calls(variables: dict[str, str]) -> None:
    check(json.dumps(document(**variables)), f"1 a1 {TIMES}")


def test_one_call_to_a_queue_of_three_agents() -> None:
    """The second agent answers; the first was busy, and the third rang until then."""
    legs = [
        document(uuid="m1", cc_side="member"),
        document(uuid="g1", cc_side="agent", hangup_cause="USER_BUSY", answer_uepoch="0"),
        document(uuid="g2", cc_side="agent"),
        document(uuid="g3", cc_side="agent", hangup_cause="LOSE_RACE", answer_uepoch="0"),
    ]
    check("".join(map(json.dumps, legs)), f"1 m1 {TIMES}", "1 skipped", "1 skipped", "1 skipped")


B_LEG = document(flow(originator={"originator_caller_profiles": [PROFILE]}), uuid="b1")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (json.dumps(document()) + json.dumps(B_LEG), [f"1 a1 {TIMES}", "1 skipped"]),
        (json.dumps([document(), B_LEG]), [f"1 a1 {TIMES}", "1 skipped"]),
        (json.dumps([document(), B_LEG], indent=2), [f"2 a1 {TIMES}", "37 skipped"]),
        (json.dumps(document(), indent=2) + json.dumps(B_LEG, indent=2), [f"1 a1 {TIMES}", "35 skipped"]),
        (json.dumps({"cdr": document()}), [f"1 a1 {TIMES}"]),
        (2 * json.dumps({"cdr": document()}, indent=2), [f"1 a1 {TIMES}", f"37 a1 {TIMES}"]),
    ],
)
def test_documents_however_they_follow_each_other(data: str, expected: list[str]) -> None:
    check(data, *expected)


@pytest.mark.parametrize("wrapper", ["", '{"cdr":'])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_document_cut_anywhere_costs_itself(indent: int | None, wrapper: str) -> None:
    """The disk was full, or the switch was killed."""
    cut, whole = (wrapper + json.dumps(document(uuid=uuid), indent=indent) for uuid in ("a1", "a2"))
    end = "}" if wrapper else ""
    for place in range(len(wrapper) + 1, len(cut)):
        found = outline(parse("freeswitch-json", f"{cut[:place]}{whole}{end}\n"))
        assert found[0] == "1 ! the document is not closed"
        assert found[1:] == [f"{cut.count(chr(10), 0, place) + 1} a2 {TIMES}"]


def test_more_documents_on_one_line_than_a_line_may_have_bytes() -> None:
    """Older versions of mod_json_cdr end a document without a line end, and then comes `cat *.json`."""
    data = 1_500 * json.dumps(document())
    assert len(data) > 1_048_576
    parsed = parse("freeswitch-json", data)
    assert outline(parsed) == 1_500 * [f"1 a1 {TIMES}"]


def test_what_fusionpbx_makes_of_a_document() -> None:
    """It keeps the XML as JSON, with the only profile outside a list, and an empty element as an object."""
    plain = encoded(document())
    plain |= {"@attributes": {"core-uuid": "c"}, "callflow": plain["callflow"][0]}
    plain["variables"] |= {"accountcode": {}, "bridge_uuid": [], "DP_MATCH": ["a", "b"]}
    del plain["core-uuid"]
    text = json.dumps({"@attributes": plain.pop("@attributes")} | plain)
    record = only_record(parse("freeswitch-json", text))
    assert (record.account_id, record.term_leg_id, record.auth_orig_ip) == ("", "", "192.0.2.10")
    check(f"{text[:99]}{text}{text}", "1 ! the document is not closed", f"1 a1 {TIMES}", f"1 a1 {TIMES}")


def test_local_times_count_if_there_are_no_others() -> None:
    data = document(flow(), without=" ".join(f"{name}_{unit}epoch" for name in ENDS for unit in ("", "u")))
    data["variables"] |= {
        "start_stamp": "2026-03-28 10:00:00",
        "answer_stamp": "2026-03-28 10:00:05",
        "end_stamp": "2026-03-28 10:02:05",
        "duration": "125",
        "billsec": "120",
    }
    berlin = options("Europe/Berlin")
    assert outline(parse("freeswitch-json", json.dumps(data), berlin)) == [
        "1 a1 2026-03-28T09:00:00Z 2026-03-28T09:00:05Z 2026-03-28T09:02:05Z"
    ]
    del data["variables"]["answer_stamp"]
    assert outline(parse("freeswitch-json", json.dumps(encoded(data)), berlin)) == [
        "1 a1 2026-03-28T09:00:00Z - 2026-03-28T09:02:05Z"
    ]


def test_bytes_that_are_not_utf8_cost_nothing_where_no_field_uses_them() -> None:
    text = json.dumps(document(caller_name="J?rg"))
    (parsed,) = parse("freeswitch-json", text.encode().replace(b"J?rg", b"J\xf6rg"))
    assert isinstance(parsed, ParsedRecord)
    assert "J\\xf6rg" in shown(parsed.text)
    record = only_record(parse("freeswitch-json", text.encode().replace(b"acme", b"acm\xe9")))
    assert decode_fields(record, "utf-8", "")
    assert record.account_id.startswith("acm\ufffd")


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (json.dumps(document())[:-20], "the document is not closed"),
        (json.dumps(document()).replace(":", "", 1), "no JSON: "),
        ('{"a": ' + "[" * 100_000 + "}", "no JSON: "),
        ("{}", "the document has no variables"),
        (json.dumps({"variables": 7, "callflow": "x"}), "the document has no uuid"),
        (json.dumps(document(uuid="")), "the document has no uuid"),
        (json.dumps(document(end_uepoch="0", end_epoch="0")), "the document has no start or no end"),
        (json.dumps(document(start_uepoch="soon")), "start: 'soon' is not a whole number"),
        (json.dumps(document(start_uepoch="-5")), "start: '-5' is not a whole number"),
        (json.dumps(document(accountcode="a\0b")), "accountcode is not a text"),
        (json.dumps(document(accountcode="\ud800")), "a text has an unpaired surrogate"),
        (json.dumps(encoded(document()) | {"variables": {"uuid": "%ff"}}), "uuid is not UTF-8"),
        (json.dumps(document(flow(caller_id_number=[1]))), "caller_id_number is not a text"),
    ],
)
def test_a_damaged_document_does_not_affect_its_neighbours(damaged: str, reason: str) -> None:
    good = json.dumps(document())
    first, middle, last = outline(parse("freeswitch-json", f"{good}\n{damaged}\n{good}\n"))
    assert (first, last) == (f"1 a1 {TIMES}", f"3 a1 {TIMES}")
    assert middle.startswith(f"2 ! {reason}")
    first, middle, last = outline(parse("freeswitch-json", good + damaged + good))
    assert (first, last) == (f"1 a1 {TIMES}", f"1 a1 {TIMES}")
    assert middle.startswith(f"1 ! {reason}")
