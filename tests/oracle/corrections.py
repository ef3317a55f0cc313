"""What a correction becomes, given all versions of its record that the store was sent."""

from collections.abc import Sequence
from dataclasses import dataclass

from pegcount.v1 import records_pb2
from pegcount.v1.records_pb2 import RejectReason, SessionRecord

from . import parts

INT64_MAX = 2**63 - 1


@dataclass(frozen=True)
class Resolved:
    """A correction as a version; None if it changes nothing, or if it is rejected."""

    version: SessionRecord | None
    rejected: frozenset[RejectReason] = frozenset()


def resolve(
    correction: SessionRecord, versions: Sequence[SessionRecord], stands: parts.Values, *, is_one_record: bool
) -> Resolved:
    """Resolves a correction in canonical form.

    `versions` are those of the part of the correction, and `stands` what they merge to; `is_one_record` is
    whether all versions that the correction joins were of one record before.
    """
    if not versions:
        return Resolved(correction)
    if is_one_record and _content(stands) == _content(parts.values(correction)):
        return Resolved(None)
    held = max(version.revision for version in versions)
    if held == INT64_MAX:
        return Resolved(None, frozenset({records_pb2.REJECT_REASON_NUMBER_OUT_OF_RANGE}))
    given = [correction.revision] if correction.HasField("revision") else []
    found = SessionRecord()
    found.CopyFrom(correction)
    found.revision = max([held + 1, *given])
    found.replaces = True
    return Resolved(found)


def _content(values: parts.Values) -> parts.Values:
    return {name: value for name, value in values.items() if name not in ("revision", "event", "replaces")}
