"""A tunnel into TLS: what a plain-text peer sends to it reaches a server over TLS, and back."""

import asyncio
import ssl
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from types import TracebackType

_CHUNK_BYTES = 2**16
_SHUTDOWN_SECONDS = 0.1


class TlsTunnel:
    """Listens on a loopback port; each connection gets one of TLS.

    Peers close their connections before the end of the `with` block.
    """

    def __init__(self, address: str, authority: bytes) -> None:
        """`address` is the `HOST:PORT` of the server; `authority` is the PEM that signed its certificate."""
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._context = ssl.create_default_context(cadata=authority.decode())
        self._context.set_alpn_protocols(["h2"])
        self._connections: set[asyncio.Task[object]] = set()
        started: Future[tuple[str, Callable[[], object]]] = Future()
        self._thread = Thread(target=lambda: asyncio.run(self._serve(started)), daemon=True)
        self._thread.start()
        self.address, self._stop = started.result()
        """Where plain-text peers connect to."""

    def __enter__(self) -> "TlsTunnel":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._thread.join()

    async def _serve(self, started: "Future[tuple[str, Callable[[], object]]]") -> None:
        stopping, loop = asyncio.Event(), asyncio.get_running_loop()
        async with await asyncio.start_server(self._connect, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            started.set_result((f"{host}:{port}", lambda: loop.call_soon_threadsafe(stopping.set)))
            await stopping.wait()
            while self._connections:
                await asyncio.wait(self._connections)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        far_reader, far_writer = await asyncio.open_connection(
            # gRPC does not answer the end of TLS before that of the connection.
            self._host,
            self._port,
            ssl=self._context,
            ssl_shutdown_timeout=_SHUTDOWN_SECONDS,
        )
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Passes on bytes until either side has closed, and then closes the other one."""
    try:
        with suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
