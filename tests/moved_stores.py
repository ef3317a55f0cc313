"""A store with all that an archive moves, and what a store says of itself."""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import seeds
from clickhouse.random_versions import FIRST_DAY, random_batch
from decks import deck_of
from pegcount import core
from pegcount.config import Config
from pegcount.data_scope import DataScope
from pegcount.model import CredentialRow, Deletion, KeyRow, Retention
from pegcount.privacy import Masking
from pegcount.server.call_clock import CallClock
from pegcount.store import EmbeddedStore, Store
from pegcount.store.clickhouse import ClickHouseStore
from pegcount.store.moving.archive_file import VerifiedArchive
from pegcount.store.moving.directory import DirectorySource
from pegcount.store.moving.moving import Moved, take_archive, write_archive
from pegcount.store.moving.sides import ArchiveSource
from pegcount.store.rejections import DOCUMENT_NAME
from pegcount.v1 import records_pb2, reports_pb2
from pegcount.zone import US_PER_DAY
from service import NOW_US
from store_reports import StoreReports

NO_LIMIT = core.CancelToken(None)
ERASED = "+15550100"
NUMBERS = (ERASED, "+15550101", "+442079460958")
EVENTS = (
    records_pb2.SESSION_EVENT_UNSPECIFIED,
    records_pb2.SESSION_EVENT_START,
    records_pb2.SESSION_EVENT_UPDATE,
)
HELD = CredentialRow(
    "cr_held", "held", (2,), (), (KeyRow(b"k" * 32, "pk_1", 5), KeyRow(b"l" * 32, "pk_0", 1, NOW_US)), 1
)
REVOKED = CredentialRow(
    "cr_gone", "gone", (1,), ("a.example.com",), (), 2, revoke_us=9, data_scope=DataScope(account_id=("A",))
)
Record = tuple[bytes, bytes, int]
"""The merged record, the state relative to it, and when it was last changed."""
REPORTS: dict[str, Any] = {
    "QueryAsrUsage": reports_pb2.QueryAsrUsageRequest(
        from_time="2026-03-20", to_time="2026-04-10", granularity="GRANULARITY_HOUR"
    ),
    "QueryActiveSessions": reports_pb2.QueryActiveSessionsRequest(return_fields=["session_id", "quantity"]),
    "QueryFolderStats": reports_pb2.QueryFolderStatsRequest(
        company="acme", organization="north", from_date="2026-03-20", to_date="2026-04-10"
    ),
    "QueryOriginationQuality": reports_pb2.QueryOriginationQualityRequest(
        all_accounts=True, from_time="2026-03-20", to_time="2026-04-10", sampling="GRANULARITY_HOUR"
    ),
}


def random_request(dice: random.Random) -> bytes:
    """Returns a batch of versions of a few sessions: events, parts, numbers, and versions that replace."""
    request = random_batch(dice)
    for record in request.records:
        record.company, record.organization, record.folder = "acme", "north", dice.choice(("sales", "help"))
        record.orig_src_party_id = dice.choice(("", *NUMBERS))
        record.orig_dst_party_id = dice.choice(NUMBERS)
        if dice.random() < 0.2:
            record.part = dice.choice((1, 2, 2**64 - 1))
        if dice.random() < 0.2:
            record.replaces = True
        if not record.HasField("end_time"):
            record.event = dice.choice(EVENTS)
    return request.SerializeToString()


def old_request() -> bytes:
    """Returns a batch of a day that retention drops."""
    request = random_batch(seeds.chance("a day that retention drops"))
    for number, record in enumerate(request.records):
        record.session_id = f"old-{number}"
        record.ClearField("answer_time")
        record.setup_time.FromMicroseconds((FIRST_DAY - 20) * US_PER_DAY)
        record.end_time.FromMicroseconds((FIRST_DAY - 20) * US_PER_DAY + 1_000_000)
    return request.SerializeToString()


def fill(store: Store, dice: random.Random, *, forgets: bool, batch_count: int = 40) -> list[bytes]:
    """Writes batches and sets all settings meanwhile; returns the batches.

    With `forgets`, some records are deleted without a rule that stays: written again, they count again.
    """
    batches = [random_request(dice) for _ in range(batch_count)]
    batches.append(old_request())
    half = batch_count // 2
    for batch in [*batches[:half], batches[-1]]:
        store.write(batch)
    if forgets:
        lifted = store.delete(Deletion(source="switch", session_ids=("call-1", "call-2")), NO_LIMIT).rule_id
        assert lifted is not None
        store.lift_deletion(lifted, NO_LIMIT)
        store.delete(Deletion(from_us=(FIRST_DAY + 3) * US_PER_DAY, once=True), NO_LIMIT)
    store.delete(Deletion(source="switch", session_ids=("call-3", "call-4")), NO_LIMIT)
    store.erase([ERASED], NO_LIMIT)
    store.set_masking(Masking(2, 3))
    for batch in batches[half:-1]:
        store.write(batch)
    store.put_code_deck(7, deck_of(("49", "Germany", "DE"), ("4930", "Berlin", "DE")))
    store.put_document("source_rule/switch", b"asterisk rows", None)
    store.put_credentials([HELD, REVOKED])
    store.set_retention(Retention(days=9))
    return batches


def source_of(store: Store, directory: Path) -> ArchiveSource:
    """Returns the side of a store that an archive is made of; `directory` is that of an embedded one."""
    if isinstance(store, EmbeddedStore):
        return DirectorySource(directory, Config())
    assert isinstance(store, ClickHouseStore)
    return store.archive_source()


def exported(store: Store, directory: Path, path: Path) -> int:
    """Writes the archive of a store; returns how many records it has."""
    with path.open("wb") as file:
        return write_archive(source_of(store, directory), file, "pegcount test", Config())


def imported(path: Path, store: Store) -> Moved:
    """Joins an archive with a store."""
    assert isinstance(store, EmbeddedStore | ClickHouseStore)
    return take_archive(VerifiedArchive(path), store, store.archive_target(), lambda done, total: None)


def records_of(store: Store, directory: Path) -> Counter[Record]:
    """Returns all that a store has of its records."""
    return Counter(
        one for piece, _ in source_of(store, directory).pieces() for one in records_of_piece(piece)
    )


def without_times(store: Store, directory: Path) -> list[tuple[bytes, bytes]]:
    """Returns the records and their versions; the times at which they came differ by their order."""
    return sorted((record, versions) for record, versions, _ in records_of(store, directory).elements())


def records_of_piece(piece: bytes) -> list[Record]:
    """Returns the records of a piece of an archive."""
    found = []
    for _, message in _fields(piece):
        fields = dict(_fields(message))
        found.append((fields[1], fields.get(2, b""), fields[3]))
    return found


def answers(store: Store) -> dict[str, bytes]:
    """Returns the answer of each report."""
    reports = StoreReports(Config(), store, lambda: NOW_US)
    return {
        method: reports.prepare(method, request.SerializeToString(), NO_LIMIT)
        .answer(NO_LIMIT, CallClock())
        .data
        for method, request in REPORTS.items()
    }


def settings(store: Store) -> dict[str, object]:
    """Returns all settings of a store, without numbers that each store gives itself."""
    rules = [store.deletion(rule.rule_id) for rule in store.deletions()]
    # Counts of rejected records stay where they were counted.
    documents = {name: store.document(name) for name in store.documents() if name != DOCUMENT_NAME}
    return {
        "deletions": [(rule.source, rule.from_us, rule.to_us, sorted(rule.session_ids)) for rule in rules],
        "erasures": [(one.party_count, one.records, one.is_complete) for one in store.erasures()],
        "masking": store.masking(),
        "retention": store.retention(),
        "documents": {name: None if each is None else each.content for name, each in documents.items()},
        "credentials": sorted(store.credentials(), key=lambda row: row.id),
        "decks": store.code_decks(),
    }


def replayed(store: Store, batches: Sequence[bytes]) -> list[tuple[object, ...]]:
    """Writes batches again; returns of each how many records changed something, and the rejected ones."""
    found: list[tuple[object, ...]] = []
    for batch in batches:
        done = store.write(batch)
        rejected = [(one.index, one.reason) for one in done.rejected]
        found.append((done.accepted, done.replaced, done.duplicates, rejected))
    return found


def _fields(message: bytes) -> list[tuple[int, Any]]:
    found: list[tuple[int, Any]] = []
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, at = _varint(message, at)
        if key & 7 == 2:
            found.append((key >> 3, message[at : at + number]))
            at += number
        else:
            found.append((key >> 3, number))
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
