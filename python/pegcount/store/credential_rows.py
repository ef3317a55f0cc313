"""Credentials in the catalogue of a data directory."""

from collections.abc import Collection, Iterable

from pegcount.model import CredentialRow
from pegcount.store.catalog import Catalog
from pegcount.store.credential_values import credential_of, credential_values


class CredentialRows:
    """The credentials of one store."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def all(self) -> list[CredentialRow]:
        """Returns all credentials; see `Store.credentials`."""
        return [credential_of(*values) for values in self._catalog.credentials()]

    def put(self, rows: Iterable[CredentialRow], dropped_ids: Collection[str]) -> None:
        """Stores credentials durably; see `Store.put_credentials`."""
        self._catalog.put_credentials([credential_values(row) for row in rows], dropped_ids)
