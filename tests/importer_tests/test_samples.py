"""Imports the sample files as the documentation describes, down to the last line."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from pegcount.importers import ParsedRecord, UnreadableLine
from pegcount.v1.records_pb2 import SESSION_KIND_ASR, SESSION_KIND_CALL, SESSION_KIND_TTS, SessionRecord

from .reading import options, parse, times

SAMPLES = Path(__file__).parents[2] / "samples"


def sample(format_name: str, file: str) -> tuple[list[SessionRecord], Counter[str]]:
    parsed = parse(format_name, (SAMPLES / file).read_bytes(), options("Europe/Berlin"))
    assert [line for line in parsed if isinstance(line, UnreadableLine)] == []
    records = [line.record for line in parsed if isinstance(line, ParsedRecord)]
    return records, Counter(type(line).__name__ for line in parsed)


@pytest.mark.parametrize(
    ("format_name", "file", "record_count", "skipped", "distinct"),
    [
        # The caller of one call dials again, on the same channel.
        ("asterisk-csv", "asterisk-master.csv", 27, 0, 26),
        ("freeswitch-csv", "freeswitch.csv", 22, 2, 22),
        # The file has one document twice.
        ("freeswitch-json", "freeswitch.jsonl", 11, 1, 10),
        ("freeswitch-xml", "freeswitch.xml", 3, 3, 3),
        ("yeti-csv", "yeti.csv", 21, 0, 21),
        ("pegcount-csv", "pegcount.csv", 65, 0, 65),
    ],
)
def test_samples(format_name: str, file: str, record_count: int, skipped: int, distinct: int) -> None:
    records, lines = sample(format_name, file)
    assert (lines["ParsedRecord"], lines["SkippedLine"]) == (record_count, skipped)
    assert len({record.session_id for record in records}) == distinct
    for record in records:
        setup, answer, end = times(record)
        assert "2026-03-28" <= setup < "2026-03-31"
        assert end == "-" or setup <= (answer if answer != "-" else setup) <= end


def test_the_call_across_the_skipped_hour_of_berlin() -> None:
    records, _ = sample("asterisk-csv", "asterisk-master.csv")
    assert times(records[12]) == ["2026-03-29T00:49:00Z", "2026-03-29T00:49:07Z", "2026-03-29T01:14:00Z"]


def test_pegcount_csv_has_records_for_every_report() -> None:
    records, _ = sample("pegcount-csv", "pegcount.csv")
    assert {record.kind for record in records} == {SESSION_KIND_CALL, SESSION_KIND_ASR, SESSION_KIND_TTS}
    assert {record.folder for record in records if record.company == "acme"} == {"billing", "sales", ""}
    assert sum(not record.HasField("end_time") for record in records) == 7
    assert any(record.account_id == "1001" and not record.is_last_attempt for record in records)


def test_the_code_deck_matches_the_called_parties() -> None:
    with (SAMPLES / "deck.csv").open(newline="") as file:
        codes = {row["code"] for row in csv.DictReader(file)}
    records, _ = sample("pegcount-csv", "pegcount.csv")
    called = {record.term_dst_party_id for record in records if record.term_dst_party_id}
    assert called
    assert all(any(party.startswith(code) for code in codes) for party in called)
