"""freeswitch-xml: documents of mod_xml_cdr, as it writes them and as FusionPBX keeps them."""

from urllib.parse import quote

import pytest
from pegcount.importers.parsed_line import ParsedRecord, SkippedLine, SkipReason
from pegcount.importers.undecoded import decode_fields, shown
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, SessionRecord

from .reading import only_record, options, outline, parse

DECLARATION = '<?xml version="1.0"?>\n'
VARIABLES = {
    "direction": "inbound",
    "uuid": "a1",
    "bridge_uuid": "b1",
    "sip_network_ip": "192.0.2.10",
    "accountcode": "acme/1001 süd",
    "sip_from_uri": "12025550101@192.0.2.10",
    "start_stamp": "2026-03-28 09:00:00",
    "start_epoch": "1774688400",
    "start_uepoch": "1774688400250000",
    "answer_uepoch": "1774688405250000",
    "end_uepoch": "1774688525250000",
    "hangup_cause": "NORMAL_CLEARING",
    "hangup_cause_q850": "16",
}
PROFILE = (
    "<caller_id_number>+12025550101</caller_id_number><destination_number>442079460001</destination_number>"
)
TIMES = "2026-03-28T09:00:00.250000Z 2026-03-28T09:00:05.250000Z 2026-03-28T09:02:05.250000Z"


def callflow(profile: str = PROFILE, **times: int) -> str:
    stamps = "".join(f"<{name}_time>{time}</{name}_time>" for name, time in times.items())
    return (
        f'<callflow dialplan="XML">\n<caller_profile>{profile}</caller_profile>\n'
        f"<times>{stamps}</times></callflow>\n"
    )


def document(*flows: str, declaration: str = DECLARATION, extra: str = "", **variables: str) -> str:
    """A document as the module writes it: texts of variables are URL-encoded."""
    texts = {name: quote(text, safe="/,()") for name, text in (VARIABLES | variables).items()}
    return plain_document(*flows, declaration=declaration, extra=extra, **texts)


def plain_document(*flows: str, declaration: str = DECLARATION, extra: str = "", **texts: str) -> str:
    elements = "\n".join(f"    <{name}>{text}</{name}>" for name, text in texts.items())
    return (
        f'{declaration}<cdr core-uuid="c" switchname="pbx1">\n'
        f"  <channel_data><state>CS_REPORTING</state></channel_data>\n"
        f"  <variables>\n{elements}{extra}\n  </variables>\n"
        f'  <app_log><application app_name="set" app_data="a=&quot;&lt;b>&quot;"></application></app_log>\n'
        f"{''.join(flows or [callflow()])}</cdr>"
    )


def check(data: str | bytes, *expected: str) -> None:
    assert outline(parse("freeswitch-xml", data)) == [*expected]


LINES = document().count("\n")


def test_fields() -> None:
    record = only_record(parse("freeswitch-xml", document()))
    for name in ("setup_time", "answer_time", "end_time"):
        record.ClearField(name)
    assert record == SessionRecord(
        source="pbx",
        session_id="a1",
        kind=SESSION_KIND_CALL,
        disconnect_cause=16,
        account_id="acme/1001 süd",
        orig_accounts_ident="acme/1001 süd",
        src_prefix_routing="+12025550101",
        dst_prefix_routing="442079460001",
        auth_orig_ip="192.0.2.10",
        orig_leg_id="a1",
        term_leg_id="b1",
        orig_src_party_id="+12025550101",
        orig_dst_party_id="442079460001",
        term_dst_party_id="442079460001",
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (document(answer_uepoch="0"), "2026-03-28T09:00:00.250000Z - 2026-03-28T09:02:05.250000Z"),
        # Without microseconds, the callflow has the times; one profile for each part of a transferred call.
        (
            document(
                callflow(created=1774688400250000, answered=1774688406000000, hangup=1774688500000000),
                callflow(created=1774688400250000, answered=0, hangup=1774688420000000),
                start_uepoch="0",
                answer_uepoch="0",
                end_uepoch="0",
            ),
            "2026-03-28T09:00:00.250000Z 2026-03-28T09:00:06Z 2026-03-28T09:01:40Z",
        ),
        # Documents of 2009 have neither attributes nor microseconds of the answer.
        (
            document(answer_uepoch="", answer_epoch="1774688405").replace(' core-uuid="c"', ""),
            "2026-03-28T09:00:00.250000Z 2026-03-28T09:00:05Z 2026-03-28T09:02:05.250000Z",
        ),
    ],
)
def test_times(data: str, expected: str) -> None:
    check(data, f"1 a1 {expected}")


def test_the_called_party_is_the_one_dialled_before_a_transfer() -> None:
    data = document(callflow(PROFILE.replace("0001", "0009")), callflow())
    assert only_record(parse("freeswitch-xml", data)).orig_dst_party_id == "442079460001"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (document(hangup_cause="LOSE_RACE"), SkipReason.LOST_LEG),
        (document(cc_side="agent"), SkipReason.AGENT_LEG),
        (document(originating_leg_uuid="a0"), SkipReason.B_LEG),
        (document(loopback_leg="B"), SkipReason.B_LEG),
        (
            document(callflow(f"{PROFILE}<originator><originator_caller_profile/></originator>")),
            SkipReason.B_LEG,
        ),
    ],
)
def test_legs_that_are_no_calls_are_told_apart(data: str, reason: SkipReason) -> None:
    assert parse("freeswitch-xml", data) == [SkippedLine(1, reason)]


def test_an_a_leg_names_those_that_it_called() -> None:
    profile = (
        f"{PROFILE}<originatee><originatee_caller_profile>{PROFILE}</originatee_caller_profile></originatee>"
    )
    check(document(callflow(profile)), f"1 a1 {TIMES}")


@pytest.mark.parametrize("between", ["", "\n", "\r\n\r\n", "<!-- next: <b> -->\n"])
@pytest.mark.parametrize("declaration", [DECLARATION, "", '<?xml version="1.0" encoding="UTF-8"?>'])
def test_documents_however_they_follow_each_other(declaration: str, between: str) -> None:
    first = document(declaration=declaration)
    second = document(declaration=declaration, uuid="a2")
    second_line = (first + between).count("\n") + 1
    check(f"\ufeff{first}{between}{second}\n", f"1 a1 {TIMES}", f"{second_line} a2 {TIMES}")
    flat = (first + between + second).replace("\n", "")
    check(flat, f"1 a1 {TIMES}", f"1 a2 {TIMES}")


def test_an_element_around_the_documents() -> None:
    data = (
        f"{DECLARATION}<cdrs>\n{document(declaration='')}\n{document(declaration='', uuid='a2')}\n</cdrs>\n"
    )
    first, second, *rest = outline(parse("freeswitch-xml", data))
    assert (first, second, rest) == (f"3 a1 {TIMES}", f"{LINES + 3} a2 {TIMES}", [])


def test_documents_longer_than_a_piece_of_the_file() -> None:
    long = document(extra=f"<switch_r_sdp>{70_000 * 'x'}</switch_r_sdp>")
    assert outline(parse("freeswitch-xml", 9 * long))[-1].endswith(f" a1 {TIMES}")
    assert len(parse("freeswitch-xml", 9 * long)) == 9
    short = document().replace("\n", "")
    assert outline(parse("freeswitch-xml", 300 * short)) == 300 * [f"1 a1 {TIMES}"]


@pytest.mark.parametrize("prefix", ["", "cdr="])
def test_a_file_that_the_module_could_not_post(prefix: str) -> None:
    """It keeps the body of the form, in which everything is URL-encoded."""
    data = prefix + quote(document(callflow(f"<caller_id_name>Jörg</caller_id_name>{PROFILE}")), safe="")
    check(data, f"1 a1 {TIMES}")
    many = prefix + quote("".join(document(uuid=f"ü{number}") for number in range(200)), safe="")
    assert len(many) > 3 * 65_536
    records = [line.record for line in parse("freeswitch-xml", many) if isinstance(line, ParsedRecord)]
    assert [record.session_id for record in records] == [f"ü{number}" for number in range(200)]


def test_a_document_that_was_decoded_as_a_whole() -> None:
    """Addresses then stand in it with their angle brackets; FusionPBX mends such documents, too."""
    extra = (
        '\n<sip_full_from>"Ann & B" <sip:101@192.0.2.1>;tag=f9</sip_full_from>\n'
        '<sip_full_to><sip:102@192.0.2.1></sip_full_to><caller_id>"A &amp; B" <101></caller_id>'
    )
    data = plain_document(extra=extra, **VARIABLES | {"accountcode": "50%25"})
    record = only_record(parse("freeswitch-xml", data))
    assert (record.session_id, record.account_id) == ("a1", "50%25")
    check(data.replace("\n", ""), f"1 a1 {TIMES}")


@pytest.mark.parametrize("declaration", ["", DECLARATION])
def test_a_document_cut_anywhere_costs_itself(declaration: str) -> None:
    """The disk was full, or the switch was killed."""
    cut, whole = document(declaration=declaration), document(declaration=declaration, uuid="a2")
    for place in range(1, len(cut)):
        *damaged, found = outline(parse("freeswitch-xml", cut[:place] + whole))
        assert [line.startswith("1 ! ") for line in damaged] == [True]
        assert found == f"{cut.count(chr(10), 0, place) + 1} a2 {TIMES}"


GOOD_LINES = LINES + 1
ENTITY = '<?xml version="1.0"?><!DOCTYPE cdr [<!ENTITY a "b">]>'


@pytest.mark.parametrize(
    ("damaged", "reason"),
    [
        (document()[:200], "the document is not closed"),
        (document(declaration="")[:200], "the document is not closed"),
        (DECLARATION, "the document is not closed"),
        (document().replace("</uuid>", "</u>"), "no XML: mismatched tag"),
        (document().replace("</variables>", ""), "no XML: mismatched tag"),
        (document(declaration=ENTITY), "no XML: it declares a document type or entities"),
        (
            document(declaration='<!DOCTYPE cdr SYSTEM "/etc/passwd">'),
            "the text is not an XML document of Free",
        ),
        ("caller,called", "the text is not an XML document of FreeSWITCH"),
        ("<cdr>text</cdr>", "the document has no variables"),
        (document(uuid=""), "the document has no uuid"),
        (document(end_uepoch="0"), "the document has no start or no end"),
        (document(start_uepoch="soon"), "start: 'soon' is not a whole number"),
        (document(extra=f"<x>{1_100_000 * 'x'}</x>"), "the document has more than 1048576 characters"),
        (document(extra=f"<x>{3_000_000 * 'x'}</x>"), "the document has more than 1048576 characters"),
        (document(extra=f"<x>{3_000_000 * 'x'}")[:-20], "the document has more than 1048576 characters"),
    ],
)
def test_a_damaged_document_does_not_affect_its_neighbours(damaged: str, reason: str) -> None:
    good = document()
    found = outline(parse("freeswitch-xml", f"{good}\n{damaged}\n{good}\n"))
    assert found[0] == f"1 a1 {TIMES}"
    assert found[-1] == f"{GOOD_LINES + damaged.count(chr(10)) + 2} a1 {TIMES}"
    assert found[1].startswith(f"{GOOD_LINES + 1} ! {reason}")


def test_entities_are_never_expanded() -> None:
    laughs = "".join(f'<!ENTITY a{i + 1} "{10 * f"&a{i};"}">' for i in range(9))
    declaration = f'<?xml version="1.0"?><!DOCTYPE cdr [<!ENTITY a0 "ha">{laughs}]>'
    check(
        document(declaration=declaration, extra="<x>&a9;</x>"),
        "1 ! no XML: it declares a document type or entities",
    )


def test_bytes_that_are_not_utf8_cost_nothing_where_no_field_uses_them() -> None:
    name = callflow(f"<caller_id_name>J?rg</caller_id_name>{PROFILE}")
    (parsed,) = parse("freeswitch-xml", document(name).encode().replace(b"J?rg", b"J\xf6rg"))
    assert isinstance(parsed, ParsedRecord)
    assert r"J\xf6rg" in shown(parsed.text)
    record = only_record(parse("freeswitch-xml", document(name).encode().replace(b"44207946", b"\xe944207")))
    assert decode_fields(record, "utf-8", "")
    assert "\ufffd" in record.orig_src_party_id + record.orig_dst_party_id


def test_local_times_count_if_there_are_no_others() -> None:
    stamps = {"answer_stamp": "2026-03-28 09:00:05", "end_stamp": "2026-03-28 09:02:05", "duration": "125"}
    never = {"start_uepoch": "0", "answer_uepoch": "0", "end_uepoch": "0", "start_epoch": "0"}
    data = document(**stamps, **never, billsec="120")
    assert outline(parse("freeswitch-xml", data, options("Europe/Berlin"))) == [
        "1 a1 2026-03-28T08:00:00Z 2026-03-28T08:00:05Z 2026-03-28T08:02:05Z"
    ]
