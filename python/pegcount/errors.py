"""Everything that can go wrong, as one tree of exceptions.

Each class carries the name of its `ErrorReason` and the reason's metadata; what
gRPC makes of a class is decided in `server.status` alone.
"""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with a request.

    `reason` is the name of an `ErrorReason` without its prefix, `metadata` what the
    proto documents for it besides `field`.
    """

    field: str
    reason: str
    description: str
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)


class PegcountError(Exception):
    """Base of all errors that a caller can do something about."""

    reason = "INTERNAL_FAULT"

    def __init__(self, message: str, **metadata: object) -> None:
        super().__init__(message)
        self.metadata = {name: str(value) for name, value in metadata.items()}


class InvalidRequestError(PegcountError):
    """A request breaks rules; `violations` has every one of them."""

    def __init__(self, violations: list[Violation]) -> None:
        super().__init__(
            "; ".join(f"{v.field}: {v.description}" if v.field else v.description for v in violations)
        )
        self.violations = violations
        self.reason = violations[0].reason
        first = violations[0]
        self.metadata = {**({"field": first.field} if first.field else {}), **first.metadata}


class CellLimitError(InvalidRequestError):
    """An answer needs more cells than allowed; found while scanning."""

    def __init__(self, message: str, **metadata: object) -> None:
        texts = {name: str(value) for name, value in metadata.items()}
        super().__init__([Violation("", "CELL_LIMIT_EXCEEDED", message, texts)])


class MalformedMessageError(InvalidRequestError):
    """The bytes of a request or of a batch are no valid message."""

    def __init__(self, message: str) -> None:
        super().__init__([Violation("", "MALFORMED_MESSAGE", message)])


class BatchLimitError(InvalidRequestError):
    """A batch has more records than one batch may have."""

    def __init__(self, message: str, **metadata: object) -> None:
        texts = {name: str(value) for name, value in metadata.items()}
        super().__init__([Violation("records", "BATCH_LIMIT_EXCEEDED", message, texts)])


class NotFoundError(PegcountError):
    """An object that the caller may know of does not exist."""

    def __init__(self, reason: str, resource_type: str, message: str, **metadata: object) -> None:
        super().__init__(message, **metadata)
        self.reason = reason
        self.resource_type = resource_type


class DeadlineError(PegcountError):
    """The caller's deadline passed while the work was under way."""

    reason = "DEADLINE_PASSED"


class QueryTimeLimitError(PegcountError):
    """The work ran longer than the server allows."""

    reason = "QUERY_TIME_LIMIT_PASSED"


class CancelledError(PegcountError):
    """The caller no longer wants the answer."""


class AnswerTooLargeError(PegcountError):
    """The answer is larger than one message may be."""

    reason = "ANSWER_TOO_LARGE"


class OverloadedError(PegcountError):
    """There is too much to do; the caller may try again after `retry_seconds`."""

    reason = "OVERLOADED"

    def __init__(self, message: str, retry_seconds: float) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class ServerStoppingError(PegcountError):
    """The server is about to end; another one may do what it did not."""

    reason = "SERVER_STOPPING"


class StoreReadOnlyError(PegcountError):
    """The store cannot make records durable now."""

    reason = "STORE_READ_ONLY"


class DataDamagedError(PegcountError):
    """A file needed for the answer fails its checksum."""

    reason = "DATA_DAMAGED"


class NotImplementedYetError(PegcountError):
    """The method is part of the contract but not built yet."""

    reason = "NOT_IMPLEMENTED"


class StoreOpenError(PegcountError):
    """A data directory cannot be opened: missing, in use, or of a newer format."""


class ImportFileError(PegcountError):
    """A file cannot be imported at all."""
