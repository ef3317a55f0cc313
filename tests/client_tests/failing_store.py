"""Makes the store of a service refuse batches."""

import pytest
from pegcount import core, errors
from pegcount.store import PendingWrite
from service import Service


def fail_submissions(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: errors.PegcountError, calls: range
) -> list[bytes]:
    """Makes the submissions whose numbers (from 0) are in `calls` fail; returns all submitted messages."""
    submit, submitted = service.store.submit, list[bytes]()

    def submit_or_fail(message: bytes, cancel_token: core.CancelToken, writer: object = None) -> PendingWrite:
        submitted.append(message)
        if len(submitted) - 1 in calls:
            raise error
        return submit(message, cancel_token)

    monkeypatch.setattr(service.store, "submit", submit_or_fail)
    return submitted
