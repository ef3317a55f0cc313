"""The deletions of a data directory: rules that the catalogue stores and the engine holds new records to."""

import json
import logging
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from pegcount import core
from pegcount.config import Config
from pegcount.errors import StoreReadOnlyError, cause_of
from pegcount.model import Deletion, DeletionOutcome, DeletionRule
from pegcount.store.catalog import Catalog
from pegcount.store.catalog_entries import DeletionRow
from pegcount.store.deletion_errors import deletion_not_found, require_room
from pegcount.store.locks import locked
from pegcount.store.maintenance import Maintenance

_LOG = logging.getLogger(__name__)


class Deletions:
    """Deletes records, and keeps the rules that reject later ones. Thread-safe."""

    def __init__(
        self, catalog: Catalog, engine: core.Engine, config: Config, clock: Callable[[], int]
    ) -> None:
        """Takes up the rules of the catalogue, before the first batch is submitted."""
        self._catalog = catalog
        self._engine = engine
        self._config = config
        self._clock = clock
        self._lock = Lock()
        rows = catalog.deletions()
        self._rules = {row.rule_id: _described(row) for row in rows}
        self._checked = {row.rule_id: _checked(row.rule_id, deletion_of(row)) for row in rows}
        self._use(None)

    def delete(
        self, deletion: Deletion, maintenance: Maintenance, cancel_token: core.CancelToken
    ) -> DeletionOutcome:
        """Deletes records durably; see `Store.delete`."""
        with locked(self._lock, cancel_token):
            rule_id = None if deletion.once else self._catalog.last_deletion + 1
            if rule_id is not None:
                require_room(self._rules.values(), deletion, self._config)
            # While it is at work, the number of its rule may still become that of another one.
            at_work = _checked(None, deletion)
            with maintenance.alone(cancel_token), self._at_work(at_work):
                deleted = self._flush_without(at_work, rule_id, deletion, maintenance, cancel_token)
                if rule_id is not None:
                    self._checked[rule_id] = _checked(rule_id, deletion)
            if rule_id is not None:
                self._rules = {**self._rules, rule_id: self.get(rule_id, with_session_ids=False)}
        by = "once" if rule_id is None else f"by rule {rule_id}"
        _LOG.info("deleted %d records %s", deleted, by)
        return DeletionOutcome(deleted, rule_id)

    def rules(self) -> Sequence[DeletionRule]:
        """Returns the rules without their session ids, by number."""
        # The dictionary is replaced, never changed: nobody has to wait for a deletion.
        return [rule for _, rule in sorted(self._rules.items())]

    def get(self, rule_id: int, *, with_session_ids: bool = True) -> DeletionRule:
        """Returns one rule; see `Store.deletion`."""
        for row in self._catalog.deletions():
            if row.rule_id == rule_id:
                return _described(row, with_session_ids=with_session_ids)
        raise deletion_not_found(rule_id)

    def lift(self, rule_id: int, cancel_token: core.CancelToken) -> None:
        """Ends a rule durably; see `Store.lift_deletion`."""
        with locked(self._lock, cancel_token):
            if rule_id not in self._rules:
                raise deletion_not_found(rule_id)
            self._catalog.remove_deletion(rule_id)
            self._rules = {number: rule for number, rule in self._rules.items() if number != rule_id}
            del self._checked[rule_id]
            self._use(None)
        _LOG.info("rule %d of a deletion was lifted", rule_id)

    def _flush_without(
        self,
        at_work: core.DeletionRule,
        rule_id: int | None,
        deletion: Deletion,
        maintenance: Maintenance,
        cancel_token: core.CancelToken,
    ) -> int:
        try:
            return maintenance.flush_without(
                at_work, lambda count: self._row(rule_id, deletion, count), cancel_token
            )
        except OSError as error:
            raise StoreReadOnlyError(f"nothing was deleted: {cause_of(error)}") from error
        finally:
            self._refuse_batches_unless_in_sync()

    def _refuse_batches_unless_in_sync(self) -> None:
        """Takes no batches while the next start might find a deletion that failed.

        It would find the versions of a batch without the records that they belong to. To open the next
        journal file writes the catalogue anew, which ends the fault.
        """
        if not self._catalog.is_file_in_sync:
            self._engine.set_fault(f"{self._catalog.path.name} may have a deletion that failed")

    def _row(self, rule_id: int | None, deletion: Deletion, deleted: int) -> DeletionRow | None:
        if rule_id is None:
            return None
        session_ids = zlib.compress(json.dumps(deletion.session_ids).encode())
        times, count = (deletion.from_us, deletion.to_us), len(deletion.session_ids)
        return DeletionRow(rule_id, deletion.source, *times, count, session_ids, self._clock(), deleted)

    @contextmanager
    def _at_work(self, checked: core.DeletionRule) -> Iterator[None]:
        """Has the records of a deletion rejected within its block, and later if it is in `_checked` then."""
        self._use(checked)
        try:
            yield
        finally:
            self._use(None)

    def _use(self, at_work: core.DeletionRule | None) -> None:
        self._engine.use_deletions(list(self._checked.values()), at_work)


def _checked(rule_id: int | None, deletion: Deletion) -> core.DeletionRule:
    session_ids = list(deletion.session_ids) or None
    return core.DeletionRule(rule_id, deletion.source, deletion.from_us, deletion.to_us, session_ids)


def deletion_of(row: DeletionRow) -> Deletion:
    """Returns which records a row of the catalogue covers."""
    session_ids = tuple(json.loads(zlib.decompress(row.session_ids)))
    return Deletion(row.source, row.from_us, row.to_us, session_ids)


def _described(row: DeletionRow, *, with_session_ids: bool = False) -> DeletionRule:
    deletion = deletion_of(row)
    return DeletionRule(
        row.rule_id,
        deletion.source,
        deletion.from_us,
        deletion.to_us,
        row.session_id_count or None,
        row.create_us,
        row.deleted,
        deletion.session_ids if with_session_ids else (),
    )
