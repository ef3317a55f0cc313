"""Which rule makes the calls of a source, so that two rules never count the same calls twice.

The rule of a source is a settings document. It is put before the first records come, and stays while there
are some: an import that brought none, such as one of which all rows were rejected, binds nobody.
"""

from threading import Lock

from pegcount.core import CancelToken, RecordScope
from pegcount.errors import DocumentChangedError, SourceRuleError
from pegcount.model import Deletion, DeletionOutcome, OneOf, Predicate, Present, WriteOutcome
from pegcount.store.bound_sources import BoundSources
from pegcount.store.interface import Store
from pegcount.store.locks import locked
from pegcount.store.pending_write import PendingWrite

RULE_OF_OLDER_VERSIONS = "asterisk rows"
"""Versions that kept no rules imported each row of Asterisk as a call."""

_DOCUMENT_PREFIX = "source_rule/"
# Each attempt but the last follows one in which another importer was faster.
_ATTEMPT_COUNT_MAX = 8
_BOUND_COUNT_MAX = 1_000
"""Sources that are remembered to have records; of more, some are looked at again."""


class SourceRules:
    """The rules of the sources of a store, for all who write into it from this process. Thread-safe.

    A rule may be replaced while its source has no records, so none of its batches may be on the way then:
    submitted, or about to be, but not yet seen by a search for records. Therefore

    1. whoever writes into a source that is not known to have records does so under a lock, from looking at
       the rule until the batch is visible or has failed; its wait ends by no token, which could leave the
       batch on its way. So between any two holders of the lock, nothing is;
    2. once one of those batches brought a record, the source is *bound*: its batches go without the lock, and
       this process replaces its rule no more, even if retention drops all its records;
    3. a deletion releases all sources, as it may leave one without records. It holds the lock, and makes the
       batches visible that were submitted before it.

    Servers that share a store do not share the lock: of two that take the first batches of a source by
    different rules in the same moment, both may succeed.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self._bound = BoundSources(_BOUND_COUNT_MAX)

    def submit(
        self,
        batch: bytes,
        source: str,
        rule: str,
        cancel_token: CancelToken,
        writer: RecordScope | None = None,
    ) -> PendingWrite:
        """Submits a batch of one source whose calls are made by this rule; the first one waits until durable.

        Raises SourceRuleError if another rule makes those of the source; nothing of the batch is stored then.
        See `require_source_rule`, `Store.submit` and `PendingWrite.wait` for more.
        """
        pending = self._submit_bound(batch, source, rule, cancel_token, writer)
        if pending is not None:
            return pending
        with locked(self._lock, cancel_token):
            pending = self._submit_bound(batch, source, rule, cancel_token, writer)
            return pending or self._submit_first(batch, source, rule, cancel_token, writer)

    def delete(self, deletion: Deletion, cancel_token: CancelToken) -> DeletionOutcome:
        """Deletes records; sources that have none afterwards may take another rule. See `Store.delete`."""
        with locked(self._lock, cancel_token):
            released = self._bound.release_all()
            try:
                return self._store.delete(deletion, cancel_token)
            except BaseException:
                # Batches of before may still be on their way.
                for source, rule in released.items():
                    self._bound.bind(source, rule)
                raise

    def _submit_bound(
        self, batch: bytes, source: str, rule: str, cancel_token: CancelToken, writer: RecordScope | None
    ) -> PendingWrite | None:
        with self._bound.entered(source, rule) as is_bound:
            return self._store.submit(batch, cancel_token, writer) if is_bound else None

    def _submit_first(
        self, batch: bytes, source: str, rule: str, cancel_token: CancelToken, writer: RecordScope | None
    ) -> PendingWrite:
        put_version = require_source_rule(self._store, source, rule, cancel_token)
        pending = self._store.submit(batch, CancelToken(None), writer)
        if not _has_record(pending.wait()):
            # Else sources that never have a record would each leave a rule.
            if put_version is not None:
                self._store.put_document(_DOCUMENT_PREFIX + source, None, put_version)
        else:
            self._bound.bind(source, rule)
        return pending


def is_source_rule(document_name: str) -> bool:
    """Whether the settings document of a name is the rule of a source."""
    return document_name.startswith(_DOCUMENT_PREFIX)


def require_source_rule(store: Store, source: str, rule: str, cancel_token: CancelToken) -> int | None:
    """Returns if the calls of a source are made by this rule; a source without records gets it.

    Returns the version of the document if it was put, else None.

    Nobody else may be writing into the source: see `SourceRules`. Raises SourceRuleError if its records were
    made by another rule, or by one that is not known; StoreReadOnlyError if the rule cannot be kept;
    CancelledError, DeadlineError or DataDamagedError as `Store.any_match` does.
    """
    for attempt in range(_ATTEMPT_COUNT_MAX):
        kept = store.document(_DOCUMENT_PREFIX + source)
        kept_rule = "" if kept is None else kept.content.decode()
        if kept_rule == rule:
            return None
        is_unruled = kept is None and rule == RULE_OF_OLDER_VERSIONS
        if not is_unruled and store.any_match([_is_of(source)], cancel_token):
            raise SourceRuleError(source, rule, kept_rule)
        try:
            kept_version = None if kept is None else kept.version
            return store.put_document(_DOCUMENT_PREFIX + source, rule.encode(), kept_version)
        except DocumentChangedError:
            if attempt == _ATTEMPT_COUNT_MAX - 1:
                raise
    return None


def _has_record(outcome: WriteOutcome) -> bool:
    return outcome.accepted + outcome.replaced + outcome.duplicates > 0


def _is_of(source: str) -> Predicate:
    return OneOf("source", (source,)) if source else Present("source", wanted=False)
