"""Immutable values that pass between request, calendar, store and response."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from pegcount.data_scope import CredentialLimits, DataScope
from pegcount.zone import Zone


class Granularity(IntEnum):
    """Width of a bin, with the numbers of `pegcount.v1.Granularity`."""

    MINUTE = 1
    FIVE_MINUTES = 2
    FIFTEEN_MINUTES = 3
    THIRTY_MINUTES = 4
    HOUR = 5
    DAY = 6
    WEEK = 7
    MONTH = 8


class SessionKind(IntEnum):
    """Kind of a session, with the numbers of `pegcount.v1.SessionKind`."""

    CALL = 1
    ASR = 2
    TTS = 3


class ListPath(Protocol):
    """The way to a list of a request, whose values the core counts in the serialized request."""

    @property
    def numbers(self) -> tuple[int, ...]:
        """Field numbers from the request to the list."""

    @property
    def is_packed(self) -> bool:
        """Whether one field may hold many values, as varints."""


class BadCodeDeckEntry(Protocol):
    """An entry of a code deck that cannot be used."""

    @property
    def index(self) -> int:
        """Position in the request, from 0."""

    @property
    def fault(self) -> str:
        """The rule that it breaks: "code", "repeated_code" or "text"."""

    @property
    def code(self) -> str:
        """Its code, of which a long one is cut."""


class DecodedCodeDeck(Protocol):
    """A `PutCodeDeckRequest` that the core decoded, as validation reads it."""

    @property
    def id(self) -> int | None:
        """Id of the deck, None if it is absent."""

    @property
    def entry_count(self) -> int:
        """Entries of the request."""

    @property
    def bad_entries(self) -> Sequence[BadCodeDeckEntry]:
        """The first entries that cannot be used."""

    @property
    def bad_entry_count(self) -> int:
        """Number of all such entries."""


@dataclass(frozen=True, slots=True)
class Between:
    """An integer column is in [low, high], both inclusive. An absent value does not match."""

    column: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class OneOf:
    """A column equals one of the values, or is absent if `or_absent`.

    Without `or_absent`, an absent value does not match. The order of the values counts when predicates
    are compared:

    >>> OneOf("app_id", (1, 2)) == OneOf("app_id", (2, 1))
    False
    """

    column: str
    values: tuple[int, ...] | tuple[str, ...]
    or_absent: bool = False


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A text column matches a text; `how` is the name of one of the four comparisons of `TextFilter`."""

    column: str
    how: str
    text: str


@dataclass(frozen=True, slots=True)
class InNetwork:
    """A text column is an IP address within a CIDR block. Any other text does not match."""

    column: str
    network: str


@dataclass(frozen=True, slots=True)
class Present:
    """A column has a value if `wanted`, or is absent if not `wanted`."""

    column: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class OneOfPairs:
    """Two text columns equal one of the pairs; a pair with None goes with any second text, or with none.

    Both columns must be dictionary-encoded, as company and organization are. An absent first text does not
    match.
    """

    column: str
    second_column: str
    pairs: tuple[tuple[str, str | None], ...]


Predicate = Between | OneOf | TextMatch | InNetwork | Present | OneOfPairs
"""A condition on one column of a record, or two. A record matches a query if all predicates hold."""


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """A valid request for session usage. A range without an end, to now, has None as `to_us`."""

    from_us: int
    to_us: int | None
    granularity: Granularity
    zone: Zone
    sma_period: int | None
    predicates: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """One sort term: a returned field and its direction."""

    name: str
    descending: bool


_INT64_MAX = 2**63 - 1
# Returned fields that are sums of a row, not keys.
_AGGREGATES = ("quantity", "duration")
# Returned fields that have another name in records.
_COLUMN_OF_FIELD = {"session_setup_time": "setup_time", "session_start_time": "answer_time"}


@dataclass(frozen=True, slots=True)
class ActiveQuery:
    """A valid request for active sessions, whose predicates also select the abandoned ones."""

    fields: tuple[str, ...]
    order: tuple[OrderTerm, ...]
    limit: int | None
    rollup: bool
    code_deck: int | None
    zone: Zone
    predicates: tuple[Predicate, ...]
    ttl_us: int
    """Microseconds after its last event from which a session is abandoned."""

    def predicates_at(self, session_now_us: int) -> tuple[Predicate, ...]:
        """Returns the predicates without the sessions that are abandoned at `session_now_us`."""
        return (*self.predicates, Between("received_time", session_now_us - self.ttl_us + 1, _INT64_MAX))

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Columns of the records to group by: all returned fields except the aggregates."""
        keys = (name for name in self.fields if name not in _AGGREGATES)
        return tuple(_COLUMN_OF_FIELD.get(name, name) for name in keys)


@dataclass(frozen=True, slots=True)
class FolderQuery:
    """A valid request for folder statistics. Dates are days since 1970-01-01, both inclusive.

    An absent date is None.
    """

    company: str
    organization: str
    folder: str
    from_date: int | None
    to_date: int | None
    zone: Zone
    predicates: tuple[Predicate, ...]

    def dates_at(self, now_us: int) -> tuple[int, int]:
        """Returns the first and the last date: by default today in the zone, and the first date."""
        from_date = self.zone.local_date(now_us) if self.from_date is None else self.from_date
        return from_date, from_date if self.to_date is None else self.to_date


@dataclass(frozen=True, slots=True)
class QualityQuery:
    """A valid request for origination quality. A range without an end, to now, has None as `to_us`."""

    from_us: int
    to_us: int | None
    granularity: Granularity
    zone: Zone
    predicates: tuple[Predicate, ...]
    account_field: str = "account_id"
    """The field of the request that names the accounts."""


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of one report.

    Bin i is [edge_us[i], edge_us[i + 1]), in microseconds UTC. Both arrays have the shape
    (bins + 1,), or (0,) without bins. `calendar_us` holds the edges of whole calendar bins.
    `edge_us` is the same, or clips the first and the last bin to the range. The first
    `warmup_count` bins precede the range and serve the moving average only.
    """

    edge_us: NDArray[np.int64]
    calendar_us: NDArray[np.int64]
    from_us: int
    to_us: int
    warmup_count: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there are zero bins."""
        return len(self.edge_us) == 0


@dataclass(frozen=True, slots=True)
class Measure:
    """The sums that a scan computes per cell.

    "sessions" counts records. "calls" counts calls and answered calls, and sums the milliseconds from
    answer to end. "elapsed" counts sessions, and sums the milliseconds from answer to `as_of_us`.
    """

    name: str
    as_of_us: int = 0


@dataclass(frozen=True, slots=True)
class Scan:
    """A query to a store for integer sums per bin and group over the records that match all predicates."""

    edge_us: NDArray[np.int64] | None
    """Edges of the bins, shape (bins + 1,), or (0,) without bins; None is one bin that spans all time."""
    predicates: tuple[Predicate, ...]
    keys: tuple[str, ...]
    """Columns to group by."""
    measure: Measure
    code_deck: int | None = None
    """Id of the code deck that supplies the rate fields; None takes them from the records."""


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """One rejected record of a batch; `reason` is the number of a `RejectReason`."""

    index: int
    reason: int
    description: str


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """The outcome of one batch, of which each record is accepted, replaced, a duplicate or rejected."""

    accepted: int
    replaced: int
    duplicates: int
    rejected: tuple[RejectedRecord, ...]
    batch_id: str | None = None
    """The id that the caller gave the batch."""
    outranked: int = 0
    """Duplicates that say something else than the record that stands, but rank lower."""
    suspected_reuse: int = 0
    """Replaced and duplicate records that look like another call under an id that was used before."""
    dropped_alert_times: int = 0
    """Alert times that were dropped, as they were before the setup or after the answer."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long records are retained; None is unlimited."""

    days: int | None = None
    """UTC days, including today."""
    bytes: int | None = None
    """Bytes of segments; the oldest days beyond it are dropped, but never the newest day."""


@dataclass(frozen=True, slots=True)
class Document:
    """Settings of a part of the service, which a store holds without knowing what they mean."""

    version: int
    """Grows with each change; see `Store.put_document`."""
    content: bytes


@dataclass(frozen=True, slots=True)
class RefusedClock:
    """A clock that jumped, by which a store drops nothing."""

    since_us: int
    """Trusted time at which it was refused, in microseconds UTC."""
    deviation_us: int
    """Microseconds by which it is ahead of the trusted time; negative if it is behind."""
    waiting_days: int
    """UTC days of segments that would be dropped if it was accepted."""


@dataclass(frozen=True, slots=True)
class FollowerInfo:
    """What the second store of a dual write holds; counts are None while it cannot be asked."""

    records: int | None
    active_records: int | None
    failed_batches: int
    """Batches that it did not take since the store was opened."""
    lacks: str | None
    """What of the settings it still lacks, None if nothing."""


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """Counts of a store. Times are microseconds UTC, None without records."""

    records: int
    unsealed_records: int
    active_records: int
    segments: int
    segment_bytes: int
    first_setup_us: int | None
    last_setup_us: int | None
    follower: FollowerInfo | None = None
    """The second store of a dual write; None: there is one store."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """Which records to delete: those that satisfy all that is set. Without anything set, all records."""

    source: str | None = None
    """Source of the records; "" is the unnamed feed, None any."""
    from_us: int | None = None
    """Earliest setup time, inclusive, microseconds UTC; None any."""
    to_us: int | None = None
    """End of the setup times, exclusive, microseconds UTC; None any."""
    session_ids: tuple[str, ...] = ()
    """Session ids, each once; empty: any."""
    once: bool = False
    """Whether no rule stays, so that the same records may be written again."""

    @property
    def in_order(self) -> Self:
        """The same with its session ids in order: equal for two that cover the same."""
        return replace(self, session_ids=tuple(sorted(self.session_ids)))


@dataclass(frozen=True, slots=True)
class DeletionOutcome:
    """What a deletion did."""

    deleted: int
    """Records that it deleted."""
    rule_id: int | None
    """Number of the rule that rejects later records; None if none stays."""


@dataclass(frozen=True, slots=True)
class DeletionRule:
    """A deletion that still applies. Times are microseconds UTC."""

    rule_id: int
    """Number of the rule, 1 or greater; never used again."""
    source: str | None
    from_us: int | None
    to_us: int | None
    session_id_count: int | None
    """Number of its session ids; None for any session."""
    create_us: int
    """When it was made."""
    deleted: int
    """Records that it deleted."""
    session_ids: tuple[str, ...] = ()
    """Its session ids; empty where rules are listed without them."""

    @property
    def covered(self) -> Deletion:
        """What it covers, as far as its session ids are here; equal for two rules that cover the same."""
        return Deletion(self.source, self.from_us, self.to_us, self.session_ids).in_order


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key of a credential, without its secret. Times are microseconds UTC."""

    digest: bytes = field(repr=False)
    """SHA-256 of the key."""
    prefix: str
    """The beginning of the key, by which people recognise it."""
    create_us: int
    expire_us: int | None = None
    """When its acceptance ends, as another key follows it; None: with its credential."""


@dataclass(frozen=True, slots=True)
class CredentialRow:
    """A credential as a store keeps it. Times are microseconds UTC."""

    id: str
    name: str
    scopes: tuple[int, ...]
    """Numbers of `pegcount.v1.Scope`, ascending."""
    certificate_names: tuple[str, ...]
    """Subject alternative names of client certificates that stand for it."""
    keys: tuple[KeyRow, ...]
    """Its keys, the newest first."""
    create_us: int
    expire_us: int | None = None
    """When its acceptance ends; None: never."""
    revoke_us: int | None = None
    """When it was revoked; None: it was not."""
    last_use_us: int | None = None
    """The minute in which it was last accepted; None: it was not yet."""
    data_scope: DataScope | None = None
    """Which records it reads or writes; None: all."""
    limits: CredentialLimits | None = None
    """How much it may ask for; None: as the server is configured."""

    def key_expire_us(self, key: KeyRow) -> int | None:
        """Returns when the acceptance of one of its keys ends; None: never."""
        ends_us = [us for us in (key.expire_us, self.expire_us) if us is not None]
        return min(ends_us, default=None)

    def is_accepted_at(self, now_us: int) -> bool:
        """Returns whether it is neither revoked nor expired."""
        return self.revoke_us is None and (self.expire_us is None or now_us < self.expire_us)


@dataclass(frozen=True, slots=True)
class NewCredential:
    """What a credential that is to be made shall be."""

    name: str
    scopes: tuple[int, ...]
    """Numbers of `pegcount.v1.Scope`, ascending, each once."""
    lifetime_seconds: int | None
    """Seconds until it expires; None: never."""
    certificate_names: tuple[str, ...]
    data_scope: DataScope | None = None
    limits: CredentialLimits | None = None
