"""Compares the violations of a request with the expected ones."""

from collections.abc import Callable, Sequence

import pytest
from pegcount import calendar
from pegcount.errors import InvalidRequestError
from proto_comments import metadata_names, possible_metadata_names

Expected = tuple[str, str, dict[str, object]]
"""(field, reason, metadata other than `field`)."""


def check_refused(make_query: Callable[[], object], expected: Sequence[Expected]) -> list[str]:
    """Asserts that a request is refused with exactly these violations, and returns their descriptions."""
    with pytest.raises(InvalidRequestError) as raised:
        make_query()
    error = raised.value
    found = [(v.field, v.reason, dict(v.metadata)) for v in error.violations]
    assert found == [(field, reason, _texts(metadata)) for field, reason, metadata in expected]
    for violation in error.violations:
        names = {"field", *violation.metadata} - possible_metadata_names(violation.reason)
        assert names == metadata_names(violation.reason), violation.reason
        limits = [violation.metadata[name] for name in ("asked", "allowed") if "asked" in violation.metadata]
        assert all(limit in violation.description for limit in limits), violation.description
    first = error.violations[0]
    assert (error.reason, error.metadata) == (first.reason, {"field": first.field, **first.metadata})
    assert all(f"{v.field}: {v.description}" in str(error) for v in error.violations)
    return [violation.description for violation in error.violations]


def _texts(metadata: dict[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in metadata.items()}


def unknown_zone(name: str, suggestion: str = "") -> Expected:
    """Returns the expected violation for an unknown `time_zone`."""
    suggested = {"suggestion": suggestion} if suggestion else {}
    version = calendar.tzdata_version()
    return ("time_zone", "UNKNOWN_TIME_ZONE", {"value": name, "tzdata_version": version, **suggested})
