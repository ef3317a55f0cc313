"""Reads `ListAuditEntriesRequest`."""

from typing import Final

from pegcount.config import Config
from pegcount.request.validation import RequestValidator, never_ends
from pegcount.v1 import admin_pb2

_DEFAULT_LIMIT: Final = 100
_NUMBER_MAX: Final = 2**63 - 1


def audit_page(request: admin_pb2.ListAuditEntriesRequest, config: Config) -> tuple[int | None, int]:
    """Returns before which entry, None for the end, and how many entries to list.

    Raises InvalidRequestError with the violations.
    """
    validator = RequestValidator(config, never_ends)
    before_id, limit = None, _DEFAULT_LIMIT
    if request.HasField("before_entry_id"):
        before_id = validator.number_within("before_entry_id", request.before_entry_id, 1, _NUMBER_MAX)
    if request.HasField("limit"):
        limit = validator.number_within("limit", request.limit, 1, config.audit_list_count_max)
    validator.raise_violations()
    return before_id, limit
