"""Settings documents in the catalogue of a data directory."""

from collections.abc import Mapping
from threading import Lock

from pegcount.errors import DocumentChangedError, DocumentTooLargeError
from pegcount.model import Document
from pegcount.store.catalog import Catalog

_LAST_VERSION = "document_version"
_PREFIX = "document/"
_VERSION_BYTES = 8


class Documents:
    """The settings documents of one store: settings whose value is the version, then the content."""

    def __init__(self, catalog: Catalog, bytes_max: int) -> None:
        self._catalog = catalog
        self._bytes_max = bytes_max
        self._lock = Lock()

    def get(self, name: str) -> Document | None:
        """Returns a document; see `Store.document`."""
        return self._all().get(name)

    def versions(self) -> Mapping[str, int]:
        """Returns the versions by name; see `Store.documents`."""
        return {name: document.version for name, document in self._all().items()}

    def put(self, name: str, content: bytes | None, expected_version: int | None) -> int:
        """Stores a document durably; see `Store.put_document`."""
        if content is not None and len(content) > self._bytes_max:
            raise DocumentTooLargeError(name, len(content), self._bytes_max)
        with self._lock:
            present = self.get(name)
            present_version = None if present is None else present.version
            if present_version != expected_version:
                raise DocumentChangedError(name, expected_version, present_version)
            # One number for all documents, so that none comes back when a document is made anew.
            version = (self._catalog.setting(_LAST_VERSION) or 0) + 1
            value = None if content is None else version.to_bytes(_VERSION_BYTES, "big") + content
            self._catalog.put_settings(**{_PREFIX + name: value, _LAST_VERSION: version})
            return version

    def _all(self) -> Mapping[str, Document]:
        return {
            name.removeprefix(_PREFIX): Document(
                int.from_bytes(value[:_VERSION_BYTES], "big"), value[_VERSION_BYTES:]
            )
            for name, value in self._catalog.blob_settings().items()
            if name.startswith(_PREFIX)
        }
