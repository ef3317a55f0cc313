"""Which call a row of Asterisk belongs to, and how much its answer says about the call.

Asterisk writes a row per pair of channels: https://docs.asterisk.org calls it a path of communication, and
leaves it to the reader to make calls of them. docs/formats.md shows what the rules below make of each shape.
"""

import re

from pegcount.importers.asterisk_rows import Row
from pegcount.importers.call_times import LoggedCall
from pegcount.importers.content_hash import part_number
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.zone import US_PER_SECOND

SWITCH_CLASS = 1
"""The switch itself answered: an IVR, voicemail, an announcement, or half of a Local channel."""
PARTY_CLASS = 2
"""A party was called."""
FAR_SIDE_CLASS = 3
"""The far side of a call that the switch originated."""

_ATTEMPTS = frozenset({"dial", "retrydial", "queue", "followme"})
_CONFERENCES = frozenset({"confbridge", "meetme"})
_LOCAL = "Local/"
# `1774688400.42` without what follows the point, and `1.77469E+09`.
_ROUNDED_ID = re.compile(r"[0-9]{9,10}|[0-9](?:[.,][0-9]+)?E\+[0-9]{2,3}")
_LOCAL_NEAR_HALF = ";1"


def call_id(row: Row, is_by_linkedid: bool) -> str:
    """Returns what all rows of one call share; "" if the row has nothing that identifies its call.

    Everybody in a conference has the linkedid of the first to come, so that each takes their uniqueid.
    """
    uniqueid, linkedid = row.get("uniqueid", ""), row.get("linkedid", "")
    if not is_by_linkedid:
        return uniqueid
    if _is_conference(row):
        return uniqueid or linkedid
    return linkedid or uniqueid


def check_ids(row: Row) -> None:
    """Raises UnreadableRowError if a spreadsheet has rounded an id, which other calls then have, too."""
    for name in ("uniqueid", "linkedid"):
        if _ROUNDED_ID.fullmatch(row.get(name, "")):
            raise UnreadableRowError(
                f"{name}: {row[name]!r} is a number that a spreadsheet has rounded; import the original file"
            )


def part_class(row: Row, is_by_linkedid: bool) -> int:
    """Returns how much the answer of a row says about its call."""
    uniqueid, linkedid = row.get("uniqueid", ""), row.get("linkedid", "")
    is_linked = is_by_linkedid and linkedid != ""
    if _is_conference(row):
        return PARTY_CLASS
    if _is_party(row["dstchannel"]):
        # Only the channel that the switch originated has a linkedid of its own: the half of a Local channel
        # to a member of a queue has that of the caller.
        is_origin = not is_linked or uniqueid in ("", linkedid)
        channel = row["channel"]
        is_near_half = channel.startswith(_LOCAL) and channel.endswith(_LOCAL_NEAR_HALF)
        return FAR_SIDE_CLASS if is_near_half and is_origin else PARTY_CLASS
    if not _is_attempt(row):
        return SWITCH_CLASS
    # If a Local channel in between answered, the row of its other half, with the same linkedid, says who did.
    is_in_vain = row["dstchannel"] == "" or (is_linked and row["disposition"] != "ANSWERED")
    return PARTY_CLASS if is_in_vain else SWITCH_CLASS


def is_answered_by_party(row: Row) -> bool:
    """Returns whether somebody answered: an attempt that reached no channel was never answered.

    Such a row has the disposition ANSWERED if the dialplan answered before it dialled or queued the call.
    """
    return row["disposition"] == "ANSWERED" and not (_is_attempt(row) and row["dstchannel"] == "")


def part_of(row: Row, call: LoggedCall) -> int:
    """Returns the number of the part that a row is of its call, which depends on nothing but the row.

    It is a hash of what identifies the row, or else of cells that all modules of Asterisk write alike, so
    that two logs of one switch give the same part. A sequence of 0 identifies nothing: in a table, rows that
    are older than the column have it.

    Beside the sequence, the hash has the two channels and the application. They never change, neither between
    logs nor if a row is written again with a corrected disposition or corrected times, so that it stays the
    same part. And they tell the rows of one call apart, such as those of phones that ring together, if a
    number that somebody added to `cdr_custom`, such as an account, was taken for the sequence.
    """
    identity = row.get("uniqueid") or row.get("linkedid", "")
    sequence = row.get("sequence", "")
    if sequence.isdecimal() and sequence.strip("0"):
        return part_number([identity, sequence, row["channel"], row["dstchannel"], row["lastapp"]])
    times_us = (call.start.us, call.duration_us, call.billsec_us)
    names = ("channel", "dstchannel", "src", "dst", "lastapp", "disposition")
    seconds = (str(time_us // US_PER_SECOND) for time_us in times_us)
    return part_number([identity, *seconds, *(row[name] for name in names)])


def _is_party(channel: str) -> bool:
    """Returns whether a channel leads out of the switch."""
    return channel != "" and not channel.startswith(_LOCAL)


def _is_attempt(row: Row) -> bool:
    return row["lastapp"].lower() in _ATTEMPTS


def _is_conference(row: Row) -> bool:
    return row["lastapp"].lower() in _CONFERENCES
