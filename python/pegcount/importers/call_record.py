"""Fields of a call record that every switch fills alike."""

import re

from google.protobuf.timestamp_pb2 import Timestamp

from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, SessionRecord
from pegcount.zone import US_PER_SECOND

# A spreadsheet rounds 442079460001 to 4.42079E+11, from which the number cannot be recovered.
_ROUNDED_NUMBER = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]+")


def new_call(source: str, session_id: str) -> SessionRecord:
    """Returns a record of kind CALL with its key, (source, session id)."""
    record = SessionRecord(kind=SESSION_KIND_CALL, session_id=session_id)
    set_text(record, "source", source)
    return record


def set_text(record: SessionRecord, name: str, text: str) -> None:
    """Sets a text field; an empty text leaves it absent."""
    if text:
        setattr(record, name, text)


def set_instant(field: Timestamp, instant_us: int) -> None:
    """Sets a time field of a record to an instant in microseconds UTC."""
    seconds, microseconds = divmod(instant_us, US_PER_SECOND)
    field.seconds, field.nanos = seconds, microseconds * 1000


def set_parties(record: SessionRecord, caller: str, called: str) -> None:
    """Sets every field that names the caller or the called party.

    Raises UnreadableRowError if a spreadsheet has rounded one of the numbers.
    """
    for number in (caller, called):
        if _ROUNDED_NUMBER.fullmatch(number):
            raise UnreadableRowError(f"{number!r} is a number that a spreadsheet has rounded")
    for name in ("orig_src_party_id", "src_prefix_routing"):
        set_text(record, name, caller)
    for name in ("orig_dst_party_id", "term_dst_party_id", "dst_prefix_routing"):
        set_text(record, name, called)


def set_account(record: SessionRecord, account_code: str) -> None:
    """Sets the account to which the call is billed."""
    set_text(record, "account_id", account_code)
    set_text(record, "orig_accounts_ident", account_code)
