"""What a mapping must tell about each call: its id, its setup, its end, and whether it was answered."""

from collections.abc import Mapping
from typing import Any

from pegcount.importers.mapping.mapping import MappingFile
from pegcount.importers.mapping.problems import Problems
from pegcount.importers.mapping.targets import DURATIONS, TIMES

_BEGINS = ({"setup_time"}, {"end_time", "call_seconds"}, {"answer_time", "ring_seconds"})
"""Of each, the targets tell when a call began."""
_ANSWERS = {"answer_time", "talk_seconds"}
"""Of each, a row tells by itself whether its call was answered."""


def missing_of_calls(mapping: MappingFile, data: Mapping[str, Any], problems: Problems) -> None:
    """Notes what a mapping does not tell, without which no row would be a call."""
    if "columns" not in data:
        problems.add((), '[columns] is missing: it says what each column is, such as uniqueid = "session_id"')
    _require_id(mapping, problems)
    _require_parties(mapping, problems)
    mapped = {source.target for source in mapping.sources}
    named = mapped & {*TIMES, *DURATIONS}
    if not any(each <= named for each in _BEGINS):
        problems.add(
            (),
            "nothing tells when calls began: map setup_time, or end_time and call_seconds, or answer_time and"
            " ring_seconds",
        )
    if named.isdisjoint({"end_time", "call_seconds", "talk_seconds"}):
        problems.add((), "nothing tells when calls ended: map end_time, call_seconds or talk_seconds")
    if mapping.answered is None and "ring_seconds" in named and named.isdisjoint(_ANSWERS):
        problems.add(
            (),
            "nothing tells which calls were answered, as one that was not may have rung: give answered.when,"
            " or map answer_time or talk_seconds",
        )
    if named.isdisjoint({*_ANSWERS, "ring_seconds"}):
        rule = "" if mapping.answered is None else ", beside `answered`"
        problems.add(
            (), f"nothing tells when calls were answered: map answer_time, talk_seconds or ring_seconds{rule}"
        )


def _require_parties(mapping: MappingFile, problems: Problems) -> None:
    mapped = {source.target for source in mapping.sources}
    if mapping.swap is not None and not {"caller", "called"} <= mapped:
        problems.add(("swap",), "exchanges caller and called: map both")


def _require_id(mapping: MappingFile, problems: Problems) -> None:
    source = mapping.source("session_id")
    if source is None and not mapping.has_id_from_row:
        problems.add(
            (),
            "session_id is missing: map the column that identifies a call, join several by [joined], or give"
            " id_from_row = true if rows have nothing that does",
        )
    elif source is not None and mapping.has_id_from_row:
        problems.add(("id_from_row",), "session_id is mapped as well; leave out one of both")
    if mapping.parts is not None and source is None and mapping.has_id_from_row:
        problems.add(
            ("parts",), "rows are parts of a call by its session_id, and id_from_row gives each its own"
        )
