"""freeswitch-json: documents of FreeSWITCH's `mod_json_cdr`."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import unquote

from pegcount.importers.call_record import new_call, set_account, set_instant, set_parties, set_text
from pegcount.importers.json_documents import read_documents
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_line import ParsedLine, UnreadableRowError
from pegcount.importers.q850 import hangup_cause
from pegcount.importers.text_lines import parse_texts, read_lines
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.zone import US_PER_SECOND

# URL-encoding escapes these characters, so one of them shows that the values of a document are
# not encoded. Dates and addresses, which every document has, contain them.
_ESCAPED_BY_ENCODING = re.compile(r"[ :@]")
_COUNT = re.compile(r"[0-9]{1,18}")


def parse_freeswitch_json(file: BinaryIO, options: ImportOptions) -> Iterator[ParsedLine]:
    """Parses documents of one line each, or pretty-printed over many lines."""
    lines = read_lines(file, options.line_bytes_max)
    documents = read_documents(lines, options.line_bytes_max)
    return parse_texts(documents, lambda text: _record(text, options.source))


def _record(text: str, source: str) -> SessionRecord | None:
    leg = _read_leg(text)
    if leg.is_bleg:
        return None
    try:
        return _leg_record(leg, source)
    except UnicodeEncodeError as error:
        # JSON can contain half of a surrogate pair, which UTF-8 cannot encode.
        raise UnreadableRowError("a text has an unpaired surrogate") from error


def _leg_record(leg: "_Leg", source: str) -> SessionRecord:
    uuid, setup_us, end_us = leg.variable("uuid"), leg.setup_us, leg.end_us
    if not uuid or setup_us is None or end_us is None:
        raise UnreadableRowError("the document has no uuid, no start or no end")
    record = new_call(source, uuid)
    set_instant(record.setup_time, setup_us)
    set_instant(record.end_time, end_us)
    if leg.answer_us is not None:
        set_instant(record.answer_time, leg.answer_us)
    set_parties(record, leg.profile_text("caller_id_number"), leg.profile_text("destination_number"))
    set_account(record, leg.variable("accountcode"))
    set_text(record, "orig_leg_id", uuid)
    set_text(record, "term_leg_id", leg.variable("bridge_uuid"))
    set_text(record, "auth_orig_ip", leg.variable("sip_network_ip"))
    cause = leg.cause
    if cause is not None:
        record.disconnect_cause = cause
    return record


@dataclass(frozen=True, slots=True)
class _Leg:
    """The leg of one document; `flows` is its callflow, the newest profile first."""

    variables: Mapping[str, object]
    flows: tuple[Mapping[str, object], ...]
    is_encoded: bool

    @property
    def is_bleg(self) -> bool:
        """Whether another leg originated this one, by FreeSWITCH's own test."""
        return bool(self.variables.get("originating_leg_uuid")) or any(
            _mapping(flow.get("caller_profile")).get("originator") for flow in self.flows
        )

    @property
    def setup_us(self) -> int | None:
        """Creation of the leg in microseconds UTC, None if the document lacks it."""
        return min(self._instants_us("start", "created_time"), default=None)

    @property
    def answer_us(self) -> int | None:
        """Answer in microseconds UTC, None if the leg was never answered."""
        return min(self._instants_us("answer", "answered_time"), default=None)

    @property
    def end_us(self) -> int | None:
        """Hangup in microseconds UTC, None if the document lacks it."""
        return max(self._instants_us("end", "hangup_time"), default=None)

    @property
    def cause(self) -> int | None:
        """Release cause of Q.850, None if the document lacks one or its name is unknown."""
        number = _count("hangup_cause_q850", self.variable("hangup_cause_q850"))
        return number or hangup_cause(self.variable("hangup_cause"))

    def variable(self, name: str) -> str:
        """Returns the decoded text of a variable, "" if the document lacks it."""
        text = _text(name, self.variables.get(name))
        return _decoded(name, text) if self.is_encoded else text

    def profile_text(self, name: str) -> str:
        """Returns a text of the oldest profile, which has the numbers before any transfer."""
        first = self.flows[-1] if self.flows else {}
        return _text(name, _mapping(first.get("caller_profile")).get(name))

    def _instants_us(self, variable: str, flow_time: str) -> list[int]:
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


def _read_leg(text: str) -> _Leg:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableRowError(f"no JSON: {error}") from error
    if not isinstance(document, dict):
        raise UnreadableRowError("the document is no object")
    variables = _mapping(document.get("variables"))
    callflow = document.get("callflow")
    flows = tuple(_mapping(flow) for flow in (callflow if isinstance(callflow, list) else [callflow]))
    values = (value for value in variables.values() if isinstance(value, str))
    return _Leg(variables, flows, not any(_ESCAPED_BY_ENCODING.search(value) for value in values))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int) or "\0" in str(value):
        raise UnreadableRowError(f"{name} is no text")
    return str(value)


def _count(name: str, text: str) -> int:
    if text and not _COUNT.fullmatch(text):
        raise UnreadableRowError(f"{name}: {text!r} is no whole number")
    return int(text or 0)


def _decoded(name: str, text: str) -> str:
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError as error:
        raise UnreadableRowError(f"{name} is no UTF-8") from error
    return _text(name, decoded)
