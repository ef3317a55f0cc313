"""The first calls of a file with the rows that they were made of, so that a person can check the rule."""

from dataclasses import dataclass, field

from pegcount.v1.records_pb2 import SessionRecord


@dataclass(slots=True)
class ReportedCall:
    """A call; `rows` are its rows by line, of which those beyond a limit are only counted."""

    rows: list[tuple[int, SessionRecord]] = field(default_factory=list)
    omitted_row_count: int = 0


class FirstCalls:
    """Keeps the rows of the first `call_count_max` calls, up to `row_count_max` of each."""

    def __init__(self, call_count_max: int, row_count_max: int) -> None:
        self._call_count_max = call_count_max
        self._row_count_max = row_count_max
        self._calls: dict[tuple[str, str], ReportedCall] = {}

    @property
    def calls(self) -> list[ReportedCall]:
        """The calls in the order of their first rows."""
        return list(self._calls.values())

    def take(self, line: int, record: SessionRecord) -> None:
        """Takes the record of a line, which must not be changed afterwards."""
        key = (record.source, record.session_id)
        call = self._calls.get(key)
        if call is None:
            if len(self._calls) >= self._call_count_max:
                return
            call = self._calls[key] = ReportedCall()
        if len(call.rows) < self._row_count_max:
            call.rows.append((line, record))
        else:
            call.omitted_row_count += 1
