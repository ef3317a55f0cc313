"""The rule of a source, over each store."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pegcount import core
from pegcount.errors import CancelledError, SourceRuleError
from pegcount.model import Deletion, WriteOutcome
from pegcount.store import SourceRules, require_source_rule

from conformance.stores import StoreFactory
from conformance.test_contract import Place, batch, record, token

LINKED, UNIQUE, ROWS = "asterisk linkedid", "asterisk uniqueid", "asterisk rows"


@pytest.fixture
def place(stores: StoreFactory, tmp_path: Path) -> Iterator[Place]:
    opened = Place(stores, tmp_path / "store")
    # Documents of `Place` have at most 8 bytes.
    opened.reopen(document_bytes_max=256)
    yield opened
    opened.store.close()


def require(place: Place, rule: str, source: str = "pbx") -> None:
    require_source_rule(place.store, source, rule, token())


def refused(place: Place, rule: str, source: str = "pbx") -> SourceRuleError:
    with pytest.raises(SourceRuleError) as caught:
        require(place, rule, source)
    return caught.value


@pytest.mark.parametrize("source", ["pbx", ""])
def test_the_rule_of_a_source_with_records_stays(place: Place, source: str) -> None:
    for rule in (LINKED, LINKED):
        require(place, rule, source)
    place.write(record("a", source=source))
    place.reopen(document_bytes_max=256)
    require(place, LINKED, source)
    error = refused(place, UNIQUE, source)
    assert error.metadata == {"source": source, "rule": UNIQUE, "rule_of_source": LINKED}
    assert "--source" in str(error)
    assert "--calls linkedid" in str(error)
    require(place, UNIQUE, "another")


def test_a_rule_that_brought_no_records_binds_nobody(place: Place) -> None:
    for rule in (LINKED, UNIQUE, ROWS, LINKED):
        require(place, rule)
    place.write(record("a", source="pbx"))
    assert refused(place, ROWS).metadata["rule_of_source"] == LINKED


@pytest.mark.parametrize("source", ["pbx", ""])
def test_records_of_an_unknown_rule_go_on_with_a_call_for_each_row(place: Place, source: str) -> None:
    place.write(record("a", source=source))
    error = refused(place, LINKED, source)
    assert error.metadata["rule_of_source"] == ""
    assert "--calls rows" in str(error)
    require(place, LINKED, "another")
    require(place, ROWS, source)
    assert refused(place, LINKED, source).metadata["rule_of_source"] == ROWS


def test_of_importers_that_begin_together_one_rule_wins(place: Place) -> None:
    rules = SourceRules(place.store)
    require(place, ROWS)
    ready = threading.Barrier(8)

    def begin(number: int) -> str | None:
        rule = (LINKED, UNIQUE)[number % 2]
        ready.wait(20)
        try:
            rules.submit(batch(record(f"{number}", source="pbx")), "pbx", rule, token()).wait()
        except SourceRuleError:
            return None
        return rule

    with ThreadPoolExecutor(8) as importers:
        taken = list(importers.map(begin, range(8)))
    assert sorted(taken, key=str) in ([None] * 4 + [LINKED] * 4, [None] * 4 + [UNIQUE] * 4)
    assert place.cells() == [(0, (4, 0, 0))]


def test_no_rule_is_replaced_while_a_batch_is_on_its_way(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules, submit = SourceRules(place.store), place.store.submit
    is_submitted, may_be_seen = threading.Event(), threading.Event()

    class SlowWrite:
        """A batch that is not seen before somebody lets it."""

        def __init__(self, data: bytes, *_: object) -> None:
            self._data = data

        def wait(self) -> WriteOutcome:
            is_submitted.set()
            assert may_be_seen.wait(20)
            monkeypatch.setattr(place.store, "submit", submit)
            return place.store.write(self._data)

    monkeypatch.setattr(place.store, "submit", SlowWrite)
    with ThreadPoolExecutor(2) as importers:
        first = importers.submit(rules.submit, batch(record("a", source="pbx")), "pbx", LINKED, token())
        assert is_submitted.wait(20)
        second = importers.submit(rules.submit, batch(record("b", source="pbx")), "pbx", UNIQUE, token())
        # One that ends meanwhile does not wait for the batch.
        ended = core.CancelToken(None)
        ended.cancel()
        with pytest.raises(CancelledError):
            rules.submit(batch(record("c", source="pbx")), "pbx", UNIQUE, ended)
        assert not second.done()
        may_be_seen.set()
        first.result(20)
        assert isinstance(second.exception(20), SourceRuleError)
    assert place.cells(keys=["session_id"]) == [(0, "a", (1, 0, 0))]


def test_a_source_whose_records_were_deleted_takes_another_rule(place: Place) -> None:
    rules = SourceRules(place.store)
    for session_id in "ab":
        rules.submit(batch(record(session_id, source="pbx")), "pbx", LINKED, token()).wait()
    rules.submit(batch(record("c", source="other")), "other", LINKED, token()).wait()
    assert rules.delete(Deletion("pbx", once=True), token()).deleted == 2
    assert rules.submit(batch(record("b", source="pbx")), "pbx", UNIQUE, token()).wait().accepted == 1
    for source, rule in (("pbx", LINKED), ("other", UNIQUE)):
        with pytest.raises(SourceRuleError):
            rules.submit(batch(record("d", source=source)), source, rule, token())
    ended = core.CancelToken(None)
    ended.cancel()
    with pytest.raises(CancelledError):
        rules.delete(Deletion("pbx", once=True), ended)
    assert rules.submit(batch(record("e", source="pbx")), "pbx", UNIQUE, token()).wait().accepted == 1


def test_a_batch_of_rejected_records_leaves_the_rule_open(place: Place) -> None:
    rules = SourceRules(place.store)
    outcome = rules.submit(batch(record("", source="pbx")), "pbx", LINKED, token()).wait()
    assert len(outcome.rejected) == 1
    assert place.store.documents() == {}
    assert rules.submit(batch(record("a", source="pbx")), "pbx", UNIQUE, token()).wait().accepted == 1
    for _ in range(2):
        with pytest.raises(SourceRuleError, match="by the rule 'asterisk uniqueid'"):
            rules.submit(batch(record("b", source="pbx")), "pbx", LINKED, token())


def test_an_importer_that_another_one_overtakes_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = place.store.put_document

    def put_after_another(name: str, content: bytes | None, expected_version: int | None) -> int:
        put(name, LINKED.encode(), None)
        place.write(record("a", source="pbx"))
        return put(name, content, expected_version)

    monkeypatch.setattr(place.store, "put_document", put_after_another)
    assert refused(place, UNIQUE).metadata["rule_of_source"] == LINKED


@pytest.mark.parametrize(
    ("rule", "options"),
    [
        (LINKED, "--calls linkedid --answered party"),
        (f"{UNIQUE} switch", "--calls uniqueid --answered switch"),
        (ROWS, "--calls rows"),
        ("asterisk v2", None),
        ("v2 rows", None),
    ],
)
def test_an_error_names_options_that_exist(rule: str, options: str | None) -> None:
    message = str(SourceRuleError("pbx", "x", rule))
    assert (options in message) if options else ("--calls" not in message)
    assert "--source" in message
