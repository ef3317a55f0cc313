"""`RecordService`."""

from collections.abc import Iterator

import grpc

from pegcount.errors import NotImplementedYetError
from pegcount.v1 import records_pb2, records_pb2_grpc


class RecordService(records_pb2_grpc.RecordServiceServicer):
    """Takes records in; not built yet, `pegcount import` does it."""

    def WriteRecords(
        self, messages: Iterator[records_pb2.WriteRecordsRequest], context: grpc.ServicerContext
    ) -> Iterator[records_pb2.WriteRecordsResponse]:
        """Writes batches of records."""
        raise NotImplementedYetError(
            "WriteRecords is not built yet; use `pegcount import`", method="WriteRecords"
        )
