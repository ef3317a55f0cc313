"""What a store takes out of the numbers of parties: all of those that were erased, and parts of old ones."""

from collections.abc import Mapping
from dataclasses import dataclass

from pegcount import core
from pegcount.store.catalog import Catalog
from pegcount.store.catalog_entries import DIGEST_BYTES, ErasureRow, ScrubbedRow

ERASURE_KEY = "erasure_key"
"""Setting: the key of the digests, made with the first erasure."""
LAST_ERASURE = "last_erasure"
"""Setting: the greatest number that an erasure ever had."""
MASK_AFTER_DAYS = "mask_after_days"
"""Setting: UTC days, today included, in which numbers are kept whole; not set without masking."""
KEEP_DIGITS = "keep_digits"
"""Setting: digits that stay of a masked number."""
MASKED_BEFORE_DAY = "masked_before_day"
"""Setting: the first UTC day, in days since 1970-01-01, whose numbers are whole."""
_ANY_KEY = bytes(16)
"""The key of a store without erasures: no digest is compared."""


@dataclass(frozen=True, slots=True)
class Scrubbing:
    """The erasures and the masking that records are held to."""

    key: bytes
    digests: tuple[bytes, ...]
    """Of all erased numbers."""
    erasure_id: int
    """The last erasure among these; 0 if there is none."""
    masked_before_day: int | None
    """Numbers of records set up before this UTC day are masked; None: none are."""
    keep_digits: int

    def use(self, engine: core.Engine) -> None:
        """Has an engine scrub what it reads, merges and writes from now on."""
        engine.use_scrubbing(self.key, list(self.digests), self.masked_before_day, self.keep_digits)

    def note(self, name: str, day: int) -> ScrubbedRow:
        """Returns what was scrubbed from a segment that is written now."""
        return ScrubbedRow(name, self.erasure_id, self.keep_digits if self._is_masked(day) else None)

    def is_done(self, row: ScrubbedRow, day: int) -> bool:
        """Returns whether all erasures were applied to a segment, and it is masked."""
        return row.erasure_id >= self.erasure_id and self.is_masked(row, day)

    def is_masked(self, row: ScrubbedRow, day: int) -> bool:
        """Returns whether a segment is masked as far as its day has to be."""
        return not self._is_masked(day) or (
            row.keep_digits is not None and row.keep_digits <= self.keep_digits
        )

    def _is_masked(self, day: int) -> bool:
        return self.masked_before_day is not None and day < self.masked_before_day


def scrubbing_of(catalog: Catalog) -> Scrubbing:
    """Returns what the catalogue says; raises DataDamagedError if it cannot be read."""
    erasures, settings = erasure_rows(catalog), catalog.settings()
    return Scrubbing(
        catalog.blob_settings().get(ERASURE_KEY, _ANY_KEY),
        tuple(digest for row in erasures for digest in divided_digests(row.digests)),
        max((row.erasure_id for row in erasures), default=0),
        settings.get(MASKED_BEFORE_DAY) if MASK_AFTER_DAYS in settings else None,
        settings.get(KEEP_DIGITS, 0),
    )


def erasure_rows(catalog: Catalog) -> list[ErasureRow]:
    """Returns the erasures that writes are held to, by number."""
    return [ErasureRow(*row) for row in catalog.rows("erasures", "erasure_id")]


def scrubbed_rows(catalog: Catalog) -> Mapping[str, ScrubbedRow]:
    """Returns what was scrubbed from segments, by their names; see `ScrubbedRow`."""
    return {row[0]: ScrubbedRow(*row) for row in catalog.rows("scrubbed", "name")}


def scrubbed_row(catalog: Catalog, name: str) -> ScrubbedRow:
    """Returns what was scrubbed from one segment."""
    rows = catalog.rows("scrubbed", "name", "name = ?", name)
    return ScrubbedRow(*rows[0]) if rows else ScrubbedRow(name, 0, None)


def divided_digests(digests: bytes) -> list[bytes]:
    """Returns the digests of the row of an erasure."""
    return [digests[at : at + DIGEST_BYTES] for at in range(0, len(digests), DIGEST_BYTES)]
