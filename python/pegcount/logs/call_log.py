"""Writes a line for each call that has ended, except for most of a flood of failed calls."""

import logging
import time
from collections.abc import Callable

from pegcount.logs.call_lines import CALLS_LOGGER, CallLine
from pegcount.logs.line_budget import LineBudget
from pegcount.server.observed_call import ObservedCall
from pegcount.server.status import code_of_call, outcome_of
from pegcount.settings import LogSettings

_INTERNAL, _UNAUTHENTICATED = "INTERNAL", "UNAUTHENTICATED"
_LOG = logging.getLogger(CALLS_LOGGER)


class CallLog:
    """Takes what a line has from a call, in microseconds; the thread of the log makes the line of it.

    Clients can fail or give up any number of calls, so these get at most 10 lines per second and reason. A
    further line says how many were left out.
    """

    def __init__(
        self,
        settings: LogSettings,
        add: Callable[[CallLine], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`add` takes a line without waiting; `clock` returns seconds, by which floods are limited."""
        self._add = add
        self._budget = LineBudget(clock)
        self.change(settings)

    def change(self, settings: LogSettings) -> None:
        """Takes changed settings."""
        self._has_all = settings.calls
        self._slow_s = settings.slow_call_seconds
        self._level_min = logging.getLevelNamesMapping()[settings.level.upper()]

    def call_ended(self, call: ObservedCall) -> None:
        """Notes a call that has ended."""
        code = code_of_call(call)
        if not (self._has_all or code == _UNAUTHENTICATED):
            return
        is_slow = not call.is_stream and call.seconds >= self._slow_s
        level = _level(call, code, is_slow=is_slow)
        if level < self._level_min:
            return
        reason = None if call.error is None else outcome_of(call.error)
        if code != "OK" and not self._budget.allows(reason or code):
            return
        caller = call.caller
        self._add(
            CallLine(
                time_ns=time.time_ns(),
                level=level,
                method=call.shown_method,
                code=code,
                reason=reason,
                request_id=call.request_id,
                peer=call.peer,
                credential_id=None if caller is None else caller.id,
                credential_name=None if caller is None else caller.name,
                seconds=call.seconds,
                row_count=call.row_count,
                bin_count=call.bin_count,
                request_bytes=call.request_bytes,
                response_bytes=call.response_bytes,
                phase_seconds=call.clock.phase_seconds() if is_slow and call.clock is not None else None,
            )
        )

    def tell_omitted(self, *, at_once: bool = False) -> None:
        """Logs how many lines of failed calls were left out; of the present second only if `at_once`."""
        for reason, count in self._budget.take_omitted(at_once=at_once).items():
            fields = {"reason": reason, "omitted_line_count": count}
            _LOG.info("left out %s more lines of calls: %s", f"{count:,}", reason, extra={"fields": fields})


def _level(call: ObservedCall, code: str, *, is_slow: bool) -> int:
    if code == _INTERNAL:
        return logging.ERROR
    if is_slow:
        return logging.WARNING
    return logging.DEBUG if call.is_health_check else logging.INFO
