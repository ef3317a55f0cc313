"""What the lanes of the reports know of the call that a report is for."""

from collections.abc import Hashable
from typing import Protocol

from pegcount.auth import Caller
from pegcount.data_scope import DataScope
from pegcount.errors import CredentialRefusedError
from pegcount.server.call import Call
from pegcount.server.call_clock import CallClock
from pegcount.server.credential_limits import AdmittedCall
from pegcount.server.observed_call import ObservedCall


class ReportCall(Protocol):
    """Who asks for a report, and who pays for it. A `Call` is one."""

    turn: Hashable
    caller: Caller | None
    admitted: AdmittedCall | None
    clock: CallClock
    observed: ObservedCall

    def authenticate(self) -> None:
        """Sets `caller`; raises the errors of `Access.caller`."""

    def time_remaining(self) -> float | None:
        """Returns the seconds until the deadline; None without one."""


class WatchedReport:
    """One report on behalf of a stream, which lasts longer than the report, or ends before it."""

    def __init__(self, call: Call, data_scope: DataScope | None) -> None:
        """`data_scope` is that of all who get the answer."""
        self.turn = call.turn
        self.caller = call.caller
        self.admitted = None if call.admitted is None else call.admitted.another()
        self.clock = CallClock()
        self.observed = call.observed
        self._call = call
        self._data_scope = data_scope

    def authenticate(self) -> None:
        """As `Call.authenticate`; raises CredentialRefusedError also for another data scope."""
        self._call.authenticate()
        require_same_scope(self._call, self._data_scope)
        self.caller = self._call.caller

    def time_remaining(self) -> float | None:
        """Returns None: the deadline of a stream is not that of its reports, which others may need."""
        return None


def require_same_scope(call: Call, data_scope: DataScope | None) -> None:
    """Raises CredentialRefusedError if the caller of a stream no longer has the scope with which it began.

    A certificate may stand for another credential once its own was revoked.
    """
    if call.caller is not None and call.caller.data_scope != data_scope:
        raise CredentialRefusedError
