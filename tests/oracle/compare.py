"""Compares answers of the service with those of the oracle."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from .expected import ExpectedError, Violation

# The oracle cannot predict the time of the answer and the wording of notices.
_NOT_COMPARED = frozenset({"pegcount.v1.ResolvedRange.generated_at", "pegcount.v1.Notice.text"})


def assert_equal(actual: Message, expected: Message) -> None:
    """Compares integers, texts and presence exactly, doubles within one unit in the last place; NaN equals
    NaN."""
    assert actual.DESCRIPTOR.full_name == expected.DESCRIPTOR.full_name
    for difference in differences(actual, expected, ""):
        raise AssertionError(f"{difference}\n\nactual answer:\n{actual}\nexpected answer:\n{expected}")


def assert_refused(
    code: str, reason: str, violations: Iterable[tuple[str, str]], expected: ExpectedError
) -> None:
    """Asserts the status: its code, the reason of ErrorInfo, and (field, reason) of each violation.

    Reasons are names without prefix. For INVALID_ARGUMENT, the reason of ErrorInfo is one of the violations'.
    """
    actual = frozenset(Violation(field, why) for field, why in violations)
    assert code == expected.code, f"status {code} ({reason} {sorted(map(str, actual))}), expected {expected}"
    assert actual == expected.violations, (
        f"violations missing: {sorted(map(str, expected.violations - actual))}, "
        f"not expected: {sorted(map(str, actual - expected.violations))}"
    )
    reasons = [expected.reason] if expected.reason else [violation.reason for violation in actual]
    assert reason in reasons, f"ErrorInfo has reason {reason}, expected one of {reasons}"


def differences(actual: Message, expected: Message, path: str) -> Iterator[str]:
    """Yields each difference of two messages of one type, in field order."""
    for field in expected.DESCRIPTOR.fields:
        if field.full_name in _NOT_COMPARED:
            continue
        name = f"{path}.{field.name}" if path else field.name
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            one, other = dict(getattr(actual, field.name)), dict(getattr(expected, field.name))
            if one != other:
                yield _difference(name, one, other)
        elif field.is_repeated:
            yield from _of_lists(getattr(actual, field.name), getattr(expected, field.name), field, name)
        elif field.has_presence and actual.HasField(field.name) != expected.HasField(field.name):
            yield _difference(name, _shown(actual, field), _shown(expected, field))
        else:
            yield from _of_values(getattr(actual, field.name), getattr(expected, field.name), field, name)


def _of_lists(actual: Any, expected: Any, field: Any, name: str) -> Iterator[str]:
    for position, (one, other) in enumerate(zip(actual, expected, strict=False)):
        yield from _of_values(one, other, field, f"{name}[{position}]")
    if len(actual) != len(expected):
        yield _difference(f"length of {name}", len(actual), len(expected))


def _of_values(actual: Any, expected: Any, field: Any, name: str) -> Iterator[str]:
    if field.message_type is not None:
        yield from differences(actual, expected, name)
    elif field.type == FieldDescriptor.TYPE_DOUBLE:
        if not is_close(actual, expected):
            yield _difference(name, actual, expected)
    elif actual != expected:
        yield _difference(name, actual, expected)


def is_close(actual: float, expected: float) -> bool:
    """Returns whether two doubles differ by at most one unit in the last place, or are both NaN."""
    if math.isnan(actual) or math.isnan(expected):
        return math.isnan(actual) and math.isnan(expected)
    return actual == expected or abs(actual - expected) <= math.ulp(expected)


def _shown(message: Message, field: Any) -> object:
    return getattr(message, field.name) if message.HasField(field.name) else "absent"


def _difference(name: str, actual: object, expected: object) -> str:
    return f"{name}: actual {actual!r}, expected {expected!r}"
