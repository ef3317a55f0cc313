"""Reports on behalf of a stream whose credential changes while it is open."""

from types import SimpleNamespace
from typing import Any

import pytest
from pegcount.auth import Caller
from pegcount.data_scope import DataScope
from pegcount.errors import CredentialRefusedError
from pegcount.server.report_call import WatchedReport

BEGAN, OTHER = DataScope(term_clients_id=(7,)), DataScope(term_clients_id=(8,))


def caller(scope: DataScope | None) -> Caller:
    return Caller("cr_1", "wall", frozenset(), None, scope)


class Stream(SimpleNamespace):
    """A call of a certificate that comes to stand for a credential with another data scope."""

    def __init__(self, later: DataScope | None) -> None:
        super().__init__(turn="cr_1", caller=caller(BEGAN), admitted=None, observed=None)
        self._later = later

    def authenticate(self) -> None:
        self.caller = caller(self._later)


def test_a_stream_with_its_data_scope_goes_on() -> None:
    stream: Any = Stream(DataScope(term_clients_id=(7,)))
    WatchedReport(stream, BEGAN).authenticate()


@pytest.mark.parametrize("later", [None, OTHER])
def test_a_stream_with_another_data_scope_is_refused(later: DataScope | None) -> None:
    """Its answer is for all watchers of the query, who may see other records."""
    stream: Any = Stream(later)
    report = WatchedReport(stream, BEGAN)
    with pytest.raises(CredentialRefusedError):
        report.authenticate()
    with pytest.raises(CredentialRefusedError):
        WatchedReport(stream, BEGAN).authenticate()
