"""Numbers and addresses of parties are shown by no error, no notice, no log and no output of a command.

They are written and asked for in every field that has them, valid and broken in many ways.
"""

import csv
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import seeds
from google.protobuf.message import Message
from pegcount.cli import app
from pegcount.importers import FORMATS
from pegcount.v1 import admin_pb2, records_pb2, reports_pb2
from server_tests.example_requests import ASK_QUALITY, SETUP_S, call_record, changed
from service import Service
from typer.testing import CliRunner

from security.canaries import ADDRESS, ADDRESS_6, NAME, NUMBER, found_in

SAMPLES = Path(__file__).parents[2] / "samples"
FIELDS_OF_PARTIES = (
    "src_prefix_routing",
    "dst_prefix_routing",
    "orig_src_party_id",
    "orig_dst_party_id",
    "orig_accounts_ident",
    "term_src_party_id",
    "term_dst_party_id",
    "term_accounts_ident",
    "auth_orig_ip",
)
TEXTS = (
    NUMBER,
    NAME,
    ADDRESS,
    ADDRESS_6,
    "4.93023125987E+11",
    f"{NUMBER}\x00\n",
    NUMBER * 1_000,
    f"{ADDRESS}:5060",
    f"{ADDRESS}/24",
    f"{ADDRESS}/31",
    f"{ADDRESS}/255.255.255.0",
    f"[{ADDRESS_6}]:5060",
    f"{ADDRESS_6}/80",
    f"{ADDRESS_6}%eth0",
    f"host-{ADDRESS}.example",
    f"'{NUMBER}\\'\"{NAME}",
)
COMPARISONS = ("eq", "starts_with", "ends_with", "contains")
WAYS_TO_BREAK = 300
_NUMBER_OF_SAMPLES = re.compile(r"\b(44207946\d{4}|4930\d{8,}|1202555\d{4}|612555\d{4,})\b")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("canaries") / "data") as service:
        yield service


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Searches the log of each test."""
    caplog.set_level(logging.DEBUG)
    yield
    assert found_in(caplog.text) == set()


def texts_of_call(service: Service, method: str, data: bytes) -> str:
    """Calls a method; returns all texts of its status, and of what follows its answer."""
    stub: Any = service.channel.unary_unary(f"/pegcount.v1.{method}")
    # A random id could have the digits that are searched for.
    call = stub.future(data, timeout=20, metadata=(("x-request-id", "canary"),))
    call.exception()
    trailers = (
        value if isinstance(value, bytes) else value.encode() for _, value in call.trailing_metadata()
    )
    return "\n".join([call.details() or "", *(value.decode("latin-1") for value in trailers)])


def broken(message: Message) -> Iterator[bytes]:
    """Yields the bytes of a message, cut and changed."""
    data, numbers = message.SerializeToString(), seeds.chance(message.DESCRIPTOR.name)
    for _ in range(WAYS_TO_BREAK):
        changed_data = bytearray(data)
        for _ in range(numbers.randint(0, 2)):
            changed_data[numbers.randrange(len(data))] = numbers.randrange(256)
        yield bytes(changed_data[: numbers.randint(1, len(data))])


@pytest.mark.parametrize("field", FIELDS_OF_PARTIES)
def test_rejected_records_do_not_show_them(field: str, running: Service) -> None:
    early, late = {"seconds": 1}, {"seconds": SETUP_S + 10**7}
    given: dict[str, Any] = {"setup_time": {"seconds": SETUP_S}}
    records = [
        records_pb2.SessionRecord(session_id=f"{field}{number}", **{**given, field: text})
        for number, text in enumerate(TEXTS)
    ]
    records += [changed(records[0], setup_time=early), changed(records[0], end_time=early)]
    records += [changed(records[0], end_time=late), changed(records[0], session_id="")]
    batch = records_pb2.WriteRecordsRequest(records=records)
    (answer,) = running.records.WriteRecords(iter([batch]), timeout=20)
    assert answer.rejected
    assert found_in("\n".join(one.description for one in answer.rejected)) == set()


def test_broken_batches_do_not_show_them(running: Service) -> None:
    record = call_record("b", **{**dict.fromkeys(FIELDS_OF_PARTIES, NUMBER), "auth_orig_ip": ADDRESS})
    stub: Any = running.channel.stream_stream("/pegcount.v1.RecordService/WriteRecords")
    found = set[str]()
    for data in broken(records_pb2.WriteRecordsRequest(records=[record])):
        try:
            for answer in stub(iter([data]), timeout=20):
                rejected = records_pb2.WriteRecordsResponse.FromString(answer).rejected
                found |= found_in("\n".join(one.description for one in rejected))
        except grpc.RpcError as error:
            found |= found_in(str(error))
    assert found == set()


@pytest.mark.parametrize("text", TEXTS)
def test_refused_filters_do_not_show_them(text: str, running: Service) -> None:
    requests = [changed(ASK_QUALITY, auth_orig_ip=text)]
    for field in ("src_prefix_routing", "dst_prefix_routing"):
        for comparison in COMPARISONS:
            for absent in (False, True):
                given = reports_pb2.TextFilter(**{comparison: text}, absent=absent)
                requests.append(changed(ASK_QUALITY, **{field: given}))
    for request in requests:
        answer = texts_of_call(running, "ReportService/QueryOriginationQuality", request.SerializeToString())
        assert found_in(answer) == set()


def test_notices_do_not_show_them(running: Service) -> None:
    given = reports_pb2.TextFilter(eq=NUMBER)
    request = changed(ASK_QUALITY, dst_prefix_routing=given, auth_orig_ip=ADDRESS)
    answer = running.reports.QueryOriginationQuality(request)
    assert found_in(str(answer.notices)) == set()


def test_broken_requests_do_not_show_them(running: Service) -> None:
    given = reports_pb2.TextFilter(eq=NUMBER, contains=NAME)
    report = changed(ASK_QUALITY, src_prefix_routing=given, dst_prefix_routing=given, auth_orig_ip=ADDRESS)
    erasure = admin_pb2.ErasePartiesRequest(parties=[NUMBER, NAME, ADDRESS], dry_run=True)
    found = set[str]()
    for method, request in (
        ("ReportService/QueryOriginationQuality", report),
        ("AdminService/EraseParties", erasure),
    ):
        for data in broken(request):
            found |= found_in(texts_of_call(running, method, data))
    assert found == set()


def test_the_audit_log_does_not_show_them(running: Service) -> None:
    for parties in (list(TEXTS), [NUMBER], [""], [NUMBER] * 1_001):
        request = admin_pb2.ErasePartiesRequest(parties=parties)
        assert (
            found_in(texts_of_call(running, "AdminService/EraseParties", request.SerializeToString()))
            == set()
        )
    entries = running.admin.ListAuditEntries(admin_pb2.ListAuditEntriesRequest()).entries
    assert {entry.method for entry in entries} == {"EraseParties"}
    assert found_in(str(entries)) == set()


def tables_of(rows: list[list[str]]) -> Iterator[list[list[str]]]:
    """Yields a table with a number in each of its cells in turn, without a cell or a header, or cut."""
    header, row = rows[0], rows[1]
    yield [[NUMBER] * len(header)] * 2
    yield [row, row]
    for column in range(len(row)):
        for text in (NUMBER, f"{NUMBER}'\"", ADDRESS, f"{ADDRESS}:99999"):
            yield [header, [text if place == column else cell for place, cell in enumerate(row)]]
        yield [header, row[:column] + row[column + 1 :]]
    yield [header, [*row, NUMBER]]


def files_of(sample: Path) -> Iterator[str]:
    text = _NUMBER_OF_SAMPLES.sub(NUMBER.removeprefix("+"), sample.read_text(encoding="utf-8"))
    if sample.suffix == ".csv":
        for rows in tables_of(list(csv.reader(io.StringIO(text)))):
            out = io.StringIO()
            csv.writer(out).writerows(rows)
            yield out.getvalue()
    numbers = seeds.chance(sample.name)
    for _ in range(10):
        place = numbers.randrange(len(text))
        yield text[:place] + numbers.choice(['"', "<", "}", "\x00", "\udcff", NUMBER]) + text[place + 1 :]


FORMAT_OF_SAMPLE = {
    "asterisk-master.csv": "asterisk-csv",
    "freeswitch.csv": "freeswitch-csv",
    "freeswitch.jsonl": "freeswitch-json",
    "freeswitch.xml": "freeswitch-xml",
    "pegcount.csv": "pegcount-csv",
    "yeti.csv": "yeti-csv",
}


@pytest.mark.parametrize("name", FORMAT_OF_SAMPLE)
def test_imports_do_not_print_them(name: str, tmp_path: Path) -> None:
    assert set(FORMAT_OF_SAMPLE.values()) == set(FORMATS)
    found, is_rejected = set[str](), False
    for number, text in enumerate(files_of(SAMPLES / name)):
        file = tmp_path / f"{number}.cdr"
        file.write_text(text, encoding="utf-8", errors="surrogateescape")
        arguments = ["--format", FORMAT_OF_SAMPLE[name], "--source", "a", "--dry-run"]
        result = CliRunner().invoke(app, ["import", str(file), "--rejects", str(tmp_path / "r"), *arguments])
        is_rejected |= result.exit_code != 0
        found |= found_in(result.stderr)
    assert is_rejected
    assert found == set()


def test_the_search_finds_them() -> None:
    """Validates the search that the tests rely on."""
    assert found_in(f"{NUMBER} {NAME} {ADDRESS}") >= {"annacanary", "100.237", "02312"}
    assert found_in(f"{ADDRESS_6.upper()}") == {":5eed"}
    assert found_in("+493********** 198.51.*.* 2001:db8:*") == set()
