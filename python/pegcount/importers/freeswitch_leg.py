"""A leg of FreeSWITCH as its modules for JSON and XML describe it, and which legs are calls."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from pegcount.importers.call_record import new_call, set_account, set_instant, set_parties, set_text
from pegcount.importers.call_times import LoggedCall, read_seconds, set_call_times
from pegcount.importers.freeswitch_release import release_party, sip_status
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_line import SkipReason, UnreadableRowError
from pegcount.importers.q850 import hangup_cause
from pegcount.importers.timestamps import read_local_timestamp
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.zone import US_PER_SECOND

LOST_RACE_CAUSE = "LOSE_RACE"
"""The cause of a leg that rang together with others, one of which answered."""

# URL-encoding escapes these characters, so one of them shows that the values of a document are
# not encoded. Dates and addresses, which every document has, contain them.
_ESCAPED_BY_ENCODING = re.compile(r"[ :@]")
_COUNT = re.compile(r"[0-9]{1,18}")
# Set on a leg that another one originated: the second, by an enterprise originate.
_ORIGINATING_LEGS = ("originating_leg_uuid", "ent_originate_aleg_uuid")


@dataclass(frozen=True, slots=True)
class Leg:
    """A leg; `flows` is its callflow, the newest profile first."""

    variables: Mapping[str, object]
    flows: tuple[Mapping[str, object], ...]
    is_encoded: bool

    @property
    def skip_reason(self) -> SkipReason | None:
        """Why the leg is not a call of its own, None if it is one.

        The call is the leg that came in, or that the switch originated by itself. A queue of mod_callcenter
        originates the legs to its agents by itself, too, but the call is that of the member who waits.
        A loopback channel has two ends: its other end is a leg of the caller, or else the call.
        """
        if self.variable("hangup_cause") == LOST_RACE_CAUSE:
            return SkipReason.LOST_LEG
        if self.variable("cc_side") == "agent":
            return SkipReason.AGENT_LEG
        is_originated = any(self.variables.get(name) for name in _ORIGINATING_LEGS) or any(
            _mapping(flow.get("caller_profile")).get("originator") for flow in self.flows
        )
        return SkipReason.B_LEG if is_originated or self.variable("loopback_leg") == "B" else None

    @property
    def cause(self) -> int | None:
        """Release cause of Q.850, None if the document lacks one or its name is unknown."""
        number = _count("hangup_cause_q850", self.variable("hangup_cause_q850"))
        return number or hangup_cause(self.variable("hangup_cause"))

    def variable(self, name: str) -> str:
        """Returns the decoded text of a variable, "" if the document lacks it."""
        text = _text(name, self.variables.get(name))
        return _decoded(name, text) if self.is_encoded and "%" in text else text

    def profile_text(self, name: str) -> str:
        """Returns a text of the oldest profile, which has the numbers before any transfer."""
        first = self.flows[-1] if self.flows else {}
        return _text(name, _mapping(first.get("caller_profile")).get(name))

    def instants_us(self, variable: str, flow_time: str) -> list[int]:
        """Returns the times of one event from the most exact source that has it; [] if it never happened.

        The sources are the variable in microseconds, the callflow, and the variable in seconds.
        Each of them writes 0 for an event that never happened.
        """
        exact_us = _count(variable, self.variable(f"{variable}_uepoch"))
        if exact_us:
            return [exact_us]
        times = [_text(flow_time, _mapping(flow.get("times")).get(flow_time)) for flow in self.flows]
        flow_us = [count for text in times if (count := _count(flow_time, text))]
        epoch_s = _count(variable, self.variable(f"{variable}_epoch"))
        return flow_us or ([epoch_s * US_PER_SECOND] if epoch_s else [])


def new_leg(variables: Mapping[str, object], flows: tuple[Mapping[str, object], ...]) -> Leg:
    """Returns the leg of a document, whose variables may be URL-encoded."""
    values = (value for value in variables.values() if isinstance(value, str))
    return Leg(variables, flows, not any(_ESCAPED_BY_ENCODING.search(value) for value in values))


def leg_record(leg: Leg, options: ImportOptions) -> SessionRecord | SkipReason:
    """Returns the call of a leg, or why it is none; raises UnreadableRowError."""
    skip_reason = leg.skip_reason
    if skip_reason is not None:
        return skip_reason
    try:
        return _call(leg, options)
    except UnicodeEncodeError as error:
        # JSON can contain half of a surrogate pair, which UTF-8 cannot encode.
        raise UnreadableRowError("a text has an unpaired surrogate") from error


def _call(leg: Leg, options: ImportOptions) -> SessionRecord:
    uuid = leg.variable("uuid")
    if not uuid:
        raise UnreadableRowError("the document has no uuid")
    record = new_call(options.source, uuid)
    _set_times(record, leg, options)
    set_parties(record, leg.profile_text("caller_id_number"), leg.profile_text("destination_number"))
    set_account(record, leg.variable("accountcode"))
    set_text(record, "orig_leg_id", uuid)
    set_text(record, "term_leg_id", leg.variable("bridge_uuid"))
    set_text(record, "auth_orig_ip", leg.variable("sip_network_ip"))
    cause = leg.cause
    if cause is not None:
        record.disconnect_cause = cause
    status = sip_status(leg.variable, is_answered=record.HasField("answer_time"))
    if status is not None:
        record.sip_status = status
    party = release_party(leg.variable)
    if party is not None:
        record.release_party = party
    return record


def _set_times(record: SessionRecord, leg: Leg, options: ImportOptions) -> None:
    setup_us = leg.instants_us("start", "created_time")
    end_us = leg.instants_us("end", "hangup_time")
    if not setup_us or not end_us:
        # Some tools keep the local times only.
        set_call_times(record, _logged_call(leg), options.zone)
        return
    set_instant(record.setup_time, min(setup_us))
    set_instant(record.end_time, max(end_us))
    answer_us = leg.instants_us("answer", "answered_time")
    if answer_us:
        set_instant(record.answer_time, min(answer_us))
    # Ringing and early media: whichever the caller got first.
    alert_us = leg.instants_us("progress", "progress_time") + leg.instants_us(
        "progress_media", "progress_media_time"
    )
    if alert_us:
        set_instant(record.alert_time, min(alert_us))


def _logged_call(leg: Leg) -> LoggedCall:
    start, answer, end, duration, billsec = (
        leg.variable(name) for name in ("start_stamp", "answer_stamp", "end_stamp", "duration", "billsec")
    )
    if not start or not duration:
        raise UnreadableRowError("the document has no start or no end")
    return LoggedCall(
        start=read_local_timestamp("start_stamp", start),
        is_answered=answer != "",
        answer=read_local_timestamp("answer_stamp", answer) if answer else None,
        end=read_local_timestamp("end_stamp", end) if end else None,
        duration_us=read_seconds("duration", duration),
        billsec_us=read_seconds("billsec", billsec or "0"),
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(name: str, value: object) -> str:
    if isinstance(value, str) and "\0" not in value:
        return value
    # Tools that make JSON of XML write an element without text as {} or [].
    if value is None or value == {} or value == []:
        return ""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnreadableRowError(f"{name} is not a text")
    return str(value)


def _count(name: str, text: str) -> int:
    if text and not _COUNT.fullmatch(text):
        raise UnreadableRowError(f"{name}: {text!r} is not a whole number")
    return int(text or 0)


def _decoded(name: str, text: str) -> str:
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise UnreadableRowError(f"{name} is not UTF-8") from error
    return _text(name, decoded)
