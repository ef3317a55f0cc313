"""The settings of a dual write: those of the primary count, and the follower gets them before its next batch.

What is copied is compared first, so that to copy again does nothing. Two things cannot be read back from a
store, and are not copied: code decks, which are put into both, and erased numbers, which an archive has.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from pegcount.core import CancelToken
from pegcount.errors import StoreOpenError
from pegcount.model import CredentialRow, Deletion, DeletionRule
from pegcount.store.interface import Store

BYTES_DIFFER: Final = (
    "retention by bytes keeps other days in a directory than in a cluster; retain by days until the move"
    " ends: pegcount retention --days N"
)


class FollowerSettings:
    """Copies what the primary has to the follower. Not thread-safe."""

    def __init__(self, primary: Store, follower: Store) -> None:
        self._primary = primary
        self._follower = follower
        self._copied_documents: tuple[Mapping[str, int], Mapping[str, int]] | None = None
        """Their versions in both stores when they were the same last."""
        self._deletions: dict[tuple[str, int], Deletion] = {}
        """What rules say, by store and number; it never changes."""

    def require_followable(self) -> None:
        """Raises StoreOpenError, with the next step, if the two stores cannot be kept the same."""
        if self._primary.retention().bytes is not None:
            raise StoreOpenError(f"the directory has {BYTES_DIFFER}, with this server on --store DIR alone")
        stores = (self._primary, self._follower)
        here, there = ({one.fingerprint: one.erasure_id for one in each.erasures()} for each in stores)
        if here.keys() - there.keys():
            numbers = sorted(here[each] for each in here.keys() - there.keys())
            raise StoreOpenError(
                f"the follower lacks erasures {numbers} of the directory: import an archive of the directory"
                " first, which carries them"
            )
        if there.keys() - here.keys():
            numbers = sorted(there[each] for each in there.keys() - here.keys())
            raise StoreOpenError(
                f"the follower has erasures {numbers}, which the directory lacks: end them there by `pegcount"
                " erase --lift NUMBER --store URL`, or take an empty follower"
            )
        rules = self._rules(self._follower)
        # Once they end, what they deleted may come back: that is for the operator to decide.
        if others := rules.keys() - self._rules(self._primary).keys():
            numbers = sorted(rules[each] for each in others)
            raise StoreOpenError(
                f"the follower has deletion rules {numbers}, which the directory lacks: end them there by"
                " `pegcount delete --lift NUMBER --store URL`, or take an empty follower"
            )

    def lost_by_follower(self) -> list[str]:
        """Returns what `copy` takes from the follower, as the primary lacks it."""
        ids = {row.id for row in self._primary.credentials()}
        rows = [row for row in self._follower.credentials() if row.id not in ids]
        names = self._follower.documents().keys() - self._primary.documents().keys()
        return [
            *(f"credential {row.id} '{row.name}'" for row in rows),
            *(f"document {name}" for name in sorted(names)),
        ]

    def missing_decks(self) -> list[int]:
        """Returns the code decks that the follower lacks, or has with another number of entries."""
        there = self._follower.code_decks()
        here = self._primary.code_decks()
        return sorted(deck for deck, count in here.items() if there.get(deck) != count)

    def copy(self) -> None:
        """Copies all but the deletions. Raises what the follower raises."""
        if self._follower.retention() != (retention := self._primary.retention()):
            self._follower.set_retention(retention)
        if self._follower.masking() != (masking := self._primary.masking()):
            self._follower.set_masking(masking)
        self._copy_documents()
        self._copy_credentials()

    def have_other_deletions(self) -> bool:
        """Returns whether the rules of deletions differ."""
        return bool({*self._rules(self._primary)} ^ {*self._rules(self._follower)})

    def copy_deletions(self, cancel_token: CancelToken) -> None:
        """Makes the deletions of the primary those of the follower; no batch may be on its way.

        The follower may have many records to look at: one that is given up begins anew the next time.
        """
        here, there = self._rules(self._primary), self._rules(self._follower)
        for deletion in here:
            if deletion not in there:
                self._follower.delete(deletion, cancel_token)
        for deletion, rule_id in there.items():
            if deletion not in here:
                self._follower.lift_deletion(rule_id, cancel_token)

    def _rules(self, store: Store) -> dict[Deletion, int]:
        """Returns what is deleted, each with the number of a rule; numbers differ between the stores."""
        return {self._deletion(store, rule): rule.rule_id for rule in store.deletions()}

    def _deletion(self, store: Store, rule: DeletionRule) -> Deletion:
        key = ("primary" if store is self._primary else "follower", rule.rule_id)
        if key not in self._deletions:
            full = store.deletion(rule.rule_id) if rule.session_id_count else rule
            self._deletions[key] = full.covered
        return self._deletions[key]

    def _copy_documents(self) -> None:
        versions = self._primary.documents(), self._follower.documents()
        if versions == self._copied_documents:
            return
        for name in {*versions[0], *versions[1]}:
            here, there = self._primary.document(name), self._follower.document(name)
            content = None if here is None else here.content
            if content != (None if there is None else there.content):
                self._follower.put_document(name, content, None if there is None else there.version)
        self._copied_documents = versions[0], self._follower.documents()

    def _copy_credentials(self) -> None:
        here = {row.id: row for row in self._primary.credentials()}
        there = {row.id: row for row in self._follower.credentials()}
        changed = list(_changed(here, there))
        dropped = there.keys() - here.keys()
        if changed or dropped:
            self._follower.put_credentials(changed, dropped)


def _changed(
    here: Mapping[str, CredentialRow], there: Mapping[str, CredentialRow]
) -> Iterator[CredentialRow]:
    return (row for key, row in here.items() if row != there.get(key))
