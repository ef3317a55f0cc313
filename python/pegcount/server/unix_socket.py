"""A Unix socket to which only the user of the server can connect.

gRPC makes its sockets for all users, and removes the socket of another server without a word. So the server
lets gRPC make its socket in a private directory, and moves it from there to its path. Servers that begin or
end at the same time look at the path and change it one after another: each locks its directory meanwhile.
"""

import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from pegcount.errors import PegcountError

SCHEME = "unix:"
_MODE = 0o600
_PATH_BYTES_MAX = 107
"""Bytes of the path of a Unix socket on Linux."""
_CONNECT_SECONDS = 1.0


class ListenError(PegcountError):
    """The server cannot, or shall not, listen on the address."""


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """A bound socket."""

    path: Path
    bound_path: str
    """Where it was bound, which is how the operating system names it for ever."""
    inode: int

    def remove(self) -> None:
        """Removes the socket from its path, unless another server has replaced it."""
        try:
            with _locked(self.path.parent):
                if self.path.stat().st_ino == self.inode:
                    self.path.unlink()
        except FileNotFoundError:
            return


def is_unix(address: str) -> bool:
    """Returns whether an address names a Unix socket."""
    return address.startswith(SCHEME)


def bind_unix(address: str, bind: Callable[[str], int]) -> UnixSocket:
    """Binds a socket with `bind`, which takes an address of gRPC, and moves it to the path of `address`.

    Raises ListenError if a server listens there, or if the path cannot be a socket.
    """
    path = Path(address.removeprefix(SCHEME).removeprefix("//")).absolute()
    try:
        with _locked(path.parent):
            _require_free(path)
            return _bound(path, bind)
    except (OSError, RuntimeError) as error:
        raise ListenError(f"cannot listen on {address}: {getattr(error, 'strerror', error)}") from error


def _bound(path: Path, bind: Callable[[str], int]) -> UnixSocket:
    directory = tempfile.mkdtemp(prefix=".", dir=path.parent)
    try:
        bound_path = f"{directory}/s"
        for each in (str(path), bound_path):
            _require_short(each)
        bind(f"{SCHEME}{quote(bound_path)}")
        os.chmod(bound_path, _MODE)
        inode = os.stat(bound_path).st_ino
        os.rename(bound_path, path)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return UnixSocket(path, bound_path, inode)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Waits for the lock of a directory, which another server has for a second at most."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        # A child process that another thread is starting may have the descriptor too, and with it the lock.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _require_free(path: Path) -> None:
    """Raises ListenError unless there is nothing at the path, or the socket of a server that has ended."""
    if not path.exists():
        return
    if not path.is_socket():
        raise ListenError(f"cannot listen on {path}: a file is there already; choose another path")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(_CONNECT_SECONDS)
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            return
        except OSError as error:
            raise ListenError(f"cannot listen on {path}: {error.strerror or error}") from error
    raise ListenError(f"cannot listen on {path}: another server does")


def _require_short(path: str) -> None:
    length = len(os.fsencode(path))
    if length > _PATH_BYTES_MAX:
        raise ListenError(
            f"cannot listen on {path}: the path of a Unix socket has at most {_PATH_BYTES_MAX} bytes, and"
            f" this one has {length}"
        )
