"""Errors about the records, settings and files of a store."""

from collections.abc import Iterable
from typing import Final

from pegcount.errors.base import InvalidRequestError, NotFoundError, PegcountError, Violation, quoted

_DECK_ID_COUNT_MAX: Final = 10
"""Ids of code decks that an error lists."""


class CodeDeckNotFoundError(NotFoundError):
    """A store has no code deck of an id; `allowed` lists the first ids that it has."""

    def __init__(self, deck_id: int, stored_ids: Iterable[int]) -> None:
        ids = sorted(stored_ids)
        listed = ", ".join(map(str, ids[:_DECK_ID_COUNT_MAX]))
        rest = f" and {len(ids) - _DECK_ID_COUNT_MAX} more" if len(ids) > _DECK_ID_COUNT_MAX else ""
        found = f"the ids are {listed}{rest}" if ids else "the store has none"
        message = f"there is no code deck {deck_id}; {found}"
        metadata = {"allowed": f"{listed}{rest}", "code_deck": deck_id}
        super().__init__("CODE_DECK_NOT_FOUND", "code_deck", message, **metadata)


class StoreReadOnlyError(PegcountError):
    """The store currently cannot make records durable; the text names files as in `DataDamagedError`."""

    reason = "STORE_READ_ONLY"


class StoreUnavailableError(PegcountError):
    """The store cannot be reached or cannot answer at present; the caller may retry after `retry_seconds`."""

    reason = "STORE_UNREACHABLE"

    def __init__(self, message: str, retry_seconds: float) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class MoveInProgressError(PegcountError):
    """What is asked for could end differently in the two stores of a dual write; the text says what to do."""

    reason = "MOVE_IN_PROGRESS"


class WriteFateUnknownError(StoreUnavailableError):
    """A server of the store was lost while it wrote: what was sent is stored as a whole or not at all.

    Its writer asks the store which of the two it is, or sends it again if that is harmless.
    """


class ShardFaultError(PegcountError):
    """A server of the store refused a statement for a cause that sending it again does not end.

    It does not take the password, for example, sets a limit that is too low, or is too old. `code` is the
    number of the error of ClickHouse, 0 if it gave none, and `name` the name of that error.
    """

    def __init__(self, message: str, code: int, name: str) -> None:
        super().__init__(message)
        self.code = code
        self.name = name


class StoreAddressError(PegcountError):
    """The address of a store is wrong; the text names all that is."""


class DeletionLimitError(InvalidRequestError):
    """With one more deletion, the rules would be more, or have more session ids, than a store keeps."""

    def __init__(self, field: str, what: str, asked: int, allowed: int, limit: str) -> None:
        advice = "lift deletions (LiftDeletion), or delete once"
        message = f"{asked} {what}; {allowed} are allowed ({limit}): {advice}"
        metadata = {"asked": str(asked), "allowed": str(allowed)}
        super().__init__([Violation(field, "LIST_LIMIT_EXCEEDED", message, metadata)])


class ErasureLimitError(InvalidRequestError):
    """With one more erasure, there would be more erased numbers than a store keeps digests of."""

    def __init__(self, asked: int, allowed: int) -> None:
        message = (
            f"{asked} numbers in all erasures; {allowed} are allowed (erased_party_total_max): lift those of"
            " numbers that are written no more (LiftErasure)"
        )
        metadata = {"asked": str(asked), "allowed": str(allowed)}
        super().__init__([Violation("parties", "LIST_LIMIT_EXCEEDED", message, metadata)])


class DocumentChangedError(PegcountError):
    """A settings document has another version than its writer expects: somebody else has put it.

    The writer reads it again and decides anew. None stands for a document that does not exist.
    """

    def __init__(self, name: str, expected_version: int | None, version: int | None) -> None:
        found = "does not exist" if version is None else f"has version {version}"
        expected = "none" if expected_version is None else f"version {expected_version}"
        super().__init__(f"document {quoted(name)} {found}; expected was {expected}")
        self.version = version


class DocumentTooLargeError(PegcountError):
    """A settings document has more than `document_bytes_max` bytes."""

    def __init__(self, name: str, asked: int, allowed: int) -> None:
        super().__init__(
            f"document {quoted(name)} has {asked} bytes; {allowed} are allowed (document_bytes_max)",
            asked=asked,
            allowed=allowed,
        )


class DataDamagedError(PegcountError):
    """A file that the answer needs is missing or damaged, for example fails its checksum.

    Its text and its `file` name the file within the data directory: callers must not learn where that is.
    """

    reason = "DATA_DAMAGED"


class StoreOpenError(PegcountError):
    """A data directory cannot be opened, as it is missing, in use, no data directory, or of
    another format."""


class StoreInUseError(StoreOpenError):
    """Another process owns a data directory."""


class NoSpaceError(PegcountError):
    """The disk, a quota or a limit of file sizes has no room for a backup or an export."""


class ImportFileError(PegcountError):
    """A file cannot be imported at all, for example because its header cannot be read."""


class ArchiveError(ImportFileError):
    """A file is not an archive, is damaged or cut off, or its settings contradict those of the store."""
