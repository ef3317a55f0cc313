"""Batches that name the rule by which the ids of their source are made."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pegcount.config import Config
from pegcount.model import Predicate
from pegcount.v1 import records_pb2
from service import Service

from server_tests.example_requests import call_record
from server_tests.refusal import refusal
from server_tests.streams import Stream

LINKED, ROWS = "asterisk linkedid", "asterisk rows"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with Service(tmp_path, Config(source_rule_bytes_max=20)) as opened:
        yield opened


def batch(session_id: str, rule: str | None, source: str = "pbx") -> bytes:
    record = call_record(session_id)
    record.source = source
    source_rule = None if rule is None else records_pb2.SourceRule(source=source, rule=rule)
    return records_pb2.WriteRecordsRequest(records=[record], source_rule=source_rule).SerializeToString()


def written(service: Service, *batches: bytes) -> list[Any]:
    with Stream(service.channel) as stream:
        stream.send(*batches)
        return stream.end()


def test_batches_by_one_rule_are_written(service: Service) -> None:
    answers = written(service, batch("a", LINKED), batch("b", LINKED), batch("c", ROWS, "other"))
    assert [answer.accepted for answer in answers] == [1, 1, 1]


def test_a_batch_by_another_rule_is_refused_and_not_stored(service: Service) -> None:
    written(service, batch("a", LINKED))
    refused = refusal(lambda: written(service, batch("b", ROWS)))
    assert (refused.code.name, refused.info.reason) == ("FAILED_PRECONDITION", "SOURCE_RULE_DIFFERS")
    assert refused.metadata == {"source": "pbx", "rule": ROWS, "rule_of_source": LINKED}
    assert service.store.info().records == 1
    assert written(service, batch("b", None))[0].accepted == 1


def test_a_stream_looks_for_a_rule_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    any_match, document = service.store.any_match, service.store.document

    def look(predicates: list[Predicate], cancel_token: Any) -> bool:
        looks.append("records")
        return any_match(predicates, cancel_token)

    def read(name: str) -> Any:
        looks.append(name)
        return document(name)

    monkeypatch.setattr(service.store, "any_match", look)
    monkeypatch.setattr(service.store, "document", read)
    written(service, *(batch(str(number), LINKED) for number in range(20)))
    assert looks == ["source_rule/pbx", "records"]


def test_a_rule_under_which_all_records_were_rejected_binds_nobody(service: Service) -> None:
    (answer,) = written(service, batch("", ROWS))
    assert (answer.accepted, len(answer.rejected)) == (0, 1)
    assert [answer.accepted for answer in written(service, batch("a", LINKED), batch("b", LINKED))] == [1, 1]
    assert refusal(lambda: written(service, batch("c", ROWS))).metadata["rule_of_source"] == LINKED


@pytest.mark.parametrize("others", [("other", ""), ("other",), ("",)])
def test_a_batch_with_a_record_of_another_source_is_invalid(
    service: Service, others: tuple[str, ...]
) -> None:
    records = [call_record(f"{number}") for number in range(5 + len(others))]
    for record in records:
        record.source = "pbx"
    for record, source in zip(records[3:], others, strict=False):
        record.source = source
    if not others[0]:
        records[3].ClearField("source")
    request = records_pb2.WriteRecordsRequest(
        records=records, source_rule=records_pb2.SourceRule(source="pbx", rule=LINKED)
    )
    refused = refusal(lambda: written(service, request.SerializeToString()))
    assert [violation[:2] for violation in refused.violations] == [
        ("records[3].source", "SOURCE_OF_RECORD_DIFFERS")
    ]
    assert service.store.info().records == 0


def test_records_of_the_unnamed_source_may_be_written_by_a_rule(service: Service) -> None:
    assert written(service, batch("a", LINKED, ""))[0].accepted == 1


def test_a_text_that_is_no_utf_8_is_malformed(service: Service) -> None:
    data = batch("a", LINKED).replace(b"pbx", b"p\xffx", 1)
    assert refusal(lambda: written(service, data)).info.reason == "MALFORMED_MESSAGE"


@pytest.mark.parametrize(
    ("source", "rule", "field", "reason"),
    [
        ("pbx", "", "source_rule.rule", "REQUIRED_FIELD_MISSING"),
        ("pbx", "x" * 21, "source_rule.rule", "TEXT_TOO_LONG"),
        ("s" * 21, LINKED, "source_rule.source", "TEXT_TOO_LONG"),
    ],
)
def test_a_rule_without_a_name_or_with_a_long_one_is_invalid(
    service: Service, source: str, rule: str, field: str, reason: str
) -> None:
    refused = refusal(lambda: written(service, batch("a", rule, source)))
    assert [violation[:2] for violation in refused.violations] == [(field, reason)]
    assert service.store.info().records == 0


def test_a_key_of_too_many_bytes_hides_no_rule(service: Service) -> None:
    """The core reads such a batch, of which the Python library says that it is none."""
    written(service, batch("a", LINKED))
    field_99_in_six_bytes = b"\x98\x86\x80\x80\x80\x00\x00"
    for data in (field_99_in_six_bytes + batch("b", ROWS), batch("b", ROWS) + field_99_in_six_bytes):
        assert refusal(partial(written, service, data)).info.reason == "MALFORMED_MESSAGE"
    assert service.store.info().records == 1


def test_a_rule_that_is_no_message_is_malformed(service: Service) -> None:
    # Field 4, of 2 bytes, has field 1 without its text.
    assert refusal(lambda: written(service, b"\x22\x02\x0a\x7f")).info.reason == "MALFORMED_MESSAGE"
