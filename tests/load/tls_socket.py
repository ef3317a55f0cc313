"""TLS over a socket of which one thread reads while another writes, as the sockets of `ssl` do not allow."""

import socket
import ssl
import threading
from pathlib import Path

_CHUNK_BYTES = 2**16


class TlsSession:
    """The TLS of one connection: turns bytes into records and back. The caller sends and receives these."""

    def __init__(self, connection: socket.socket, host: str, authority: Path) -> None:
        """Makes the handshake over a connected, blocking socket; raises ssl.SSLError."""
        context = ssl.create_default_context(cafile=str(authority))
        context.set_alpn_protocols(["h2"])
        self._socket = connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._lock = threading.Lock()
        self._shake_hands()

    def encrypted(self, data: memoryview) -> bytes:
        """Returns the records of bytes to send."""
        with self._lock:
            while data:
                data = data[self._session.write(data) :]
            return self._outgoing.read()

    def receive(self) -> bytes:
        """Waits for bytes; returns none once the connection has ended."""
        while received := self._socket.recv(_CHUNK_BYTES):
            with self._lock:
                self._incoming.write(received)
                data = self._decrypted()
            if data:
                return data
        return b""

    def _decrypted(self) -> bytes:
        parts = []
        try:
            while part := self._session.read(_CHUNK_BYTES):
                parts.append(part)
        except ssl.SSLError:
            pass  # The rest of the record has yet to come, or TLS has ended.
        return b"".join(parts)

    def _shake_hands(self) -> None:
        while True:
            try:
                self._session.do_handshake()
            except ssl.SSLWantReadError:
                self._socket.sendall(self._outgoing.read())
                received = self._socket.recv(_CHUNK_BYTES)
                if not received:
                    raise ConnectionResetError("the server ended the handshake") from None
                self._incoming.write(received)
            else:
                self._socket.sendall(self._outgoing.read())
                return
