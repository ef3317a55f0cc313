"""Reads how the ids of a batch were made, without reading its records."""

from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from pegcount.errors import InvalidRequestError, MalformedMessageError, SourceRuleLimitError, Violation
from pegcount.v1 import records_pb2

_FIELD = records_pb2.WriteRecordsRequest.DESCRIPTOR.fields_by_name["source_rule"]


@dataclass(frozen=True, slots=True)
class SourceRule:
    """A source, and the rule by which its ids are made."""

    source: str
    rule: str


def source_rule(batch: bytes, text_bytes_max: int) -> SourceRule | None:
    """Returns the rule that a serialized `WriteRecordsRequest` names, None if it names none.

    Raises MalformedMessageError, and InvalidRequestError if a text is too long or the rule has no name. Other
    faults of the message are left to who reads all of it.
    """
    try:
        found = _JUST_THE_RULE.FromString(batch).source_rule
    except DecodeError:
        return None
    if not found:
        return None
    try:
        # Occurrences of one message are merged, as a parser of the whole request does.
        message = records_pb2.SourceRule.FromString(b"".join(found))
    except DecodeError as error:
        raise MalformedMessageError(f"source_rule is no valid message: {error}") from error
    for name in ("source", "rule"):
        size = len(getattr(message, name).encode())
        if size > text_bytes_max:
            raise SourceRuleLimitError(name, size, text_bytes_max)
    if not message.rule:
        raise InvalidRequestError([Violation("source_rule.rule", "REQUIRED_FIELD_MISSING", "is required")])
    return SourceRule(message.source, message.rule)


def _message_of_the_rule() -> Any:
    """Returns the class of a message that has the rule of a batch as bytes, and no records.

    The parser passes over a field that it does not know: 5,000 records take it 0.05 ms, and with the class
    of the batch 3 ms.
    """
    file = FileDescriptorProto(name="source_rule.proto", package="pegcount.batch", syntax="proto2")
    field = file.message_type.add(name="JustTheRule").field.add(name=_FIELD.name, number=_FIELD.number)
    field.type, field.label = FieldDescriptorProto.TYPE_BYTES, FieldDescriptorProto.LABEL_REPEATED
    pool = DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("pegcount.batch.JustTheRule"))


_JUST_THE_RULE = _message_of_the_rule()
