"""The exception hierarchy of the service.

Each error carries the name of its `ErrorReason` and the metadata that the proto documents
for the reason. `server.status` maps error classes to gRPC status codes.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

_REPEATED_CHARS_MAX: Final = 100
"""Characters of a caller's text that an error repeats."""


@dataclasses.dataclass(frozen=True, slots=True)
class Violation:
    """One rule that a request breaks.

    `reason` is the name of an `ErrorReason` without its prefix; `metadata` holds the metadata
    that the proto documents for the reason, except `field`.
    """

    field: str
    reason: str
    description: str
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)


def shortened(text: str) -> str:
    """Returns a text of a caller as an error repeats it: cut, with "..." at its end, if it is long.

    A request of many long texts would otherwise cost more memory as an error than as a request.
    """
    return text if len(text) <= _REPEATED_CHARS_MAX else text[: _REPEATED_CHARS_MAX - 3] + "..."


def quoted(text: str) -> str:
    """Returns a text of a caller in quotes, `shortened`."""
    return repr(shortened(text))


def violations_text(texts: Sequence[str], omitted_count: int) -> str:
    """Returns the texts of violations as one, which says how many more there are."""
    rest = [f"and {omitted_count} more violation{'s' * (omitted_count > 1)}"] if omitted_count else []
    return "; ".join([*texts, *rest])


def cause_of(error: Exception) -> str:
    """Returns the text of an error without the path that one of the operating system names."""
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)


_DECK_ID_COUNT_MAX: Final = 10
"""Ids of code decks that an error lists."""


class PegcountError(Exception):
    """Base of all expected errors. Any other exception is a bug and becomes INTERNAL_FAULT."""

    reason = "INTERNAL_FAULT"

    def __init__(self, message: str, **metadata: object) -> None:
        super().__init__(message)
        self.metadata = {name: str(value) for name, value in metadata.items()}


class InvalidRequestError(PegcountError):
    """A request is invalid; `violations` lists the broken rules, and `reason` is that of the first.

    `omitted_count` further violations were counted and not listed.
    """

    def __init__(self, violations: Sequence[Violation], omitted_count: int = 0) -> None:
        self.texts = [f"{v.field}: {v.description}" if v.field else v.description for v in violations]
        super().__init__(violations_text(self.texts, omitted_count))
        self.violations = violations
        self.omitted_count = omitted_count
        self.reason = violations[0].reason
        first = violations[0]
        self.metadata = {**({"field": first.field} if first.field else {}), **first.metadata}


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


class CorrectedSourceLimitError(InvalidRequestError):
    """A stream corrects records of more sources than one may; nothing of the batch is taken."""

    def __init__(self, asked: int, allowed: int) -> None:
        message = f"the stream corrects {asked} sources; {allowed} are allowed (corrected_source_count_max)"
        metadata = {"asked": str(asked), "allowed": str(allowed)}
        super().__init__([Violation("records", "LIST_LIMIT_EXCEEDED", message, metadata)])


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


class NotFoundError(PegcountError):
    """An object that the request names does not exist."""

    def __init__(self, reason: str, resource_type: str, message: str, **metadata: object) -> None:
        super().__init__(message, **metadata)
        self.reason = reason
        self.resource_type = resource_type


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


class CredentialNotFoundError(NotFoundError):
    """No credential has an id, or the credential has ended."""

    def __init__(self, credential_id: str, message: str) -> None:
        super().__init__("CREDENTIAL_NOT_FOUND", "credential", message, id=shortened(credential_id))


class DeadlineError(PegcountError):
    """The deadline passed before the work was done."""

    reason = "DEADLINE_PASSED"


class QueryTimeLimitError(PegcountError):
    """The query ran longer than `query_seconds_max`."""

    reason = "QUERY_TIME_LIMIT_PASSED"


class RequestReadError(PegcountError):
    """The request message did not arrive in full within `request_read_seconds`."""

    reason = "REQUEST_READ_TIMEOUT"


class CancelledError(PegcountError):
    """The caller cancelled the call or disconnected."""


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


class OverloadedError(PegcountError):
    """The server or the store is overloaded; the caller may retry after `retry_seconds`."""

    reason = "OVERLOADED"

    def __init__(self, message: str, retry_seconds: float) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class StreamEndedError(PegcountError):
    """Base of the errors with which the server ends a call by itself; the caller may call again at once."""


class ServerStoppingError(StreamEndedError):
    """The server is stopping; the caller may send unanswered batches to its successor."""

    reason = "SERVER_STOPPING"


class StreamIdleError(StreamEndedError):
    """A stream waited for its client for longer than the server allows."""

    reason = "STREAM_IDLE"


class StreamDisplacedError(StreamEndedError):
    """A stream that waited for its client gave its place to a new stream."""

    reason = "STREAM_DISPLACED"


class ConnectionAgeError(StreamEndedError):
    """The connection of a stream reached its maximum age."""

    reason = "CONNECTION_AGE"


class StoreReadOnlyError(PegcountError):
    """The store currently cannot make records durable; the text names files as in `DataDamagedError`."""

    reason = "STORE_READ_ONLY"


class StoreUnavailableError(PegcountError):
    """The store cannot be reached or cannot answer at present; the caller may retry after `retry_seconds`."""

    reason = "STORE_UNREACHABLE"

    def __init__(self, message: str, retry_seconds: float) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class SourceRuleError(PegcountError):
    """Another rule makes the calls of the source, so that calls would count twice or be mixtures of both."""

    reason = "SOURCE_RULE_DIFFERS"

    def __init__(self, source: str, rule: str, rule_of_source: str) -> None:
        """`rule_of_source` is empty if an older version or another client wrote the records."""
        found = f"the rule {quoted(rule_of_source)}" if rule_of_source else "a rule that is not known"
        super().__init__(
            f"the calls of source {quoted(source)} are made by {found}, not by {quoted(rule)}: calls would"
            " count twice or be mixed. Write into another source (--source), or make calls in the same"
            f" way{_options_of_rule(rule_of_source)}",
            source=source,
            rule=rule,
            rule_of_source=rule_of_source,
        )


class CorrectionInProgressError(PegcountError):
    """Another stream corrects records of the source, and the batch waited for its end in vain."""

    reason = "CORRECTION_IN_PROGRESS"

    def __init__(self, source: str, limit_seconds: float) -> None:
        super().__init__(
            f"another stream corrects the records of source {quoted(source)}, and did not end within"
            f" {limit_seconds:g} s (correction_wait_seconds); send the corrections again once it has ended",
            source=source,
            limit_seconds=f"{limit_seconds:g}",
        )


_OPTIONS_OF_RULES = {
    "": "--calls rows, only if a `pegcount import` that kept no rules yet imported them",
    "asterisk linkedid": "--calls linkedid --answered party",
    "asterisk linkedid switch": "--calls linkedid --answered switch",
    "asterisk uniqueid": "--calls uniqueid --answered party",
    "asterisk uniqueid switch": "--calls uniqueid --answered switch",
    "asterisk rows": "--calls rows",
}
"""Options of `pegcount import` that make calls by a rule; other clients have rules of their own."""


def _options_of_rule(rule: str) -> str:
    return f" ({_OPTIONS_OF_RULES[rule]})" if rule in _OPTIONS_OF_RULES else ""


class SourceOfRecordError(InvalidRequestError):
    """A record of a batch has another source than the batch names with its rule."""

    def __init__(self, index: int, source: str, source_of_rule: str) -> None:
        metadata = {"value": shortened(source), "source": shortened(source_of_rule)}
        message = (
            f"is {quoted(source)}; the records of a batch with source_rule.source {quoted(source_of_rule)}"
        )
        violation = (f"records[{index}].source", "SOURCE_OF_RECORD_DIFFERS", f"{message} are of that source")
        super().__init__([Violation(*violation, metadata)])


class SourceRuleLimitError(InvalidRequestError):
    """A source or the name of its rule is too long."""

    def __init__(self, field: str, asked: int, allowed: int) -> None:
        metadata = {"asked": str(asked), "allowed": str(allowed)}
        message = f"has {asked} bytes; {allowed} are allowed"
        super().__init__([Violation(f"source_rule.{field}", "TEXT_TOO_LONG", message, metadata)])


class DeletionLimitError(InvalidRequestError):
    """With one more deletion, the rules would be more, or have more session ids, than a store keeps."""

    def __init__(self, field: str, what: str, asked: int, allowed: int, limit: str) -> None:
        advice = "lift deletions (LiftDeletion), or delete once"
        message = f"{asked} {what}; {allowed} are allowed ({limit}): {advice}"
        metadata = {"asked": str(asked), "allowed": str(allowed)}
        super().__init__([Violation(field, "LIST_LIMIT_EXCEEDED", message, metadata)])


class CredentialLimitError(InvalidRequestError):
    """With one more credential, a store would have more than it keeps, and none of them has ended."""

    def __init__(self, asked: int, allowed: int) -> None:
        message = f"{asked} credentials; {allowed} are allowed (credential_count_max): revoke those in no use"
        metadata = {"asked": str(asked), "allowed": str(allowed)}
        super().__init__([Violation("name", "LIST_LIMIT_EXCEEDED", message, metadata)])


class CredentialRefusedError(PegcountError):
    """A call has no credential that the server accepts, whatever is wrong with it.

    Its text never says what is wrong: it would tell those who try which keys exist.
    """

    reason = "CREDENTIAL_REFUSED"

    def __init__(self) -> None:
        super().__init__(
            "this server needs a credential that it accepts: send either a key as metadata x-api-key, or a"
            " token as metadata authorization, after the word Bearer"
        )


class CredentialUnexpectedError(PegcountError):
    """A call carries a credential, which a server without authentication cannot check."""

    reason = "CREDENTIAL_UNEXPECTED"

    def __init__(self) -> None:
        super().__init__(
            "the call carries a credential, but this server runs without authentication and cannot check it:"
            " call without one, or call the server that knows it"
        )


class AccessDeniedError(PegcountError):
    """The credential of a call lacks the scope that its method needs."""

    reason = "ACCESS_DENIED"

    def __init__(self, *scopes: str) -> None:
        """`scopes` are those of which one will do, as the command line names them, such as `read_reports`."""
        text = ", ".join(scopes)
        what = f"the scope {text}" if len(scopes) == 1 else f"one of the scopes {text}"
        super().__init__(f"the method needs a credential with {what}", scope=text)


class RotationInProgressError(PegcountError):
    """Two keys of a credential are accepted, which is the most."""

    reason = "ROTATION_IN_PROGRESS"

    def __init__(self, credential_id: str, until: str) -> None:
        super().__init__(
            f"two keys of credential {credential_id} are accepted, until {until}; rotate it after that, or"
            " make a credential and revoke this one",
            id=credential_id,
        )


class FirstCredentialIsLocalError(PegcountError):
    """A caller that nobody authenticated asks to manage credentials."""

    reason = "FIRST_CREDENTIAL_IS_LOCAL"

    def __init__(self) -> None:
        super().__init__(
            "this server runs without authentication, so that anybody could ask this: stop it, and run"
            " `pegcount key create --data DIR --name NAME --scope root` on its data directory"
        )


class LastRootCredentialError(PegcountError):
    """Without a credential, no other one could manage credentials."""

    reason = "LAST_ROOT_CREDENTIAL"

    def __init__(self, credential_id: str) -> None:
        super().__init__(
            f"{credential_id} is the last credential with the scope root; make another one first",
            id=credential_id,
        )


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


class UnknownMethodError(PegcountError):
    """The server has no method of this name."""

    reason = "METHOD_UNKNOWN"


class StoreOpenError(PegcountError):
    """A data directory cannot be opened, as it is missing, in use, no data directory, or of
    another format."""


class StoreInUseError(StoreOpenError):
    """Another process owns a data directory."""


class NoSpaceError(PegcountError):
    """The disk, a quota or a limit of file sizes has no room for a backup or an export."""


class ImportFileError(PegcountError):
    """A file cannot be imported at all, for example because its header cannot be read."""
