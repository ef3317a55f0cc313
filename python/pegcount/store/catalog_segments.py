"""The rows of the catalogue that are about segments and active snapshots."""

from collections.abc import Collection, Iterable, Sequence

from pegcount.core import ManifestEntry, SegmentTombstones
from pegcount.store.catalog_entries import ScrubbedRow, SegmentEntry
from pegcount.store.catalog_rows import Executor, put_row


def change_segments(
    db: Executor,
    added: Sequence[SegmentEntry],
    removed: Collection[str],
    tombstones: Sequence[SegmentTombstones],
    scrubbed: Iterable[ScrubbedRow],
) -> None:
    """Adds and removes segments, replaces the tombstones of others, and notes what was scrubbed from some."""
    for name in removed:
        forget_segment(db, name)
    for segment in added:
        put_row(db, "segments", *_file_values(segment.file), segment.day, segment.tombstones)
    for replaced in tombstones:
        for row in db.execute("SELECT * FROM segments WHERE name = ?", (replaced.segment,)).fetchall():
            put_row(db, "segments", *row[:6], replaced.rows)
    for each in scrubbed:
        put_row(db, "scrubbed", *each)


def forget_segment(db: Executor, name: str) -> None:
    """Removes the rows of a segment."""
    for table in ("segments", "scrubbed"):
        db.execute(f"DELETE FROM {table} WHERE name = ?", (name,))


def replace_active(db: Executor, active: Sequence[ManifestEntry]) -> None:
    """Replaces the files of the active snapshot."""
    db.execute("DELETE FROM active")
    for file in active:
        put_row(db, "active", *_file_values(file))


def _file_values(file: ManifestEntry) -> tuple[str, int, int, int, bytes]:
    return (file.name, file.rows, file.size, file.crc32, file.summary)
