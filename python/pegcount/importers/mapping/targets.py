"""What a column of a mapped file may be: fields of a record, and names for several fields or a duration."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from pegcount.v1.records_pb2 import SessionRecord


class TargetKind(Enum):
    """How the texts of a target are read."""

    VALUE = auto()
    """By the setter of each of its fields."""
    NUMBER = auto()
    """As a value, with a decimal comma if the file has one."""
    TIME = auto()
    DURATION = auto()


@dataclass(frozen=True, slots=True)
class Target:
    """What a column may be; `fields` are those of a record that a value goes to."""

    kind: TargetKind
    fields: tuple[str, ...] = ()


TIMES = ("setup_time", "alert_time", "answer_time", "end_time")
DURATIONS = ("call_seconds", "ring_seconds", "talk_seconds", "alert_seconds")
_ALIASES = {
    "caller": ("orig_src_party_id", "src_prefix_routing"),
    "called": ("orig_dst_party_id", "term_dst_party_id", "dst_prefix_routing"),
    "account": ("account_id", "orig_accounts_ident"),
}
# The source is an option of the import. A mapped row is a whole record, and its part has keys of its own.
_NOT_MAPPED = {"source", "event", "part", "part_class", "replaces", *TIMES}


def _kind(descriptor: Any) -> TargetKind:
    is_price = descriptor.name.endswith("_price")
    others = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BOOL, FieldDescriptor.TYPE_ENUM)
    return TargetKind.VALUE if descriptor.type in others and not is_price else TargetKind.NUMBER


TARGETS: dict[str, Target] = {
    **dict.fromkeys(TIMES, Target(TargetKind.TIME)),
    **dict.fromkeys(DURATIONS, Target(TargetKind.DURATION)),
    **{name: Target(TargetKind.VALUE, fields) for name, fields in _ALIASES.items()},
    **{
        descriptor.name: Target(_kind(descriptor), (descriptor.name,))
        for descriptor in SessionRecord.DESCRIPTOR.fields
        if descriptor.name not in _NOT_MAPPED
    },
}
"""All targets by name."""

CONSTANTS = tuple(
    name for name, target in TARGETS.items() if target.fields and name not in {*_ALIASES, "session_id"}
)
"""Fields that all rows may have alike."""
