"""How the tests of requests compare what is wrong with a request."""

from collections.abc import Callable, Sequence

import pytest
from pegcount import calendar
from pegcount.errors import InvalidRequestError
from proto_comments import metadata_names

Expected = tuple[str, str, dict[str, object]]
"""Field, reason, and metadata besides `field`."""


def check_refused(ask: Callable[[], object], expected: Sequence[Expected]) -> list[str]:
    """Checks that a request breaks just these rules; gives their descriptions."""
    with pytest.raises(InvalidRequestError) as raised:
        ask()
    error = raised.value
    found = [(v.field, v.reason, dict(v.metadata)) for v in error.violations]
    assert found == [(field, reason, _texts(metadata)) for field, reason, metadata in expected]
    for violation in error.violations:
        assert {"field", *violation.metadata} == metadata_names(violation.reason), violation.reason
        limits = [violation.metadata[name] for name in ("asked", "allowed") if "asked" in violation.metadata]
        assert all(limit in violation.description for limit in limits), violation.description
    first = error.violations[0]
    assert (error.reason, error.metadata) == (first.reason, {"field": first.field, **first.metadata})
    assert all(f"{v.field}: {v.description}" in str(error) for v in error.violations)
    return [violation.description for violation in error.violations]


def _texts(metadata: dict[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in metadata.items()}


def no_zone(name: str) -> Expected:
    """The violation of a `time_zone` that does not exist."""
    return ("time_zone", "UNKNOWN_TIME_ZONE", {"value": name, "tzdata_version": calendar.tzdata_version()})
