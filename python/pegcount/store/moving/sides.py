"""What moving asks of the two stores: one that an archive is made of, and one that takes it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Protocol, Self

from pegcount.core import CodeDeck
from pegcount.store.moving.settings import MovedErasure, MovedSettings


@dataclass(frozen=True, slots=True)
class JoinCounts:
    """What became of the records of an archive."""

    added: int = 0
    """Records of sessions that the store did not have."""
    joined: int = 0
    """Records that changed one of the store: each had versions that the other lacked."""
    unchanged: int = 0
    """Records of which the store had all versions."""
    deleted: int = 0
    """Records left out as a deletion covers them."""
    before_retention: int = 0
    """Records left out as they were set up before the days that the store retains."""

    def __add__(self, other: Self) -> "JoinCounts":
        """Returns the counts of both."""
        names = [field.name for field in fields(self)]
        return JoinCounts(*(getattr(self, name) + getattr(other, name) for name in names))

    @property
    def total(self) -> int:
        """All records."""
        return self.added + self.joined + self.unchanged + self.deleted + self.before_retention


class ArchiveSource(Protocol):
    """A store that an archive is made of.

    Whatever was acknowledged before the first call is in the archive. A record, or a version of one, that
    is written meanwhile is in it or not. Settings are read after the records: they have each deletion
    and erasure that any of the records may be without.
    """

    def pieces(self) -> Iterator[tuple[bytes, int]]:
        """Yields the records, some at a time, and how many those are. Asked first."""

    def decks(self) -> Iterator[tuple[int, CodeDeck]]:
        """Yields the code decks by their ids."""

    def settings(self) -> MovedSettings:
        """Returns all other settings. Asked last."""


class ArchiveTarget(Protocol):
    """A store that takes an archive, besides what `Store` offers."""

    def erasures(self) -> Sequence[MovedErasure]:
        """Returns the erasures that the store has."""

    def require_room_for_key(self, erasures: Sequence[MovedErasure]) -> None:
        """Raises ArchiveError if the store cannot hold records to these erasures besides its own."""

    def take_erasure(self, erasure: MovedErasure) -> None:
        """Holds all records to an erasure, those of the store and later ones; raises as `Store.erase`."""

    def retain_from(self, day: int) -> None:
        """Rejects new records set up before a UTC day, in days since 1970-01-01, under the present limits."""

    def deck(self, deck_id: int) -> CodeDeck:
        """Returns a code deck; raises CodeDeckNotFoundError."""

    def join(self, piece: bytes) -> JoinCounts:
        """Joins records with those of the store. They are durable after `finish` at the latest.

        Raises StoreReadOnlyError, StoreUnavailableError or DataDamagedError. What was joined stays; to join
        it again changes nothing.
        """

    def finish(self) -> None:
        """Makes all that was joined durable; raises as `join`."""
