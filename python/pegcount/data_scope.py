"""What a credential may see, and how much it may ask for."""

from dataclasses import dataclass
from enum import IntEnum


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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class CredentialLimits:
    """How much a credential may ask for; None: as the server is configured."""

    calls_per_second: int | None = None
    calls_in_progress: int | None = None
    write_streams: int | None = None
    work_ms_per_second: int | None = None
    """Estimated milliseconds of processor time of its reports, per second."""
