"""Reads the conditions of a mapping file."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pegcount.importers.csv_rows import NULLS
from pegcount.importers.mapping.conditions import ColumnTest, Condition
from pegcount.importers.mapping.problems import Problems
from pegcount.importers.mapping.toml_file import KeyPath
from pegcount.importers.mapping.typed_values import require_known

CONDITION_KEYS = ("when", "unless")
"""The keys of a condition."""


def read_condition(value: object, at: KeyPath, problems: Problems) -> Condition:
    """Returns the condition that a table with `when` and `unless` describes."""
    if not isinstance(value, dict) or not value:
        problems.add(at, 'a table with `when` is needed, such as when = { status = ["answered"] }')
        return Condition()
    require_known(value, CONDITION_KEYS, at, problems)
    when, unless = (
        tuple(_tests(value[key], (*at, key), problems)) if key in value else () for key in CONDITION_KEYS
    )
    return Condition(when, unless)


def read_pattern(text: object, at: KeyPath, problems: Problems, group_count: int) -> re.Pattern[str] | None:
    """Returns a regular expression with at most this number of groups; None for any other text."""
    try:
        pattern = re.compile(text) if isinstance(text, str) else None
    except re.error as error:
        problems.add(at, f"not a regular expression: {error}")
        return None
    if pattern is None:
        problems.add(at, "a text is needed, a regular expression")
    elif pattern.groups > group_count:
        allowed = "one group is allowed, which is the text" if group_count else "no group is needed here"
        problems.add(at, f"{allowed}; write (?:…) for what only belongs together")
        return None
    return pattern


def _tests(tests: object, at: KeyPath, problems: Problems) -> Iterator[ColumnTest]:
    # Without a column, a condition would hold for all rows.
    if not isinstance(tests, dict) or not tests:
        problems.add(at, "a table of columns is needed, each with the texts that it may have")
        return
    for column, wanted in tests.items():
        test = _test(column, wanted, (*at, column), problems)
        if test is not None:
            yield test


def _test(column: str, wanted: Any, at: KeyPath, problems: Problems) -> ColumnTest | None:
    if isinstance(wanted, Mapping):
        require_known(wanted, ("pattern",), at, problems)
        pattern = read_pattern(wanted.get("pattern"), (*at, "pattern"), problems, 0)
        return None if pattern is None else ColumnTest(column, at, pattern=pattern)
    texts = wanted if isinstance(wanted, list) else [wanted]
    if not texts or not all(isinstance(each, str | int) and not isinstance(each, bool) for each in texts):
        problems.add(
            at, "a text, a list of texts or { pattern = … } is needed; true is written as a text, too"
        )
        return None
    if not set(NULLS).isdisjoint(texts):
        problems.add(at, f'{" and ".join(NULLS)} are read as empty cells: write ""')
    return ColumnTest(column, at, frozenset(str(each) for each in texts))
