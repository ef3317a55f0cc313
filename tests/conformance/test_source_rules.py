"""The rule of a source, over each store."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pegcount.errors import SourceRuleError
from pegcount.store import require_source_rule

from conformance.stores import StoreFactory
from conformance.test_contract import Place, record, token

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
def test_the_first_rule_of_a_source_stays(place: Place, source: str) -> None:
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
    ready = threading.Barrier(8)

    def begin(number: int) -> str | None:
        rule = (LINKED, UNIQUE)[number % 2]
        ready.wait(20)
        try:
            require(place, rule)
        except SourceRuleError:
            return None
        return rule

    with ThreadPoolExecutor(8) as importers:
        rules = list(importers.map(begin, range(8)))
    assert sorted(rules, key=str) in ([None] * 4 + [LINKED] * 4, [None] * 4 + [UNIQUE] * 4)


def test_an_importer_that_another_one_overtakes_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = place.store.put_document

    def put_after_another(name: str, content: bytes | None, expected_version: int | None) -> int:
        put(name, LINKED.encode(), None)
        return put(name, content, expected_version)

    monkeypatch.setattr(place.store, "put_document", put_after_another)
    assert refused(place, UNIQUE).metadata["rule_of_source"] == LINKED
