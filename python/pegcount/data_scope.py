"""What a credential may see, and how much it may ask for."""

from dataclasses import dataclass, fields
from enum import Enum, IntEnum, auto
from functools import cached_property
from typing import Final


class Metric(IntEnum):
    """A figure that a credential may not see, with the numbers of `pegcount.v1.Metric`."""

    ASR = 1
    """The answer-seizure ratio and the answered calls."""
    ACD = 2
    """The average duration of calls and the sum of their durations."""
    PRICE = 3
    """Rates and prices."""


@dataclass(frozen=True, slots=True)
class OrganizationScope:
    """A company, or one of its organizations."""

    company: str
    organization: str | None = None
    """None: all of the company."""


class ValueKind(Enum):
    """What the values of a dimension are."""

    INTEGER = auto()
    TEXT = auto()
    ORGANIZATION = auto()
    """An OrganizationScope."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A list of a data scope that says which records are in it."""

    name: str
    """Field of `DataScope`; of integers and texts, also the column that has one of the values."""
    kind: ValueKind


DIMENSIONS: Final = (
    Dimension("tenant_id", ValueKind.INTEGER),
    Dimension("organization", ValueKind.ORGANIZATION),
    Dimension("account_id", ValueKind.TEXT),
    Dimension("orig_clients_id", ValueKind.INTEGER),
    Dimension("term_clients_id", ValueKind.INTEGER),
    Dimension("source", ValueKind.TEXT),
)
"""All dimensions, in the order of the contract; the core has them too, in python/record_scope.rs."""
INTEGER_DIMENSIONS: Final = tuple(one.name for one in DIMENSIONS if one.kind is ValueKind.INTEGER)
TEXT_DIMENSIONS: Final = tuple(one.name for one in DIMENSIONS if one.kind is ValueKind.TEXT)

INTEGER_MIN: Final = -(2**63) + 1
"""The least integer of a dimension: the one below marks an absent value of a record."""
INTEGER_MAX: Final = 2**63 - 1


# Without slots, so that it can keep its hash.
@dataclass(frozen=True)
class DataScope:
    """Which records a credential reads or writes, and what it sees of them.

    A record must have one of the values of each dimension that is not empty; one without a value is outside.
    """

    tenant_id: tuple[int, ...] = ()
    organization: tuple[OrganizationScope, ...] = ()
    account_id: tuple[str, ...] = ()
    orig_clients_id: tuple[int, ...] = ()
    term_clients_id: tuple[int, ...] = ()
    source: tuple[str, ...] = ()
    hidden_metrics: tuple[Metric, ...] = ()
    hidden_fields: tuple[str, ...] = ()
    """Fields of active sessions to hide, beside those that the dimensions hide."""
    shown_fields: tuple[str, ...] = ()
    """Of the fields that the dimensions hide, those to show."""

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        """Each call looks up what is kept of its data scope, and to hash a thousand values takes long."""
        return hash(tuple(getattr(self, field.name) for field in fields(self)))


@dataclass(frozen=True, slots=True)
class CredentialLimits:
    """How much a credential may ask for; None: as the server is configured."""

    calls_per_second: int | None = None
    calls_in_progress: int | None = None
    write_streams: int | None = None
    work_ms_per_second: int | None = None
    """Estimated milliseconds of processor time of its reports, per second."""
