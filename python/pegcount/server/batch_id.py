"""The id of a batch in wire form."""

from pegcount.v1 import records_pb2


def batch_id_of(batch: bytes) -> str | None:
    """The `batch_id` of a `WriteRecordsRequest` in wire form, None where it has none.

    The response has the id under the same number, and takes the records for fields that
    it does not know: so they are passed over and not parsed.
    """
    read = records_pb2.WriteRecordsResponse.FromString(batch)
    return read.batch_id if read.HasField("batch_id") else None
