"""Converts `DeleteRecordsRequest` to `Deletion`."""

from pegcount.config import Config
from pegcount.model import Deletion
from pegcount.request.validation import Check, RequestValidator, never_ends
from pegcount.v1 import admin_pb2

_RESTRICTIONS = ("source", "from_time", "to_time", "session_ids")


def deletion(request: admin_pb2.DeleteRecordsRequest, config: Config, check: Check = never_ends) -> Deletion:
    """Returns the deletion of a request; raises InvalidRequestError with its violations."""
    validator = RequestValidator(config, check)
    zone = validator.zone(request.time_zone if request.HasField("time_zone") else None)
    _check_all(request, validator)
    source = validator.text("source", request.source) if request.HasField("source") else None
    from_time = request.from_time if request.HasField("from_time") else None
    to_time = request.to_time if request.HasField("to_time") else None
    from_us, to_us = validator.open_range_us(from_time, to_time, zone)
    session_ids = _session_ids(request, validator)
    validator.raise_violations()
    return Deletion(source, from_us, to_us, session_ids, request.once)


def rule_id(request: admin_pb2.LiftDeletionRequest, config: Config) -> int:
    """Returns the number of the rule to lift; raises InvalidRequestError if it is missing."""
    validator = RequestValidator(config, never_ends)
    if not request.HasField("rule_id"):
        validator.add_violation("rule_id", "REQUIRED_FIELD_MISSING", "is required")
    validator.raise_violations()
    return request.rule_id


def _check_all(request: admin_pb2.DeleteRecordsRequest, validator: RequestValidator) -> None:
    given = [name for name in _RESTRICTIONS if name in {field.name for field, _ in request.ListFields()}]
    names = ", ".join(_RESTRICTIONS)
    if not given and not request.all:
        description = f"is required if none of {names} is set: true deletes all records"
        validator.add_violation("all", "REQUIRED_FIELD_MISSING", description)
    if given and request.all:
        description = f"deletes all records, but {given[0]} is set too: set either all, or any of {names}"
        validator.add_violation("all", "CONFLICTING_FIELDS", description, allowed=f"all, {names}")


def _session_ids(request: admin_pb2.DeleteRecordsRequest, validator: RequestValidator) -> tuple[str, ...]:
    ids = validator.values("session_ids", request, "session_ids")
    for index, session_id in enumerate(ids):
        validator.required_text(f"session_ids[{index}]", session_id)
    return tuple(dict.fromkeys(ids))
