"""Versions of the tables of a cluster, the steps from one to the next, and who may use the tables meanwhile.

    migrate (adds) -> servers are upgraded one by one -> migrate --finish (older ones may not go on)

Until the upgrade is finished, servers of two versions write the same rows. One that does not know a column
removes a row without the value that it has there, and the two would not cancel each other. So until then

- columns that a step adds get their values from their DEFAULT alone, which is a constant or follows from
  columns that older servers write. Those of a new field of records are absent: batches that have it are
  refused (`Migration.new_fields`);
- contents of settings, states of versions, and tokens of commits are written as older servers do. What these
  do not understand they refuse, and settings of kinds that they do not know they leave alone.

A step may have happened in part, or on another server only, when it is done again: each statement must be
safe to repeat, such as those with IF NOT EXISTS. Columns that the core has gained need no statement here:
`schema.migrate` adds them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pegcount.store.clickhouse.tables.ledger_table import span_index_statements


@dataclass(frozen=True, slots=True)
class Migration:
    """The step to one version from the one before it."""

    statements: Sequence[str] = ()
    """Statements that each server runs, once it has all tables and columns."""
    is_compatible: bool = True
    """Whether servers that know the version before may go on during the step and after it."""
    new_fields: frozenset[str] = frozenset()
    """Fields of records that servers of the version before do not know."""


MIGRATIONS: Final[dict[int, Migration]] = {
    1: Migration(),
    2: Migration(
        statements=span_index_statements(),
        new_fields=frozenset(
            ("alert_time", "vendor_price", "currency", "vendor_currency", "sip_status", "release_party")
        ),
    ),
}
"""By version."""
FIRST_VERSION: Final = 1


def known_version() -> int:
    """Returns the version of the tables that this program makes and uses."""
    return max(MIGRATIONS)


def statements_after(version: int) -> list[str]:
    """Returns the statements of all steps after a version, in their order."""
    return [statement for _, step in _steps_after(version) for statement in step.statements]


def oldest_beside(version: int) -> int:
    """Returns which version servers must know to go on while tables of this version are migrated."""
    needed = (number - 1 if step.is_compatible else number for number, step in _steps_after(version))
    return max(needed, default=FIRST_VERSION)


def fields_after(version: int) -> frozenset[str]:
    """Returns the fields of records that servers which know this version may not know."""
    return frozenset[str]().union(*(step.new_fields for _, step in _steps_after(version)))


def _steps_after(version: int) -> Iterator[tuple[int, Migration]]:
    return ((number, MIGRATIONS[number]) for number in sorted(MIGRATIONS) if number > version)
