"""The parts of a record that every switch's calls have."""

import re

from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, SessionRecord

# A spreadsheet rounds 442079460001 to 4.42079E+11; which number it was cannot be told.
_ROUNDED_NUMBER = re.compile(r"[0-9](?:[.,][0-9]+)?E\+[0-9]+")


def new_call(source: str, session_id: str) -> SessionRecord:
    """Record of a call with its key."""
    record = SessionRecord(kind=SESSION_KIND_CALL, session_id=session_id)
    set_text(record, "source", source)
    return record


def set_text(record: SessionRecord, name: str, text: str) -> None:
    """Give a field its text, unless that is empty: the field is then absent."""
    if text:
        setattr(record, name, text)


def set_parties(record: SessionRecord, caller: str, called: str) -> None:
    """Give a record the numbers of its caller and its called party.

    Raises UnreadableRowError where a spreadsheet has rounded one.
    """
    for number in (caller, called):
        if _ROUNDED_NUMBER.fullmatch(number):
            raise UnreadableRowError(f"{number!r} is a number that a spreadsheet has rounded")
    for name in ("orig_src_party_id", "src_prefix_routing"):
        set_text(record, name, caller)
    for name in ("orig_dst_party_id", "term_dst_party_id", "dst_prefix_routing"):
        set_text(record, name, called)


def set_account(record: SessionRecord, account_code: str) -> None:
    """Give a record the account that its call is billed to."""
    set_text(record, "account_id", account_code)
    set_text(record, "orig_accounts_ident", account_code)
