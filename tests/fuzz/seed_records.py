"""Records with made-up numbers, for the stores of the targets and as seeds."""

from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import records_pb2

SETUP_S = 1_774_771_200
"""2026-03-29T08:00:00Z, some hours before the clock of the stores."""
RECORD_COUNT = 40
MARK = "x7foreign-"
"""Begins what scoped callers must not see; no seed has it."""
_CHECKED_TEXTS = ("auth_orig_ip", "customer_price", "vendor_price")
"""Texts that the rules for new records check."""


def record(number: int) -> records_pb2.SessionRecord:
    """Returns a call, every fourth one without an end, of three accounts and two companies."""
    setup_s = SETUP_S + 600 * number
    return records_pb2.SessionRecord(
        session_id=f"call-{number}",
        source="pbx",
        account_id=f"a{number % 3}",
        company="acme" if number % 2 else "umbrella",
        organization="north",
        folder="sales",
        orig_src_party_id=f"+1555010{number % 10}",
        orig_dst_party_id=f"+442079460{number:03}",
        term_dst_party_id=f"+442079460{number:03}",
        auth_orig_ip=f"192.0.2.{number}",
        orig_clients_id=number % 4,
        setup_time=Timestamp(seconds=setup_s),
        answer_time=Timestamp(seconds=setup_s + 10) if number % 3 else None,
        end_time=None if number % 4 == 3 else Timestamp(seconds=setup_s + 70),
        customer_price=f"0.{number}",
    )


def foreign_batch() -> bytes:
    """Returns a batch of calls that no scoped caller may see: each text of theirs begins with `MARK`."""
    records = [record(number) for number in range(4)]
    for found in records:
        for field in found.DESCRIPTOR.fields:
            if field.type == field.TYPE_STRING and field.name not in _CHECKED_TEXTS:
                setattr(found, field.name, f"{MARK}{field.name}-{found.session_id}")
    return records_pb2.WriteRecordsRequest(batch_id="foreign", records=records).SerializeToString()


def batch(count: int = RECORD_COUNT) -> bytes:
    """Returns a batch of calls."""
    records = [record(number) for number in range(count)]
    return records_pb2.WriteRecordsRequest(batch_id="seed", records=records).SerializeToString()
