"""Writes a store into an archive, and joins an archive with a store.

    directory or cluster -> pieces of records, decks, settings -> archive
    archive -> checked -> deletions, erasures, masking, keys, documents, decks -> records -> retention

Rules come before the first record, so that none of what is deleted or erased is there for a moment;
retention comes last, so that it drops nothing of what is on its way. Of the other settings, the store keeps
what it has. Records are joined with all their versions: to do it again changes nothing, and an import that
was interrupted goes on by being repeated.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Final

from pegcount.config import Config
from pegcount.core import CancelToken, CodeDeck
from pegcount.errors import ArchiveError, DocumentChangedError
from pegcount.model import Deletion, Retention
from pegcount.store.interface import Store
from pegcount.store.moving.archive_file import ArchiveWriter, VerifiedArchive
from pegcount.store.moving.credential_join import joined_credential
from pegcount.store.moving.settings import MovedSettings
from pegcount.store.moving.sides import ArchiveSource, ArchiveTarget, JoinCounts
from pegcount.store.retention import oldest_us
from pegcount.store.source_rules import is_source_rule

_NO_LIMIT: Final = CancelToken(None)
_DECK_PIECE_ENTRY_COUNT: Final = 8_192
_LISTED_COUNT_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class SettingCounts:
    """What became of the settings of one kind."""

    kind: str
    taken: int
    there_already: int
    kept: tuple[str, ...] = ()
    """Names of those of which the store has another one, which it keeps."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What an import of an archive did."""

    records: JoinCounts
    settings: tuple[SettingCounts, ...]


def write_archive(source: ArchiveSource, file: BinaryIO, written_by: str, config: Config) -> int:
    """Writes a store into a file; returns how many records the archive has."""
    writer = ArchiveWriter(file, written_by, config.tuning.ledger_group_row_count_max)
    for piece, row_count in source.pieces():
        writer.put_records(piece, row_count)
    for deck_id, deck in source.decks():
        writer.put_deck(deck_id, _entries(deck))
    return writer.end(source.settings().to_json())


def take_archive(
    archive: VerifiedArchive, store: Store, target: ArchiveTarget, on_records: Callable[[int, int], None]
) -> Moved:
    """Joins an archive with a store; `store` and `target` are two sides of the same one.

    `on_records` gets how many records were read, and how many there are. Raises ArchiveError before anything
    has changed if the archive contradicts the store; and as the methods of both sides do: what was taken
    until then stays, and to import it again goes on.
    """
    moved = MovedSettings.from_json(archive.settings)
    _require_no_contradiction(moved, store, target)
    first_held_us = store.info().first_setup_us
    counts = [
        _take_deletions(moved.deletions.values(), store),
        _take_erasures(moved, target),
        _take_masking(moved, store),
        _take_credentials(moved, store),
        _take_documents(moved.documents, store),
        _take_decks(archive, store, target),
    ]
    records = JoinCounts()
    for piece in archive.pieces():
        records += target.join(piece)
        on_records(records.total, archive.record_count)
    target.finish()
    return Moved(records, (*counts, _take_retention(moved, store, target, first_held_us)))


def _require_no_contradiction(moved: MovedSettings, store: Store, target: ArchiveTarget) -> None:
    has_other = [
        name
        for name in filter(is_source_rule, moved.documents)
        if (held := store.document(name)) is not None and held.content != moved.documents[name]
    ]
    if has_other:
        listed = ", ".join(has_other[:_LISTED_COUNT_MAX])
        raise ArchiveError(
            "the archive and the store have calls of one source that were made of rows by different rules, so"
            f" that some would count twice: {listed}; nothing was imported"
        )
    target.require_room_for_key(moved.erasures)


def _take_deletions(deletions: Collection[Deletion], store: Store) -> SettingCounts:
    held = {store.deletion(rule.rule_id).covered for rule in store.deletions()}
    missing = [deletion for deletion in deletions if deletion.in_order not in held]
    for deletion in missing:
        store.delete(deletion, _NO_LIMIT)
    return SettingCounts("deletion rules", len(missing), len(deletions) - len(missing))


def _take_erasures(moved: MovedSettings, target: ArchiveTarget) -> SettingCounts:
    held = {(erasure.key, frozenset(erasure.digests)) for erasure in target.erasures()}
    missing = [each for each in moved.erasures if (each.key, frozenset(each.digests)) not in held]
    for erasure in missing:
        target.take_erasure(erasure)
    return SettingCounts("erasures", len(missing), len(moved.erasures) - len(missing))


def _take_masking(moved: MovedSettings, store: Store) -> SettingCounts:
    held = store.masking()
    if held is None and moved.masking is not None:
        store.set_masking(moved.masking)
        return SettingCounts("masking", 1, 0)
    return _single("masking", held, moved.masking, moved.masking is None)


def _take_retention(
    settings: MovedSettings, store: Store, target: ArchiveTarget, first_held_us: int | None
) -> SettingCounts:
    """Takes limits unless they would drop what the store had before, from `first_held_us` on."""
    held, moved = store.retention(), settings.retention
    if held == Retention() and moved != Retention():
        if first_held_us is not None and first_held_us < oldest_us(
            moved, settings.first_retained_day, store.session_now_us
        ):
            return SettingCounts("retention", 0, 0, ("no limit, as that of the archive would drop records",))
        store.set_retention(moved)
        if settings.first_retained_day is not None:
            target.retain_from(settings.first_retained_day)
        return SettingCounts("retention", 1, 0)
    return _single("retention", held, moved, moved == Retention())


def _single(kind: str, held: object, moved: object, is_unset: bool) -> SettingCounts:
    if held == moved:
        return SettingCounts(kind, 0, 0 if is_unset else 1)
    return SettingCounts(kind, 0, 0, (kind,))


def _take_credentials(moved: MovedSettings, store: Store) -> SettingCounts:
    held = {row.id: row for row in store.credentials()}
    changed = []
    for row in moved.credentials:
        joined = joined_credential(row, held[row.id]) if row.id in held else row
        if joined != held.get(row.id):
            changed.append(joined)
    if changed:
        store.put_credentials(changed)
    return SettingCounts("credentials", len(changed), len(moved.credentials) - len(changed))


def _take_documents(documents: Mapping[str, bytes], store: Store) -> SettingCounts:
    taken, kept = 0, []
    for name, content in documents.items():
        try:
            store.put_document(name, content, None)
            taken += 1
        except DocumentChangedError:
            held = store.document(name)
            if held is None or held.content != content:
                kept.append(name)
    return SettingCounts("documents", taken, len(documents) - taken - len(kept), tuple(kept))


def _take_decks(archive: VerifiedArchive, store: Store, target: ArchiveTarget) -> SettingCounts:
    held, taken, same, kept = store.code_decks(), 0, 0, []
    for deck_id, deck in archive.decks():
        if deck_id not in held:
            store.put_code_deck(deck_id, deck)
            taken += 1
        elif _entries(target.deck(deck_id)) == _entries(deck):
            same += 1
        else:
            kept.append(f"code deck {deck_id}")
    return SettingCounts("code decks", taken, same, tuple(kept))


def _entries(deck: CodeDeck) -> bytes:
    starts = range(0, deck.entry_count, _DECK_PIECE_ENTRY_COUNT)
    return b"".join(deck.json_piece(start, _DECK_PIECE_ENTRY_COUNT) for start in starts) or b"[]"
