"""What a row of Yeti says of how its call went: when it rang, with which response and by whom it ended."""

import re
from decimal import Decimal

from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.v1.records_pb2 import (
    RELEASE_PARTY_ORIGINATION,
    RELEASE_PARTY_SWITCH,
    RELEASE_PARTY_TERMINATION,
    ReleaseParty,
)
from pegcount.zone import US_PER_SECOND

# PostgreSQL prints a `real` below a ten thousandth with an exponent.
_SECONDS = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?")
_CODE = re.compile(r"-?[0-9]{1,9}")
_SIP_STATUSES = range(100, 700)
# `pdd` has about seven digits, and exports may round times to whole seconds.
_TOLERANCE_US = 1_000
_ROUNDING_US = US_PER_SECOND

_PARTIES: dict[str, ReleaseParty] = {
    **dict.fromkeys(("0", "1", "routing", "switch"), RELEASE_PARTY_SWITCH),
    **dict.fromkeys(("2", "destination"), RELEASE_PARTY_TERMINATION),
    **dict.fromkeys(("3", "origination"), RELEASE_PARTY_ORIGINATION),
}
"""By the number of a disconnect initiator, and by its name in the web interface."""


def alert_us(pdd: str, setup_us: int, answer_us: int | None) -> int | None:
    """Returns when the called side began to ring, from the seconds between setup and ringing.

    Yeti writes the seconds up to the answer where no ringing came before it: then None, from which the same
    post-dial delay follows. Raises UnreadableRowError.
    """
    if not _SECONDS.fullmatch(pdd):
        raise UnreadableRowError(f"pdd: {pdd!r} is not a number of seconds")
    found_us = setup_us + int((Decimal(pdd) * US_PER_SECOND).to_integral_value())
    if answer_us is not None and answer_us - _TOLERANCE_US <= found_us <= answer_us + _ROUNDING_US:
        return None
    return found_us


def sip_status(code_of_leg_a: str, code_of_leg_b: str) -> int | None:
    """Returns the final response of the vendor or, where no vendor responded, that to the caller.

    The switch may rewrite the response for the caller, which then says what its table of codes has, and not
    what became of the call. Raises UnreadableRowError.
    """
    codes = _code("legb_disconnect_code", code_of_leg_b), _code("lega_disconnect_code", code_of_leg_a)
    return next((code for code in codes if code in _SIP_STATUSES), None)


def release_party(initiator: str) -> ReleaseParty:
    """Returns who ended the call; raises UnreadableRowError."""
    found = _PARTIES.get(initiator.lower())
    if found is None:
        allowed = ", ".join(name.capitalize() for name in _PARTIES)
        raise UnreadableRowError(f"disconnect_initiator_id: {initiator!r} is not one of {allowed}")
    return found


def _code(name: str, text: str) -> int:
    if text and not _CODE.fullmatch(text):
        raise UnreadableRowError(f"{name}: {text!r} is not a whole number")
    return int(text or 0)
