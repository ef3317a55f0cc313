"""How the leg of a caller ended in FreeSWITCH: with which SIP response, and by whom.

`sip_hangup_disposition` says whether the switch received the message that ended the leg, or sent it. At the
other end of a leg that came in is the caller. What the switch sends there may be news of the called side, as
other variables tell, or its own decision.
"""

import re
from collections.abc import Callable

from pegcount.v1.records_pb2 import (
    RELEASE_PARTY_ORIGINATION,
    RELEASE_PARTY_SWITCH,
    RELEASE_PARTY_TERMINATION,
    ReleaseParty,
)

Variable = Callable[[str], str]
"""Returns a variable of the leg by its name, "" if it has none."""

_BRIDGE_STATUS = "last_bridge_proto_specific_hangup_cause"
_STATUSES = ("sip_term_status", "proto_specific_hangup_cause", "sip_invite_failure_status", _BRIDGE_STATUS)
"""Variables with the SIP status of the leg, then of the leg that it was bridged to last."""
_STATUS = re.compile(r"(?:sip:)?([1-6][0-9]{2})")
_OK = 200
# The answer to CANCEL: it says that the other side gave up.
_CANCELLED = 487
_RECEIVED = frozenset({"recv_bye", "recv_cancel", "recv_refuse"})
_SENT = frozenset({"send_bye", "send_cancel", "send_refuse"})
_CAUSES_OF_SWITCH = frozenset(
    {"ALLOTTED_TIMEOUT", "MANAGER_REQUEST", "MEDIA_TIMEOUT", "PROGRESS_TIMEOUT", "SYSTEM_SHUTDOWN"}
)


def sip_status(variable: Variable, *, is_answered: bool) -> int | None:
    """Returns the final response to the INVITE of the leg; None if it is not known, or the leg is not SIP."""
    statuses = [found for name in _STATUSES if (found := _status(variable(name))) is not None]
    if is_answered:
        # A transfer that failed after the answer has a status, too.
        is_sip = statuses or variable("sip_call_id") or variable("channel_name").startswith("sofia/")
        return _OK if is_sip else None
    return statuses[0] if statuses else None


def release_party(variable: Variable) -> ReleaseParty | None:
    """Returns who ended the call of the leg; None if it is not known.

    The party at the other end of a leg that the switch originated is the called one. Where it was bridged to
    a further party, the variables do not tell that one from the switch.
    """
    disposition = variable("sip_hangup_disposition")
    is_outbound = variable("direction") == "outbound"
    if disposition in _RECEIVED:
        return RELEASE_PARTY_TERMINATION if is_outbound else RELEASE_PARTY_ORIGINATION
    if disposition not in _SENT:
        return None
    if variable("hangup_cause") in _CAUSES_OF_SWITCH or not _is_of_other_leg(variable):
        return RELEASE_PARTY_SWITCH
    return None if is_outbound else RELEASE_PARTY_TERMINATION


def _is_of_other_leg(variable: Variable) -> bool:
    """Returns whether what ended the leg came from a leg that it was bridged to, or was to be."""
    return variable("bridge_uuid") != "" or _status(variable(_BRIDGE_STATUS)) not in (None, _CANCELLED)


def _status(text: str) -> int | None:
    match = _STATUS.fullmatch(text)
    return int(match[1]) if match else None
