"""Evidence of the zone of local times: rows that also have the Unix time of their channel.

A channel is created when its call starts, so that of the rows of a day, the least difference between local
start and Unix time is the UTC offset of the clock that wrote the start.
"""

from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.importers.timestamps import read_logged_timestamp
from pegcount.zone import US_PER_SECOND, Zone

_OFFSET_STEP_S = 15 * 60
_TOLERANCE_S = 2
_DAY_S = 86_400
_MINUTE_CHARS = len("2026-03-29 02:30:")
_TIME_CHARS = len("2026-03-29 02:30:00")
_NONE_S = 2**63


class ZoneEvidence:
    """The least difference of each local day. Takes memory for each day, not for each row."""

    def __init__(self) -> None:
        # By day, the least difference and the Unix time of its row.
        self._least: dict[int, tuple[int, int]] = {}
        # The minute of the row before, as most logs are in the order of time.
        self._minute, self._minute_s, self._minute_least_s = "", 0, _NONE_S

    def take(self, start: str, created_s: int) -> None:
        """Takes the start of a row and the Unix time of its channel; unreadable rows show nothing."""
        minute = start[:_MINUTE_CHARS]
        if minute == self._minute and len(start) == _TIME_CHARS and (second := start[-2:]).isdecimal():
            start_s = self._minute_s + int(second)
        else:
            found_s = self._read_s(start)
            if found_s is None:
                return
            start_s = found_s
        lateness_s = start_s - created_s
        # The rows of a minute hardly ever set a new least difference.
        if lateness_s < self._minute_least_s:
            self._minute_least_s = lateness_s
            self._take_least(start_s // _DAY_S, lateness_s, created_s)

    def take_local_s(self, start_s: int, created_s: int) -> None:
        """As `take`, of a start in seconds since 1970 as its clock shows them."""
        self._take_least(start_s // _DAY_S, start_s - created_s, created_s)

    @property
    def day_count(self) -> int:
        """Number of days with rows that show anything."""
        return len(self._least)

    @property
    def offsets_s(self) -> list[tuple[int, int]]:
        """For each day an instant, in Unix time, and the UTC offset that its rows show, in seconds."""
        return [(at_s, _rounded(least_s)) for least_s, at_s in self._least.values()]

    def contradicts(self, zone: Zone) -> bool:
        """Returns whether on every day the calls seem to start a multiple of 15 minutes early or late."""
        return self._least != {} and all(_is_shift(residual_s) for residual_s in self._residuals_s(zone))

    def supports(self, zone: Zone) -> bool:
        """Returns whether there is a day on which a call starts when its channel was created."""
        return any(abs(residual_s) <= _TOLERANCE_S for residual_s in self._residuals_s(zone))

    def _residuals_s(self, zone: Zone) -> list[int]:
        return [least_s - zone.offset_s_at(at_s * US_PER_SECOND) for least_s, at_s in self._least.values()]

    def _take_least(self, day: int, lateness_s: int, created_s: int) -> None:
        least = self._least.get(day)
        if least is None or lateness_s < least[0]:
            self._least[day] = (lateness_s, created_s)

    def _read_s(self, start: str) -> int | None:
        """Returns the seconds of a start of any form; None for one with a UTC offset, which shows nothing."""
        try:
            time = read_logged_timestamp("start", start)
        except UnreadableRowError:
            return None
        if time.is_instant:
            return None
        start_s = time.us // US_PER_SECOND
        self._minute_least_s = _NONE_S
        is_usual = len(start) == _TIME_CHARS and start[_MINUTE_CHARS - 1] == ":"
        self._minute = start[:_MINUTE_CHARS] if is_usual else ""
        self._minute_s = start_s - start_s % 60
        return start_s


def _rounded(seconds: int) -> int:
    return round(seconds / _OFFSET_STEP_S) * _OFFSET_STEP_S


def _is_shift(residual_s: int) -> bool:
    shift_s = _rounded(residual_s)
    return shift_s != 0 and abs(residual_s - shift_s) <= _TOLERANCE_S
