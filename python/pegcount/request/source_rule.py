"""Reads by which rule the calls of a batch were made, and whether its records are of the source it names."""

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from pegcount.errors import (
    InvalidRequestError,
    MalformedMessageError,
    SourceOfRecordError,
    SourceRuleLimitError,
    Violation,
)
from pegcount.request.batch_fields import rules_of, sources_of
from pegcount.v1 import records_pb2


@dataclass(frozen=True, slots=True)
class SourceRule:
    """A source, and the rule by which its calls are made."""

    source: str
    rule: str


def source_rule(batch: bytes, text_bytes_max: int) -> SourceRule | None:
    """Returns the rule that a serialized `WriteRecordsRequest` names, None if it names none.

    Raises MalformedMessageError, and InvalidRequestError if a text is too long, the rule has no name, or a
    record is of another source.
    """
    found = rules_of(batch)
    if not found:
        return None
    message = _merged(found)
    for name in ("source", "rule"):
        size = len(getattr(message, name).encode())
        if size > text_bytes_max:
            raise SourceRuleLimitError(name, size, text_bytes_max)
    if not message.rule:
        raise InvalidRequestError([Violation("source_rule.rule", "REQUIRED_FIELD_MISSING", "is required")])
    _check_sources(batch, message.source)
    return SourceRule(message.source, message.rule)


def ruled_source(batch: bytes) -> str | None:
    """Returns the source whose rule a serialized batch names, None if it names none.

    Looks at nothing else of the rule. Raises MalformedMessageError.
    """
    found = rules_of(batch)
    return _merged(found).source if found else None


def _merged(rules: Sequence[bytes]) -> records_pb2.SourceRule:
    try:
        # Occurrences of one message are merged, as a parser of the whole request does.
        return records_pb2.SourceRule.FromString(b"".join(rules))
    except DecodeError as error:
        raise MalformedMessageError(f"source_rule is no valid message: {error}") from error


def _check_sources(batch: bytes, source: str) -> None:
    sources = sources_of(batch)
    if set(sources) <= {source}:
        return
    index, other = next((index, one) for index, one in enumerate(sources) if one != source)
    raise SourceOfRecordError(index, other, source)
