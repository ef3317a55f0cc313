"""Errors about a request that cannot be taken, or asks for too much."""

from pegcount.errors.base import InvalidRequestError, PegcountError, Violation


class CellLimitError(InvalidRequestError):
    """The answer needs more cells than `cell_count_max`; raised during the scan."""

    def __init__(self, message: str, **metadata: object) -> None:
        texts = {name: str(value) for name, value in metadata.items()}
        super().__init__([Violation("", "CELL_LIMIT_EXCEEDED", message, texts)])


class SubtotalLimitError(InvalidRequestError):
    """The answer needs more subtotals than `subtotal_count_max`; raised while the answer is built."""

    def __init__(self, message: str, **metadata: object) -> None:
        texts = {name: str(value) for name, value in metadata.items()}
        super().__init__([Violation("grouping", "SUBTOTAL_LIMIT_EXCEEDED", message, texts)])


class MalformedMessageError(InvalidRequestError):
    """The bytes of a request or of a batch are not a valid protobuf message."""

    def __init__(self, message: str) -> None:
        super().__init__([Violation("", "MALFORMED_MESSAGE", message)])


class MissingMessageError(MalformedMessageError):
    """A call ended without its request message."""


class RequestTooLargeError(InvalidRequestError):
    """A request has more bytes than its method allows; it was not parsed."""

    def __init__(self, asked: int, allowed: int) -> None:
        message = f"the request has {asked} bytes; {allowed} are allowed"
        metadata = {"asked": str(asked), "allowed": str(allowed)}
        super().__init__([Violation("", "REQUEST_TOO_LARGE", message, metadata)])


class BatchIdTooLongError(InvalidRequestError):
    """The id of a batch has more than `batch_id_bytes_max` bytes."""

    def __init__(self, message: str, **metadata: object) -> None:
        texts = {name: str(value) for name, value in metadata.items()}
        super().__init__([Violation("batch_id", "TEXT_TOO_LONG", message, texts)])


class BatchLimitError(InvalidRequestError):
    """A batch has more than `batch_row_count_max` records."""

    def __init__(self, message: str, **metadata: object) -> None:
        texts = {name: str(value) for name, value in metadata.items()}
        super().__init__([Violation("records", "BATCH_LIMIT_EXCEEDED", message, texts)])


class AnswerTooLargeError(PegcountError):
    """The answer has more than `answer_bytes_max` bytes."""

    reason = "ANSWER_TOO_LARGE"


class MemoryLimitError(PegcountError):
    """A report needs too much memory.

    Its `scope` is "report" if it needs more than `query_memory_bytes_max`, or "server" if all reports
    together need more than `query_memory_bytes_total_max`.
    """

    reason = "MEMORY_LIMIT_EXCEEDED"

    @property
    def is_temporary(self) -> bool:
        """Whether the same report may find enough memory later."""
        return self.metadata["scope"] == "server"


class UnknownMethodError(PegcountError):
    """The server has no method of this name."""

    reason = "METHOD_UNKNOWN"
