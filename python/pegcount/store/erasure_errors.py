"""What a store says to erasures that did not end as asked for: in which state they are."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from pegcount.config import Config
from pegcount.errors import (
    CancelledError,
    DataDamagedError,
    DeadlineError,
    ErasureLimitError,
    NotFoundError,
    PegcountError,
    StoreReadOnlyError,
    cause_of,
)

IN_FORCE: Final = (
    "is in force for all writes, but not complete; the store goes on with it in the background, and"
    " `pegcount erase --list` tells when it is done"
)
STILL_APPLIED: Final = (
    "is still being applied, and can be lifted once it is complete, which `pegcount erase --list` tells;"
    " lift it again then"
)


def require_room(party_counts: Iterable[int], added: int, config: Config) -> None:
    """Raises ErasureLimitError if erasures with these counts of numbers leave no room for `added` more."""
    if (asked := sum(party_counts) + added) > (allowed := config.erased_party_total_max):
        raise ErasureLimitError(asked, allowed)


@contextmanager
def explained(erasure_id: int, state: str) -> Iterator[None]:
    """Adds to an error of its block which erasure it concerns, and in which state that is."""
    try:
        yield
    except (CancelledError, DeadlineError, DataDamagedError, StoreReadOnlyError, OSError) as error:
        text = f"erasure {erasure_id} {state}: {cause_of(error)}"
        kind = StoreReadOnlyError if isinstance(error, OSError) else type(error)
        metadata = error.metadata if isinstance(error, PegcountError) else {}
        raise kind(text, **{**metadata, "erasure_id": erasure_id}) from error


def erasure_not_found(erasure_id: int) -> NotFoundError:
    """Returns the error of a number that no erasure has."""
    text = f"no erasure has the number {erasure_id}; ListErasures, or `pegcount erase --list`, lists them"
    return NotFoundError("ERASURE_NOT_FOUND", "erasure", text, erasure_id=erasure_id)


def lifted_meanwhile(erasure_id: int) -> NotFoundError:
    """Returns the error of an erasure that was lifted while it was at work."""
    text = (
        f"erasure {erasure_id} was lifted before its call ended: what was stored before is erased, and later"
        " writes keep the numbers; to hold them to it, erase again"
    )
    return NotFoundError("ERASURE_NOT_FOUND", "erasure", text, erasure_id=erasure_id)
