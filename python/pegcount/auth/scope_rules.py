"""Which data scopes contradict themselves or the scopes of their credential.

New credentials and the token configuration are held to the same rules.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from pegcount.auth.caller import Scope
from pegcount.auth.hidden_fields import default_hidden_fields, hidden_fields
from pegcount.data_scope import DIMENSIONS, DataScope
from pegcount.errors import quoted

_NAMES: Final = tuple(one.name for one in DIMENSIONS)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A rule that a data scope breaks."""

    field: str
    """Field of the data scope; empty: the data scope itself."""
    text: str
    """What is wrong and what to do, to follow the name of the field."""
    allowed: tuple[str, ...]
    """The fields or scopes of which one may be set, or those that are missing."""


def contradictions(scopes: Collection[Scope], scope: DataScope) -> Iterator[Contradiction]:
    """Returns what contradicts itself in a data scope of a credential that has some scopes.

    Values of fields must be valid already.
    """
    if scope == DataScope():
        text = "restricts nothing; leave it out for all records, or list values of a dimension"
        yield Contradiction("", text, _NAMES)
    if not {Scope.ADMIN, Scope.ROOT}.isdisjoint(scopes):
        text = (
            "the scopes admin and root reach all records; leave out these scopes, or the data scope,"
            " and give whoever needs both two credentials"
        )
        yield Contradiction("", text, ("read_reports", "write_records"))
    dimensions = [name for name in _NAMES if getattr(scope, name)]
    if Scope.WRITE_RECORDS in scopes and dimensions and not scope.source:
        text = (
            "is required beside the scope write_records and another dimension: a session id is unique in its"
            " source only, so that the writer could change records of others; list the sources of the writer"
        )
        yield Contradiction("source", text, ("source",))
    if Scope.READ_REPORTS not in scopes:
        for name in ("hidden_metrics", "hidden_fields", "shown_fields"):
            if getattr(scope, name):
                text = "is about reports, and the scope read_reports is missing; add that, or leave this out"
                yield Contradiction(name, text, ("read_reports",))
    yield from _of_shown_fields(scope)


def _of_shown_fields(scope: DataScope) -> Iterator[Contradiction]:
    of_dimensions, hidden = default_hidden_fields(scope), hidden_fields(scope)
    for index, name in enumerate(scope.shown_fields):
        field = f"shown_fields[{index}]"
        if name in scope.hidden_fields:
            text = f"{quoted(name)} is in hidden_fields too; leave it out of one of them"
            yield Contradiction(field, text, ("hidden_fields", "shown_fields"))
        elif name in hidden:
            text = f"a hidden metric hides {quoted(name)}; leave out that metric, or this field"
            yield Contradiction(field, text, ("hidden_metrics", "shown_fields"))
        elif name not in of_dimensions:
            text = f"no dimension hides {quoted(name)}; leave it out, as it is shown anyway"
            yield Contradiction(field, text, tuple(sorted(of_dimensions)))
