"""The interface of a store: what the service asks of it, complete enough to write another one from.

A store derives from `Store`, which defines `write`, `wait`, `any_match` and `first_day` by means of the other
members, and `estimate`, `accept_clock` and `refused_clock` for a store that knows and does nothing of these.

Times are microseconds UTC since 1970-01-01, days are UTC days since 1970-01-01, durations are milliseconds.

# Records

A store holds one *record* per session: the merge of all versions of it that were submitted.
docs/semantics.md says in section 4 which versions belong to one session, which of them supplies a field,
and which are rejected; docs/glossary.md has the terms. A record has the fields of
`pegcount.v1.SessionRecord` as columns:

| field | column |
|---|---|
| integer, enum, bool (0, 1) | an integer, absent or not; an enum of 0 is absent |
| timestamp | an integer: microseconds, of which nanoseconds are rounded down |
| `customer_price` | an integer: units of 10^-9, so that "0.1" is 100,000,000 |
| any other text | a text; the empty text is the absent one |

In predicates and keys an absent `kind` counts as 1 (CALL), and an absent `is_last_attempt` as 1 (true). Other
columns have no default. Two columns are derived:

- `received_time`: when the store last received something new about the session: a record that was accepted or
  replaced, by the clock of the store at its `submit`. It is never absent.
- `duration_ms`: floor((end - answer) / 1000 us) of a session that has both times, otherwise 0. It is
  never absent.

`core.decode_batch` and `core.Versions` hold to these rules, for any store: they validate the records of a
batch and merge versions, each two byte strings that a store keeps. A store then finds the stored records that
a version belongs to, and writes the one that replaces them.

A record is *active* if it lacks an `end_time`, and *finished* otherwise. A store keeps and scans abandoned
sessions as it does others: the service leaves them out by a predicate on `received_time`.

# Scans

`Store.partials` sums the records that satisfy all predicates of a `model.Scan`, each in the cell of its bin
and group. All records count, whatever their kind, state or age, unless a predicate says otherwise.

- **Bins.** Bin i has the records with edge_us[i] <= setup_time < edge_us[i + 1]; edges ascend strictly.
  Records before the first and from the last edge on are not counted. `edge_us` of None is one bin, number
  0, of all records. An empty array has no bins, and its result has no cells.
- **Cells.** A scan without keys has one cell for each bin, in order, also for those without records. A scan
  with keys has one cell for each (bin, group) that has a record, and no other, in any order. A group is the
  values of the key columns; absent is a value of its own.
- **Measures.** Each cell has three sums, all of them integers of 64 bits:

  | measure | first | second | third |
  |---|---|---|---|
  | sessions | records | 0 | 0 |
  | calls | records | of these, those with an `answer_time` | their `duration_ms` |
  | elapsed | records | floor(max(0, as_of_us - answer_time) / 1000), 0 without an `answer_time` | 0 |

  Milliseconds are rounded down per record and then added up.
- **Predicates.** `model` documents each class. An absent value satisfies none of them but `Present` with
  `wanted` false and `OneOf` with `or_absent`; a default counts as the value, but `Present`
  and `or_absent` ask what the records say.
  `Between` and `OneOf` of integers are for integer columns; `OneOf` of texts, `OneOfPairs`, `TextMatch` and
  `InNetwork` for columns of texts. Texts are compared as bytes of UTF-8. A `OneOf` has at least one value.
  `InNetwork` has a block, as `192.0.2.0/24`, or one address; an IPv4-mapped IPv6 address, of the record or
  of the block, counts as the IPv4 address in it. A text that is not an address, or one with leading zeros
  in a number or with a zone, is in no block.
- **Code deck.** With `code_deck`, the columns `orig_rates_code`, `orig_rates_code_name` and
  `orig_rates_country` have the code, name and country of the entry of this deck with the longest code that
  `orig_dst_party_id` begins with, after one leading `+` of the number is dropped; they are absent if there
  is none, whatever the record carries. The same holds for `term_`. Predicates and keys see these values.
- **Consistency.** A scan reads one state: of each batch all records or none, and each record once. It has
  every batch whose `PendingWrite.wait` returned before the scan began.

`core.Partials` takes such cells from any store, and checks them. A column of texts needs distinct texts, of
which the first is "". `Store.traffic_partials` answers a `traffic.TrafficScan` likewise, with the measures
that it names, in `core.TrafficPartials`.

# Errors

Methods raise the errors that they document, and StoreUnavailableError if the store is elsewhere and cannot be
reached, or cannot be used before the deadline. Any other exception is a bug and becomes the status INTERNAL.
"""

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

import numpy as np

from pegcount.core import CancelToken, CodeDeck, Partials, RecordScope, TrafficPartials
from pegcount.counters import Rejections, StoreCounters
from pegcount.model import (
    CredentialRow,
    Deletion,
    DeletionOutcome,
    DeletionRule,
    Document,
    Measure,
    OneOf,
    Predicate,
    Present,
    RefusedClock,
    Retention,
    Scan,
    StoreInfo,
    WriteOutcome,
)
from pegcount.privacy import AuditEntry, Erasure, ErasureOutcome, Masking
from pegcount.store.pending_write import PendingWrite
from pegcount.traffic import TrafficScan
from pegcount.zone import US_PER_DAY, US_PER_SECOND

_SETUP_END_US = 7_258_118_400 * US_PER_SECOND
"""2200-01-01: every record is set up before."""


class Store(Protocol):
    """Stores records and answers scans with integer sums. Thread-safe.

    `estimate`, `session_now_us` and `credentials_version` never wait: the server asks them on its event loop.
    All other members may wait, for a disk or for other hosts. The server calls those that take a token within
    the deadline of a report, on a thread unless `estimate` found the report cheap, and all others on threads.
    """

    @abstractmethod
    def submit(
        self, batch: bytes, cancel_token: CancelToken, writer: RecordScope | None = None
    ) -> PendingWrite:
        """Takes a serialized `WriteRecordsRequest` in; the result tells when it is durable.

        A batch is stored as a whole or not at all, apart from rejected records. Records of one key and
        setup days that are the same or adjacent are versions of one session: UPDATE events and START events
        add to what is stored, wherever in the order of arrival they come. Versions rank by `revision`, then
        END events and whole records above UPDATE above START, then by a hash of their content, which must
        not depend on where or when it is computed; empty texts, enums of 0, nanoseconds below a microsecond
        and zeros at the end of a price are not content. `revision` and `event` only rank a version: they
        are not fields that it supplies. Times of a merged record that contradict each other are dropped as
        docs/semantics.md says: the setup time stays, and of answer and end that of the lower-ranked version
        goes.

        With `correct`, each record is a correction. Let the held versions be those that it would join, and of
        the same part. If there are none, it is a version like any other. If all that it would join was one
        record, and the merged part has the same fields as the correction, `revision`, `event` and `replaces`
        apart, it is a duplicate, and nothing is stored. Otherwise it is the version with `replaces` and the
        greater one of its own revision and the greatest held revision plus 1; it is rejected as
        NUMBER_OUT_OF_RANGE if that exceeds 64 bits. The held versions are those of all batches that were
        submitted before, and of the records before it in its batch; what it became stays so after a restart.
        An event is rejected as EVENT_IN_CORRECTION. `core.Versions.correct` does this.

        A record is rejected with a `RejectReason`, by the rules that the contract gives for each, and
        described to a person in words that name the field. One set up before the retained days is rejected
        as BEFORE_RETENTION, unless its session is stored and active, and one that a deletion covers as
        DELETED; see `delete`. A store may bound the parts of one record, and reject more of them as
        TOO_MANY_PARTS.

        With a `writer`, whose own values the caller has checked, a version is rejected as OUTSIDE_DATA_SCOPE
        if one of the held records that it would join lies outside the scope: see `core.RecordScope.has`. Held
        are the records of all batches that were submitted before.

        A caller may submit several batches before it waits for the first. Writing goes on while the token
        has not ended; see `PendingWrite.wait`. Raises MalformedMessageError if the bytes are not a valid
        message, BatchLimitError if the batch has more than `batch_row_count_max` records,
        BatchIdTooLongError if its id has more than `batch_id_bytes_max` bytes, and OverloadedError if the
        store cannot take more records at present, for example as memory has more than
        `unsealed_row_count_max` finished records, or StoreReadOnlyError if it cannot write at all. It may
        raise CancelledError or DeadlineError on behalf of the token. Nothing of the batch is stored then.
        """

    def write(self, batch: bytes) -> WriteOutcome:
        """Writes a serialized `WriteRecordsRequest` durably: `submit` without a deadline, then `wait`."""
        return self.submit(batch, CancelToken(None)).wait()

    @abstractmethod
    def partials(self, scan: Scan, cell_count_max: int, cancel_token: CancelToken) -> Partials:
        """Returns the sums per bin and group of all records that satisfy the predicates of the scan.

        The result belongs to its caller. Raises CellLimitError, with `asked` and `allowed` as metadata, if
        a scan with keys has more than `cell_count_max` cells, MemoryLimitError if it needs more memory than
        a report or all reports may use, CancelledError or DeadlineError within 50 ms on behalf of the
        token, CodeDeckNotFoundError with all ids that exist if the deck does not, also if no column needs
        it, ValueError for a column that does not exist or a sum beyond 64 bits, and DataDamagedError if a
        file that the scan needs is damaged.
        """

    @abstractmethod
    def traffic_partials(
        self, scan: TrafficScan, cell_count_max: int, cancel_token: CancelToken
    ) -> TrafficPartials:
        """Returns the measures per bin and group of all records that satisfy the predicates of the scan.

        `pegcount.traffic` says what these are. Raises what `partials` raises, and ValueError for a sum beyond
        128 bits.
        """

    def estimate(self, scan: Scan) -> int | None:
        """Returns about how many rows `partials` would read.

        None if unknown: the store is busy or has no cheap way to tell. Takes microseconds; never waits. The
        service runs a scan of few rows on its event loop, which a store that asks over a network must not
        let happen: it returns None, which is the default.
        """
        return None

    def any_match(self, predicates: Sequence[Predicate], cancel_token: CancelToken) -> bool:
        """Returns whether any record satisfies all predicates, as in a scan without a code deck.

        Raises CancelledError, DeadlineError or DataDamagedError, as `partials` does.
        """
        scan = Scan(None, tuple(predicates), (), Measure("sessions"))
        return bool(self.partials(scan, 1, cancel_token).sums[0, 0])

    def first_day(self, cancel_token: CancelToken) -> int | None:
        """Returns the first UTC day that has a record, in days since 1970-01-01, None without records.

        It may be behind by a minute after the store dropped days. Raises CancelledError or DeadlineError on
        behalf of the token.
        """
        cancel_token.check()
        first_us = self.info().first_setup_us
        return None if first_us is None else first_us // US_PER_DAY

    def latest_setup_us(self, cancel_token: CancelToken) -> int | None:
        """Returns the latest setup time in microseconds UTC, None without records.

        Raises CancelledError or DeadlineError on behalf of the token.
        """
        cancel_token.check()
        return self.info().last_setup_us

    @abstractmethod
    def put_code_deck(self, deck_id: int, deck: CodeDeck) -> None:
        """Stores a code deck durably, or replaces the one with this id.

        `CodeDeck.json_piece` has its entries. Scans that begin afterwards use it. Raises StoreReadOnlyError.
        """

    @abstractmethod
    def code_decks(self) -> Mapping[int, int]:
        """Returns the number of entries of each code deck by its id."""

    @abstractmethod
    def retention(self) -> Retention:
        """Returns the limits of retention; a new store has none."""

    @abstractmethod
    def set_retention(self, retention: Retention) -> None:
        """Sets the limits of retention durably; days outside them are dropped soon after.

        A day is dropped as a whole: its finished records, and its active sessions of which nothing new came
        for `active_ttl_seconds`. With `days` of n, today by the clock and the n - 1 days before it are
        retained. With `bytes`, the oldest days beyond that size are dropped, but never the newest. Raises
        StoreReadOnlyError.
        """

    @abstractmethod
    def delete(self, deletion: Deletion, cancel_token: CancelToken) -> DeletionOutcome:
        """Deletes the records that satisfy all that is set, durably, and returns how many they were.

        A record is compared by what was merged from its versions: its source, its session id, its setup
        time. Once the call returns, no report counts these records, also after a restart; while it works, a
        report may count a part of them. Unless `once` is set, a rule stays: from now on each version of
        which the source, the session id and the setup time satisfy it is rejected as DELETED, whoever writes
        it. A version from outside the rule begins a new record, even if it would have joined one that was
        deleted. While the deletion works, such versions are rejected too, with `once` as well. Once the call
        returns, each batch that was submitted before it is visible, or has failed.

        Raises DeletionLimitError if there are more rules, or more session ids in all of them, than the
        store keeps; DataDamagedError if records that cannot be read may be among them; CancelledError or
        DeadlineError if the token ends before the records are deleted; StoreReadOnlyError if that cannot be
        made durable. No record is deleted and no rule stays then. After StoreReadOnlyError, a crash
        before the next successful write may yet leave all of them deleted. A store of several servers may
        have deleted some by then: it says so in the text, and completes the deletion in the background.
        """

    def count_matching(self, deletion: Deletion, cancel_token: CancelToken) -> int:
        """Returns how many records a deletion would delete now. Raises what `partials` raises."""
        predicates: list[Predicate] = []
        if deletion.source is not None:
            is_named = bool(deletion.source)
            source = OneOf("source", (deletion.source,)) if is_named else Present("source", wanted=False)
            predicates.append(source)
        if deletion.session_ids:
            predicates.append(OneOf("session_id", deletion.session_ids))
        from_us, to_us = deletion.from_us or 0, _SETUP_END_US if deletion.to_us is None else deletion.to_us
        if from_us >= to_us:
            return 0
        edge_us = np.array([from_us, to_us], dtype=np.int64)
        scan = Scan(edge_us, tuple(predicates), (), Measure("sessions"))
        return int(self.partials(scan, 1, cancel_token).sums[0, 0])

    @abstractmethod
    def deletions(self) -> Sequence[DeletionRule]:
        """Returns the deletions that still apply, by number, without their session ids."""

    @abstractmethod
    def deletion(self, rule_id: int) -> DeletionRule:
        """Returns a deletion that still applies, with its session ids.

        Raises NotFoundError with the reason DELETION_NOT_FOUND if none has this number.
        """

    @abstractmethod
    def lift_deletion(self, rule_id: int, cancel_token: CancelToken) -> None:
        """Ends a deletion durably: records that it rejects are taken again. What it deleted stays deleted.

        Its number is never used again. Raises NotFoundError with the reason DELETION_NOT_FOUND,
        StoreReadOnlyError, and CancelledError or DeadlineError if the token ends before the rule does.
        """

    @abstractmethod
    def erase(self, parties: Sequence[str], cancel_token: CancelToken) -> ErasureOutcome:
        """Erases numbers of parties durably, and returns how many records had one of them.

        Numbers are the same if `core.canonical_party` says so. A field of a party that has one of them, in a
        record or in a version that the store holds, becomes absent; the session id, the source and the
        account stay. Records, versions, their order and their times stay as well: a version that was held
        before and comes again, with the number, is a duplicate. From now on, each version that is written
        is held to the erasure before anything else is done with it. The store keeps digests of the numbers,
        made with a random key, and not the numbers. Once the call returns, none of the files of the store
        has one of them, those apart that a reader in progress needs; also after a crash.

        To erase a number again does nothing, counts 0 records, and gets a number of its own. Raises
        ErasureLimitError if there are more numbers in all erasures than the store keeps;
        StoreReadOnlyError if the erasure cannot be made durable, DataDamagedError if records cannot be
        read, and CancelledError or DeadlineError if the token ends: nothing is erased and no erasure stays
        then. But if one of these four has `erasure_id` in its metadata, this erasure is in force, and the
        store completes it in the background. After a StoreReadOnlyError without it, a crash before the next
        successful write may yet put the erasure in force. NotFoundError with the reason ERASURE_NOT_FOUND:
        the erasure was lifted before the call ended; it took the numbers out of all that was stored before.
        """

    @abstractmethod
    def count_parties(self, parties: Sequence[str], cancel_token: CancelToken) -> int:
        """Returns how many records `erase` would find. Raises what `partials` raises."""

    @abstractmethod
    def erasures(self) -> Sequence[Erasure]:
        """Returns the erasures that writes are held to, by number."""

    @abstractmethod
    def lift_erasure(self, erasure_id: int, cancel_token: CancelToken) -> None:
        """Ends an erasure durably: later writes keep its numbers. What it erased stays erased.

        One that is not complete is completed first, so that no number of it stays in what the store held
        before. Its number is never used again. Raises NotFoundError with the reason ERASURE_NOT_FOUND, and
        StoreReadOnlyError, DataDamagedError, CancelledError or DeadlineError if it could not be completed or
        ended: the erasure is in force then.
        """

    @abstractmethod
    def masking(self) -> Masking | None:
        """Returns when numbers of parties are masked, None if they are not; a new store masks none."""

    @abstractmethod
    def set_masking(self, masking: Masking | None) -> None:
        """Sets durably when numbers of parties are masked; None: from now on, none are.

        The numbers of records that are set up before the last `after_days` UTC days, today included, are
        masked: soon after in what the store holds, and in late records when they arrive. Of a number, the
        first `keep_digits` digits stay, and each further digit and each letter becomes `*`; of a text without
        digits, each letter does. As in an erasure, records stay, and what comes again is a duplicate. What
        was masked stays masked, also if `keep_digits` grows or masking ends; if it becomes less, it is masked
        again. A store that guards against a wrong clock goes by the time that it trusts. Raises
        StoreReadOnlyError.
        """

    @abstractmethod
    def masking_backlog(self) -> int:
        """Returns how many parts of the store, such as its segments, wait to be masked."""

    def accept_clock(self) -> None:
        """Believes the present time of the clock at once, durably, and drops the days that are too old by it.

        Without it, a store that deletes by age must not follow a clock that jumped by more than
        `clock_deviation_seconds_max` before that has agreed with the monotonic clock for
        `clock_agreement_seconds`. A store that takes no precautions need not define it.
        """
        return

    def refused_clock(self) -> RefusedClock | None:
        """Returns what a clock that jumped holds up, None while the store believes the clock."""
        return None

    @property
    @abstractmethod
    def session_now_us(self) -> int:
        """The present time by which active sessions are abandoned, in microseconds UTC; never waits.

        A session is abandoned if its `received_time` is `active_ttl_seconds` before it, or more. It may be
        behind the clock, so that a clock that jumps forward abandons no session early. A store that takes
        no precautions returns the time of its clock.
        """

    @abstractmethod
    def document(self, name: str) -> Document | None:
        """Returns a settings document, None if there is none of this name.

        Documents have the settings of other parts of the service, which must hold wherever the records are:
        what their bytes mean is known to their users alone. A document that was put is seen by every later
        call, through whichever server it comes.
        """

    @abstractmethod
    def documents(self) -> Mapping[str, int]:
        """Returns the version of each settings document by its name, in the order of the names."""

    @abstractmethod
    def put_document(self, name: str, content: bytes | None, expected_version: int | None) -> int:
        """Stores a settings document durably in place of a version, and returns its new version.

        `expected_version` of None expects that there is none; `content` of None deletes it. Versions grow,
        and no version of a name comes back, also after a deletion. Of two callers that expect the same
        version, one succeeds. Raises DocumentChangedError if the present version is another one,
        DocumentTooLargeError beyond `document_bytes_max` bytes, and StoreReadOnlyError.
        """

    @abstractmethod
    def credentials(self) -> Sequence[CredentialRow]:
        """Returns all credentials, also those that were revoked or have expired, in any order."""

    @abstractmethod
    def put_credentials(self, rows: Sequence[CredentialRow], dropped_ids: Collection[str] = ()) -> None:
        """Stores credentials durably, in place of those with the same ids, and drops others, in one step.

        Ids to drop that no credential has are ignored. After a restart, also after a crash, a credential is
        as the last call that returned has put it. A backup of the store has them as well. Raises
        StoreReadOnlyError.

        A store that several servers write to joins a row with what others have changed of it since this
        server last asked for the credentials: what was revoked or dropped meanwhile stays so.
        """

    @property
    def credentials_version(self) -> int:
        """Grows with each change of a credential, whichever server makes it; never waits.

        A second old at most, while the store can be asked. 0, the default: only this process changes them.
        """
        return 0

    @abstractmethod
    def append_audit(self, entry: AuditEntry) -> int:
        """Adds an audit entry durably, and returns the number that it gets, whatever `entry_id` says.

        Numbers begin with 1, and each is greater than those before it, also after a restart. Of more than
        `audit_entry_count_max` entries, the oldest go. Raises StoreReadOnlyError; the entry may be there
        nevertheless then.
        """

    @abstractmethod
    def set_audit_outcome(self, entry_id: int, outcome: str, request: str | None = None) -> None:
        """Sets the outcome of an audit entry durably; ignores one that is not there any more.

        A `request` replaces that of the entry. Raises StoreReadOnlyError.
        """

    @abstractmethod
    def audit_entries(self, before_id: int | None, limit: int) -> Sequence[AuditEntry]:
        """Returns the newest `limit` audit entries with lower numbers than `before_id`, the newest first.

        `before_id` of None is after all of them.
        """

    @abstractmethod
    def info(self) -> StoreInfo:
        """Returns counts of records and segments, and the range of setup times.

        A store without segments, or without records in memory, has 0 of them.
        """

    def counters(self) -> StoreCounters:
        """Returns what the store has counted since it was opened, for metrics.

        A store that counts nothing returns the counters of none, which is the default. Takes milliseconds at
        most, and waits for no write.
        """
        return StoreCounters()

    def rejections(self) -> Rejections:
        """Returns how many records were rejected in the last days, also before the store was opened.

        Sources beyond `counted_source_count_max` are together under the empty name. What a process has
        counted in its last `rejection_save_seconds` is lost if it is killed, unless this was called: no
        count ever falls below one that was returned, but for days and names that give way to others. A store
        that counts nothing returns none, which is the default. May wait for a disk or other hosts; raises
        StoreUnavailableError.
        """
        return {}

    @property
    @abstractmethod
    def write_fault(self) -> str | None:
        """Why batches cannot be made durable now, None if they can."""

    @abstractmethod
    def close(self) -> None:
        """Releases all resources of the store; batches that were submitted become durable before."""
