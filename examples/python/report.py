"""Writes two calls of yesterday to a Pegcount server, and prints the origination quality of that day.

python report.py 127.0.0.1:50051
"""

import math
import sys
from datetime import UTC, datetime, time, timedelta

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import records_pb2, records_pb2_grpc, reports_pb2, reports_pb2_grpc

ACCOUNT = "example"
TIMEOUT_SECONDS = 10


def main() -> None:
    """Runs the program; an error of a call ends it with exit status 1."""
    if len(sys.argv) != 2:
        sys.exit("usage: report.py HOST:PORT")
    yesterday = datetime.combine(datetime.now(UTC).date() - timedelta(days=1), time(), UTC)
    try:
        with grpc.insecure_channel(sys.argv[1]) as channel:
            write_calls(records_pb2_grpc.RecordServiceStub(channel), yesterday)
            print_quality(reports_pb2_grpc.ReportServiceStub(channel), yesterday)
    except grpc.RpcError as error:
        # What gRPC raises is the call too.
        sys.exit(f"{error.code().name}: {error.details()}")


def write_calls(records: records_pb2_grpc.RecordServiceStub, day: datetime) -> None:
    """Writes one batch of two records, and prints what the server did with them."""
    setup = day + timedelta(hours=10)
    answered = call("answered", setup)
    answered.answer_time.CopyFrom(timestamp(setup + timedelta(seconds=5)))
    batch = records_pb2.WriteRecordsRequest(records=[answered, call("missed", day + timedelta(hours=11))])
    for answer in records.WriteRecords(iter([batch]), timeout=TIMEOUT_SECONDS):
        print(
            f"written: {answer.accepted} accepted, {answer.replaced} replaced, "
            f"{answer.duplicates} duplicates, {len(answer.rejected)} rejected"
        )
        for rejected in answer.rejected:
            reason = records_pb2.RejectReason.Name(rejected.reason)
            print(f"record {rejected.index}: {reason}: {rejected.description}")


def call(name: str, setup: datetime) -> records_pb2.SessionRecord:
    """Returns a call that ends 125 s after its setup."""
    return records_pb2.SessionRecord(
        source="example",
        session_id=f"{setup.date()}-{name}",
        setup_time=timestamp(setup),
        end_time=timestamp(setup + timedelta(seconds=125)),
        account_id=ACCOUNT,
        src_prefix_routing="12025550123",
        dst_prefix_routing="442079460123",
        auth_orig_ip="192.0.2.10",
    )


def print_quality(reports: reports_pb2_grpc.ReportServiceStub, day: datetime) -> None:
    """Prints a line for each hour that has calls, and one for the day."""
    request = reports_pb2.QueryOriginationQualityRequest(
        account_id=ACCOUNT,
        from_time=day.isoformat(),
        to_time=(day + timedelta(days=1)).isoformat(),
        sampling=reports_pb2.GRANULARITY_HOUR,
        time_zone="UTC",
    )
    answer = reports.QueryOriginationQuality(request, timeout=TIMEOUT_SECONDS)
    bins, totals = answer.data, answer.totals
    columns = (bins.t, bins.total_calls, bins.answered_calls, bins.acd, bins.asr)
    for start, calls, answered, acd, asr in zip(*columns, strict=True):
        if calls > 0:
            hour = datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            print_line(hour, calls, answered, acd, asr)
    # An absent field reads as 0.
    acd = totals.acd if totals.HasField("acd") else math.nan
    asr = totals.asr if totals.HasField("asr") else math.nan
    print_line("total", totals.total_calls, totals.answered_calls, acd, asr)


def print_line(name: str, calls: int, answered: int, acd: float, asr: float) -> None:
    """Prints the figures of an hour, or of the day."""
    print(f"{name}: {calls} calls, {answered} answered, ACD {figure(acd)} s, ASR {figure(asr)} %")


def figure(value: float) -> str:
    """Formats a ratio, which is NaN if its denominator is 0."""
    return "-" if math.isnan(value) else f"{value:.1f}"


def timestamp(moment: datetime) -> Timestamp:
    """Converts a time to the message of a timestamp."""
    message = Timestamp()
    message.FromDatetime(moment)
    return message


if __name__ == "__main__":
    main()
