"""Fields of a call record that every switch fills alike."""

from collections.abc import Callable
from functools import partial

from google.protobuf.timestamp_pb2 import Timestamp

from pegcount.importers.addresses import ADDRESS_FIELDS, read_address
from pegcount.importers.rounded_numbers import NUMBER_FIELDS, read_number
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, SessionRecord
from pegcount.zone import US_PER_SECOND

TextReader = Callable[[str], str]
"""Returns the text to store in a field; raises UnreadableRowError."""

TEXT_READERS: dict[str, TextReader] = {
    **dict.fromkeys(sorted(NUMBER_FIELDS), read_number),
    **{name: partial(read_address, name) for name in sorted(ADDRESS_FIELDS)},
}
"""Readers of the text fields that refuse some texts, or change them."""


def new_call(source: str, session_id: str) -> SessionRecord:
    """Returns a record of kind CALL with its key, (source, session id).

    Raises UnreadableRowError if a spreadsheet has rounded the id.
    """
    record = SessionRecord(kind=SESSION_KIND_CALL, session_id=read_number(session_id))
    if source:
        record.source = source
    return record


def set_text(record: SessionRecord, name: str, text: str) -> None:
    """Sets a text field; an empty text leaves it absent.

    Raises UnreadableRowError if the field refuses the text; see `TEXT_READERS`.
    """
    if text:
        read = TEXT_READERS.get(name)
        setattr(record, name, text if read is None else read(text))


def set_instant(field: Timestamp, instant_us: int) -> None:
    """Sets a time field of a record to an instant in microseconds UTC."""
    seconds, microseconds = divmod(instant_us, US_PER_SECOND)
    field.seconds, field.nanos = seconds, microseconds * 1000


def set_parties(record: SessionRecord, caller: str, called: str) -> None:
    """Sets every field that names the caller or the called party.

    Raises UnreadableRowError if a spreadsheet has rounded one of the numbers.
    """
    if caller:
        record.orig_src_party_id = record.src_prefix_routing = read_number(caller)
    if called:
        number = read_number(called)
        record.orig_dst_party_id = record.term_dst_party_id = record.dst_prefix_routing = number


def set_account(record: SessionRecord, account_code: str) -> None:
    """Sets the account to which the call is billed."""
    set_text(record, "account_id", account_code)
    set_text(record, "orig_accounts_ident", account_code)
