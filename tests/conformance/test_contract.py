"""What the text of `pegcount.store.interface` says, asked of each store directly."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from decks import deck_of
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import core, errors
from pegcount.config import Config
from pegcount.model import (
    Between,
    InNetwork,
    Measure,
    OneOf,
    OneOfPairs,
    Predicate,
    Present,
    Retention,
    Scan,
    TextMatch,
)
from pegcount.store import Store
from pegcount.v1 import records_pb2

from conformance.stores import StoreFactory

ABSENT = -(2**63)
DAY_US = 86_400_000_000
SETUP_US = 1_774_771_200_000_000
"""2026-03-29T08:00:00Z."""
NOW_US = SETUP_US + DAY_US
LIMITS = Config(batch_row_count_max=3, batch_id_bytes_max=4, document_bytes_max=8)
SESSIONS = Measure("sessions")


class Place:
    """A store that a test can reopen, with a settable clock."""

    def __init__(self, stores: StoreFactory, directory: Path) -> None:
        self._stores = stores
        self._directory = directory
        self.now_us = NOW_US
        self.store = self._open()

    def reopen(self, **limits: Any) -> None:
        self.store.close()
        self.store = self._open(**limits)

    def maintain(self) -> None:
        self._stores.maintain(self.store)

    def write(self, *records: records_pb2.SessionRecord) -> tuple[int, int, int, list[str]]:
        outcome = self.store.write(batch(*records))
        reasons = [records_pb2.RejectReason.Name(r.reason)[14:] for r in outcome.rejected]
        return outcome.accepted, outcome.replaced, outcome.duplicates, reasons

    def cells(
        self, *predicates: Predicate, keys: Sequence[str] = (), measure: Measure = SESSIONS, **more: Any
    ) -> list[tuple[Any, ...]]:
        """Bin, keys and sums of each cell; in order if the scan has keys."""
        found = self.store.partials(
            Scan(more.pop("edge_us", None), predicates, tuple(keys), measure, **more), 100, token()
        )
        columns = [values_of(key) for key in found.keys]
        cells = list(zip(found.bins.tolist(), *columns, map(tuple, found.sums.tolist()), strict=True))
        return sorted(cells) if keys else cells

    def _open(self, **limits: Any) -> Store:
        return self._stores.open(self._directory, replace(LIMITS, **limits), lambda: self.now_us)


@pytest.fixture
def place(stores: StoreFactory, tmp_path: Path) -> Iterator[Place]:
    opened = Place(stores, tmp_path / "store")
    yield opened
    opened.store.close()


def token() -> core.CancelToken:
    return core.CancelToken(None)


def values_of(key: Any) -> list[Any]:
    if isinstance(key, tuple):
        codes, texts = key
        return [texts[code] for code in codes]
    return key.tolist()  # type: ignore[no-any-return]


def batch(*records: records_pb2.SessionRecord, **more: Any) -> bytes:
    return records_pb2.WriteRecordsRequest(records=records, **more).SerializeToString()


def at(us: int) -> Timestamp:
    return Timestamp(seconds=us // 1_000_000, nanos=us % 1_000_000 * 1_000)


def record(
    session_id: str,
    setup_us: int = 0,
    answer: int | None = None,
    end: int | None = None,
    alert: int | None = None,
    **more: Any,
) -> records_pb2.SessionRecord:
    """A session, with times relative to `SETUP_US` and to its setup, in microseconds."""
    times = {"alert_time": alert, "answer_time": answer, "end_time": end}
    given: dict[str, Any] = {
        name: at(SETUP_US + setup_us + us) for name, us in times.items() if us is not None
    }
    return records_pb2.SessionRecord(
        session_id=session_id, setup_time=at(SETUP_US + setup_us), **given, **more
    )


def test_bins_are_half_open_and_all_are_there(place: Place) -> None:
    place.write(record("before", -1), record("first", 0), record("last of first", 9))
    place.write(record("edge", 10), record("end", 30))
    edge_us = np.array([0, 10, 20, 30], np.int64) + SETUP_US
    assert place.cells(edge_us=edge_us) == [(0, (2, 0, 0)), (1, (1, 0, 0)), (2, (0, 0, 0))]
    assert place.cells(edge_us=edge_us, keys=["session_id"]) == [
        (0, "first", (1, 0, 0)),
        (0, "last of first", (1, 0, 0)),
        (1, "edge", (1, 0, 0)),
    ]


def test_without_edges_one_bin_has_all_records_and_without_bins_there_are_no_cells(place: Place) -> None:
    assert place.cells() == [(0, (0, 0, 0))]
    assert place.cells(keys=["folder"]) == []
    place.write(record("a"), record("b", -20 * 365 * DAY_US))
    assert place.cells() == [(0, (2, 0, 0))]
    none = np.array([], np.int64)
    assert place.cells(edge_us=none) == []
    assert place.cells(edge_us=none, keys=["folder"]) == []


def test_absent_values_are_a_group_of_their_own_and_two_columns_have_a_default(place: Place) -> None:
    place.write(record("a"), record("b", folder="f", app_id=0, kind=2, is_last_attempt=False))
    assert place.cells(keys=["folder", "app_id"]) == [(0, "", ABSENT, (1, 0, 0)), (0, "f", 0, (1, 0, 0))]
    assert place.cells(keys=["kind", "is_last_attempt"]) == [(0, 1, 1, (1, 0, 0)), (0, 2, 0, (1, 0, 0))]
    assert place.cells(OneOf("kind", (1,)), keys=["session_id"]) == [(0, "a", (1, 0, 0))]
    assert place.cells(Present("kind", wanted=False), keys=["session_id"]) == [(0, "a", (1, 0, 0))]


def test_measures(place: Place) -> None:
    place.write(record("a", answer=5, end=2_004), record("b", end=9_000), record("c", answer=1_000))
    assert place.cells() == [(0, (3, 0, 0))]
    # 1,999 us are one millisecond; an active session has no duration yet.
    assert place.cells(measure=Measure("calls")) == [(0, (3, 2, 1))]
    assert place.cells(measure=Measure("elapsed", SETUP_US + 2_999)) == [(0, (3, 3, 0))]
    assert place.cells(measure=Measure("elapsed", SETUP_US)) == [(0, (3, 0, 0))]


SAMPLE: dict[str, Any] = {
    "company": "acme",
    "folder": "Straße/1",
    "customer_price": "0.10",
    "app_id": -7,
    "auth_orig_ip": "::ffff:198.51.100.9",
    "vendor_price": "-0.05",
    "vendor_currency": "EUR",
    "sip_status": 486,
    "release_party": "RELEASE_PARTY_SWITCH",
}


@pytest.fixture(scope="module")
def with_sample(stores: StoreFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A store with one record, which no test changes."""
    directory = tmp_path_factory.mktemp("sample") / "store"
    opened = Place(stores, directory)
    opened.write(record("a", **SAMPLE))
    yield opened
    opened.store.close()
    stores.remove(directory)


@pytest.mark.parametrize(
    ("predicate", "holds"),
    [
        (Between("app_id", -7, -7), True),
        (Between("app_id", -6, 2**63 - 1), False),
        (Between("comp_id", ABSENT, 2**63 - 1), False),
        (Between("customer_price", 100_000_000, 100_000_000), True),
        (Between("duration_ms", 0, 0), True),
        (Between("vendor_price", -50_000_000, -50_000_000), True),
        (OneOf("vendor_currency", ("USD", "EUR")), True),
        (OneOf("sip_status", (486,)), True),
        (OneOf("release_party", (2, 3)), True),
        (Present("currency", wanted=False), True),
        (Between("received_time", NOW_US, NOW_US), True),
        (OneOf("app_id", (1, -7)), True),
        (OneOf("comp_id", (ABSENT,)), False),
        (OneOf("comp_id", (ABSENT,), or_absent=True), True),
        (OneOf("app_id", (1,), or_absent=True), False),
        (OneOf("app_id", (-7,), or_absent=True), True),
        (OneOf("kind", (1,), or_absent=True), True),
        (OneOf("kind", (2,), or_absent=True), True),
        (OneOf("duration_ms", (1,), or_absent=True), False),
        (OneOf("folder", ("x", "Straße/1")), True),
        (OneOf("folder", ("x", "y"), or_absent=True), False),
        (OneOf("agent_id", ("x",), or_absent=True), True),
        (OneOf("agent_id", ("",)), False),
        (OneOfPairs("company", "folder", (("acme", "Straße/1"), ("acme", "x"))), True),
        (OneOfPairs("company", "folder", (("acme", "x"), ("bell", "Straße/1"))), False),
        (OneOfPairs("company", "folder", (("bell", "x"), ("acme", None))), True),
        (OneOfPairs("company", "agent_id", (("acme", None),)), True),
        (OneOfPairs("company", "agent_id", (("acme", "x"),)), False),
        (OneOfPairs("agent_id", "company", (("x", None), ("acme", "acme"))), False),
        (TextMatch("folder", "eq", "straße/1"), False),
        (TextMatch("folder", "starts_with", "Straß"), True),
        (TextMatch("folder", "ends_with", "1"), True),
        (TextMatch("folder", "contains", "ße/"), True),
        (TextMatch("agent_id", "contains", "a"), False),
        (InNetwork("auth_orig_ip", "198.51.100.0/24"), True),
        (InNetwork("auth_orig_ip", "::ffff:198.51.100.0/120"), True),
        (InNetwork("auth_orig_ip", "::/0"), False),
        (InNetwork("folder", "0.0.0.0/0"), False),
        (Present("end_time", wanted=True), False),
        (Present("folder", wanted=True), True),
        (Present("agent_id", wanted=False), True),
    ],
    ids=str,
)
def test_a_predicate(with_sample: Place, predicate: Predicate, holds: bool) -> None:
    assert with_sample.cells(predicate) == [(0, (int(holds), 0, 0))]
    assert with_sample.store.any_match([predicate], token()) is holds


@pytest.mark.parametrize("address", ["198.51.100.09", "fe80::1%eth0", "198.51.100.9 ", "localhost"])
def test_other_texts_are_in_no_network(place: Place, address: str) -> None:
    place.write(record("a", auth_orig_ip=address))
    for network in ("0.0.0.0/0", "::/0"):
        assert place.cells(InNetwork("auth_orig_ip", network)) == [(0, (0, 0, 0))]


def test_a_code_deck_replaces_the_rates_of_a_record(place: Place) -> None:
    place.store.put_code_deck(3, deck_of(("49", "Germany", "DE"), ("4930", "Berlin", ""), ("1", "", "US")))
    place.write(
        record("a", orig_dst_party_id="+493012", term_dst_party_id="0049", term_rates_code="7"),
        record("b", orig_dst_party_id="4931"),
    )
    names = ["orig_rates_code", "orig_rates_code_name", "orig_rates_country", "term_rates_code"]
    expected = [(0, "49", "Germany", "DE", "", (1, 0, 0)), (0, "4930", "Berlin", "", "", (1, 0, 0))]
    assert place.cells(keys=names, code_deck=3) == expected
    assert place.cells(OneOf("orig_rates_country", ("DE",)), code_deck=3) == [(0, (1, 0, 0))]
    assert place.cells(keys=["term_rates_code"]) == [(0, "", (1, 0, 0)), (0, "7", (1, 0, 0))]
    assert place.store.code_decks() == {3: 3}
    with pytest.raises(errors.CodeDeckNotFoundError) as missing:
        place.cells(code_deck=4)
    metadata = {"allowed": "3", "code_deck": "4"}
    assert (missing.value.reason, missing.value.metadata) == ("CODE_DECK_NOT_FOUND", metadata)


def test_refused_scans(place: Place) -> None:
    place.write(record("a"), record("b"), record("c"))
    with pytest.raises(ValueError, match="column"):
        place.cells(keys=["nothing"])
    scan = Scan(None, (), ("session_id",), SESSIONS)
    assert len(place.store.partials(scan, 3, token()).sums) == 3
    with pytest.raises(errors.CellLimitError) as refused:
        place.store.partials(scan, 2, token())
    assert refused.value.metadata == {"asked": "3", "allowed": "2"}
    cancelled = token()
    cancelled.cancel()
    for ended, error in ((cancelled, errors.CancelledError), (core.CancelToken(0.0), errors.DeadlineError)):
        with pytest.raises(error):
            place.store.partials(scan, 3, ended)
        with pytest.raises(error):
            place.store.any_match([Present("folder", wanted=True)], ended)


def test_outcomes_of_versions(place: Place) -> None:
    assert place.write(record("a"), record("a"), record("a", revision=-1)) == (1, 0, 2, [])
    assert place.write(record("a", 2 * DAY_US), record("a", DAY_US, revision=-2)) == (1, 1, 0, [])
    assert place.write(record("a", folder="")) == (0, 0, 1, [])
    assert place.cells() == [(0, (1, 0, 0))]


def test_records_that_ask_for_attention(place: Place) -> None:
    def written(*records: records_pb2.SessionRecord) -> tuple[int, int, int, int]:
        outcome = place.store.write(batch(*records))
        return outcome.replaced, outcome.duplicates, outcome.outranked, outcome.suspected_reuse

    first = record("a", 0, end=9, folder="f", revision=1, part=1)
    assert written(first, first, record("a", 0, end=9, folder="g", part=1)) == (0, 2, 1, 0)
    # It says less, but nothing else; then another part, and one that nothing stands for.
    assert written(record("a", 0, end=9, part=1)) == (0, 1, 0, 0)
    assert written(record("a", 20, end=29, folder="g", revision=1, part=2)) == (1, 0, 0, 0)
    # Under an id that was used before: another call, a correction of it, and one that has not ended.
    later: dict[str, Any] = {"folder": "h", "revision": 1, "part": 1}
    assert written(record("a", 10, end=19, **later))[3] == 1
    assert written(record("a", 10, end=19, **(later | {"revision": 2}))) == (1, 0, 0, 0)
    assert written(record("a", 30, **later))[3] == 0
    # Whole records of different parties, and of one that has no party.
    assert written(record("b", 0, end=9, orig_src_party_id="2001"))[3] == 0
    assert written(record("b", 0, end=9, orig_src_party_id="2002"))[3] == 1
    assert written(record("b", 0, end=8))[3] == 0


def test_rejections(place: Place) -> None:
    assert place.write(record(""), record("a", customer_price="1e3"), record("b", answer=-1)) == (
        0,
        0,
        0,
        ["MISSING_SESSION_ID", "BAD_PRICE", "ANSWER_BEFORE_SETUP"],
    )
    of_release: dict[str, Any] = {"vendor_price": "1e3", "sip_status": 99, "release_party": 4}
    reasons = ["BAD_PRICE", "NUMBER_OUT_OF_RANGE", "UNKNOWN_ENUM_VALUE"]
    wrong = [record("a", **{name: value}) for name, value in of_release.items()]
    assert place.write(*wrong) == (0, 0, 0, reasons)
    assert place.store.first_day(token()) is None
    assert place.write(record("a", customer_price="0.0125" + "0" * 30)) == (1, 0, 0, [])


def test_alert_times_out_of_order_are_dropped_and_counted(place: Place) -> None:
    def written(*records: records_pb2.SessionRecord) -> tuple[int, int, int]:
        outcome = place.store.write(batch(*records))
        return outcome.accepted, outcome.duplicates, outcome.dropped_alert_times

    early, in_order, late = (record("abc"[n], answer=5, end=9, alert=(-1, 5, 6)[n]) for n in range(3))
    assert written(early, in_order, late) == (3, 0, 2)
    expected = [(0, "a", ABSENT), (0, "b", SETUP_US + 5), (0, "c", ABSENT)]
    assert [cell[:3] for cell in place.cells(keys=["session_id", "alert_time"])] == expected
    # Sent without the time, they are the same versions.
    assert written(record("a", answer=5, end=9), early) == (0, 2, 1)


def test_an_answer_drops_the_alert_time_of_an_earlier_version(place: Place) -> None:
    place.write(record("a", alert=6, revision=1), record("a", answer=5, end=9, revision=2))
    assert [cell[:2] for cell in place.cells(keys=["alert_time"])] == [(0, ABSENT)]
    place.write(record("a", answer=7, end=9, revision=3))
    assert [cell[:2] for cell in place.cells(keys=["alert_time"])] == [(0, SETUP_US + 6)]


def test_records_of_an_export_come_back_though_new_ones_are_rejected(place: Place) -> None:
    stored = [
        record("a", end=604_800_000_001),
        record("b", auth_orig_ip="192.0.2.10:5060"),
        record("c", account_id="4.42079E+11"),
    ]
    reasons = ["CALL_TOO_LONG", "BAD_ADDRESS", "ROUNDED_NUMBER"]
    assert place.write(*stored) == (0, 0, 0, reasons)
    assert place.write(record("d", end=604_800_000_000)) == (1, 0, 0, [])
    exported = records_pb2.WriteRecordsRequest(records=stored, accept_stored=True)
    assert place.store.write(exported.SerializeToString()).accepted == 3


def test_a_repetition_leaves_the_time_of_receipt(place: Place) -> None:
    place.write(record("a", folder="f"))
    place.now_us += 7
    place.write(record("a", folder="f"))
    assert place.cells(keys=["received_time"]) == [(0, NOW_US, (1, 0, 0))]
    place.write(record("a", revision=1))
    assert place.cells(keys=["received_time"]) == [(0, NOW_US + 7, (1, 0, 0))]


def test_responses_to_batches(place: Place) -> None:
    pending = place.store.submit(batch(record("a"), record(""), batch_id="b1"), token())
    response = records_pb2.WriteRecordsResponse.FromString(pending.wait_for_response())
    assert (response.batch_id, response.accepted, response.replaced, response.duplicates) == ("b1", 1, 0, 0)
    assert [(rejected.index, rejected.reason) for rejected in response.rejected] == [(1, 1)]
    assert "session_id" in response.rejected[0].description
    assert response.HasField("replaced")
    assert pending.rejected_bytes > 0
    assert (pending.wait(), pending.wait().batch_id) == (pending.wait(), "b1")
    unnamed = place.store.submit(batch(), token()).wait_for_response()
    assert not records_pb2.WriteRecordsResponse.FromString(unnamed).HasField("batch_id")


def test_refused_batches(place: Place) -> None:
    submits: dict[type[Exception], Callable[[], object]] = {
        errors.MalformedMessageError: lambda: place.store.submit(b"\xff", token()),
        errors.BatchLimitError: lambda: place.store.submit(batch(*[record("a")] * 4), token()),
        errors.BatchIdTooLongError: lambda: place.store.submit(batch(batch_id="12345"), token()),
    }
    for error, submit in submits.items():
        with pytest.raises(error):
            submit()
    assert place.store.info().records == 0


def test_retention_by_age(place: Place) -> None:
    place.write(record("old", -3 * DAY_US, end=1), record("active", -3 * DAY_US), record("new", end=1))
    place.store.set_retention(Retention(days=2))
    place.maintain()
    assert place.write(record("late", -3 * DAY_US, end=1)) == (0, 0, 0, ["BEFORE_RETENTION"])
    assert place.write(record("active", -3 * DAY_US, end=1)) == (0, 1, 0, [])
    assert place.cells(OneOf("session_id", ("old", "new")), keys=["session_id"]) == [(0, "new", (1, 0, 0))]
    assert place.store.retention() == Retention(days=2)


def test_what_a_store_holds_survives(place: Place) -> None:
    place.write(record("a", end=1), record("b", DAY_US))
    place.store.put_code_deck(1, deck_of(("49", "Germany", "DE")))
    place.store.set_retention(Retention(days=400))
    version = place.store.put_document("d", b"1", None)
    place.reopen()
    assert place.cells() == [(0, (2, 0, 0))]
    assert place.store.code_decks() == {1: 1}
    assert place.store.retention() == Retention(days=400)
    assert place.store.documents() == {"d": version}
    info = place.store.info()
    assert (info.records, info.active_records) == (2, 1)
    assert (info.first_setup_us, info.last_setup_us) == (SETUP_US, SETUP_US + DAY_US)
    assert place.store.first_day(token()) == SETUP_US // DAY_US
    assert place.store.write_fault is None


def test_documents(place: Place) -> None:
    store = place.store
    assert store.document("a") is None
    first = store.put_document("b", b"1", None)
    second = store.put_document("b", b"22", first)
    other = store.put_document("a", b"", None)
    assert second > first
    assert list(store.documents().items()) == [("a", other), ("b", second)]
    document = store.document("b")
    assert document is not None
    assert (document.version, document.content) == (second, b"22")
    for expected in (None, first, second + 10):
        with pytest.raises(errors.DocumentChangedError):
            store.put_document("b", b"3", expected)
    with pytest.raises(errors.DocumentChangedError):
        store.put_document("new", b"3", second)
    with pytest.raises(errors.DocumentTooLargeError, match="document_bytes_max"):
        store.put_document("b", b"123456789", second)
    store.put_document("b", None, second)
    assert store.document("b") is None
    assert store.put_document("b", b"22", None) > second
