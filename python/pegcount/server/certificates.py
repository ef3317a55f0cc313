"""The certificates of TLS while the server runs: read anew when their files change.

    files -> look -> material, which is proved -> gRPC, which asks before each handshake

Connections keep the certificate with which they began.
"""

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc

from pegcount.server.certificate_files import TlsFileError, TlsFiles, TlsMaterial, Validity, load
from pegcount.server.certificate_proof import configuration, prove

_LOG = logging.getLogger(__name__)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_Stamp = tuple[int, ...] | None
"""Changes when a file does; None while there is none."""


class Certificates:
    """The certificates in use. `look` is called on one thread at a time, gRPC asks on threads of its own."""

    def __init__(self, files: TlsFiles, clock: Callable[[], int], warning_days: int) -> None:
        """Reads the files; raises TlsFileError if they cannot be used.

        `clock` returns microseconds UTC. From `warning_days` before a certificate expires, the log says so.
        """
        self._files = files
        self._clock = clock
        self._warning = timedelta(days=warning_days)
        self._warned_on: dict[Path, tuple[datetime, int]] = {}
        self._stamps = self._loaded_stamps = self._present_stamps()
        self._load_fault: str | None = None
        self._material = self._proved()
        self._warn()

    def credentials(self) -> grpc.ServerCredentials:
        """Returns the credentials of one address, which follow the files."""
        given = self._material

        def changed() -> grpc.ServerCertificateConfiguration | None:
            nonlocal given
            current = self._material
            if current is given:
                return None
            given = current
            return configuration(current)

        requires = self._files.client_authorities is not None
        # The stub does not know that None means "as before".
        return grpc.dynamic_ssl_server_credentials(configuration(given), changed, requires)  # type: ignore[arg-type]

    def expire_us(self) -> int:
        """Returns when the first of the certificates in use expires, microseconds UTC; for any thread."""
        end = min(validity.end for validity in self._material.validities)
        return (end - _EPOCH) // timedelta(microseconds=1)

    def look(self) -> str | None:
        """Reads files that have changed; returns what is wrong with them, None if nothing is.

        A file that is still being written, or of a pair of which one is replaced already, is not read: the
        files must have been the same at two looks.
        """
        stamps = self._present_stamps()
        # A fault may end while the files stay the same, such as a lack of memory or of open files.
        if stamps == self._stamps and (stamps != self._loaded_stamps or self._load_fault is not None):
            self._loaded_stamps = stamps
            self._reload()
        self._stamps = stamps
        self._warn()
        return self._load_fault or self._date_fault()

    def _reload(self) -> None:
        try:
            self._material = self._proved()
        except TlsFileError as error:
            if str(error) != self._load_fault:
                _LOG.error("new TLS files are not used, the old ones stay in use: %s", error)
            self._load_fault = str(error)
            return
        self._load_fault = None
        until = _text(self._material.validities[0].end)
        _LOG.info(
            "new connections use the new certificate %s, valid until %s", self._files.certificate, until
        )

    def _proved(self) -> TlsMaterial:
        material = load(self._files)
        prove(material, self._files)
        return material

    def _date_fault(self) -> str | None:
        return next(filter(None, map(self._fault_of, self._material.validities)), None)

    def _fault_of(self, validity: Validity) -> str | None:
        now = self._now()
        if now >= validity.end:
            return f"a certificate of {validity.path} expired at {_text(validity.end)}: replace it"
        if now < validity.begin:
            return f"a certificate of {validity.path} is not valid before {_text(validity.begin)}"
        return None

    def _warn(self) -> None:
        """Logs, once a day for each file, that a certificate expires soon or is not valid."""
        now = self._now()
        for validity in self._material.validities:
            text = self._fault_of(validity)
            if text is None and validity.end - now <= self._warning:
                text = f"a certificate of {validity.path} expires at {_text(validity.end)}: replace it"
            about = (validity.end, (now - _EPOCH).days)
            if text is not None and self._warned_on.get(validity.path) != about:
                self._warned_on[validity.path] = about
                _LOG.warning("%s", text)

    def _now(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self._clock())

    def _present_stamps(self) -> tuple[_Stamp, ...]:
        return tuple(map(_stamp, self._files.all()))


def _stamp(path: Path) -> _Stamp:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_dev, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
