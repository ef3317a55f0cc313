"""Keeps fields of records out that not all servers of a cluster know yet: an older one would drop them."""

from typing import Final

from google.protobuf.message import DecodeError

from pegcount.errors import ArchiveError, StoreUnavailableError
from pegcount.store.clickhouse.tables.migrations import fields_after
from pegcount.v1.records_pb2 import WriteRecordsRequest

_RETRY_SECONDS: Final = 1.0


def require_fields_of_all(batch: bytes, oldest_version: int) -> None:
    """Raises StoreUnavailableError for a batch with a field that servers of the oldest version do not know.

    While an upgrade is not finished, that is; at all other times it looks at nothing.
    """
    new_fields = fields_after(oldest_version)
    if not new_fields:
        return
    try:
        records = WriteRecordsRequest.FromString(batch).records
    except DecodeError:
        # The core says what is wrong with it.
        return
    found = {field.name for record in records for field, _ in record.ListFields()} & new_fields
    if found:
        raise StoreUnavailableError(
            f"servers that do not know {', '.join(sorted(found))} may still write: send it once all servers"
            " are upgraded and `pegcount clickhouse migrate --finish` has been run",
            _RETRY_SECONDS,
        )


def require_end_of_upgrade(oldest_version: int) -> None:
    """Raises ArchiveError while servers may write that do not know all fields: an archive may have any."""
    new_fields = fields_after(oldest_version)
    if new_fields:
        raise ArchiveError(
            f"servers that do not know {', '.join(sorted(new_fields))} may still write: import it once all"
            " servers are upgraded and `pegcount clickhouse migrate --finish` has been run"
        )
