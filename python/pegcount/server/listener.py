"""One address of the server: its gRPC server, the connections of its clients, and the calls on them."""

import asyncio
import logging
from collections.abc import Iterable, Sequence

import grpc

from pegcount.config import LiveConfig
from pegcount.server.access import Access
from pegcount.server.calls import CallHandlers
from pegcount.server.connection_guard import ConnectionGuard
from pegcount.server.connections import Connections
from pegcount.server.credential_limits import CredentialLimiter
from pegcount.server.listening import BoundAddress, bind, options
from pegcount.server.minute_log import MinuteLog
from pegcount.server.observed_call import CallObserver
from pegcount.server.sockets import ListeningPort
from pegcount.server.unread_answers import UnreadAnswers
from pegcount.server.unread_calls import UnreadCalls

_LOG = logging.getLogger(__name__)


class Listener:
    """Listens on one address. Used on the event loop only.

    The limits of connections hold for each address by itself, as connections to different addresses may come
    from one port of a client.
    """

    def __init__(
        self,
        live: LiveConfig,
        unread: UnreadCalls,
        access: Access,
        limiter: CredentialLimiter,
        log: MinuteLog,
        observers: Sequence[CallObserver] = (),
    ) -> None:
        config = live.now
        self._live = live
        self.connections = connections = Connections(config)
        self.unread_answers = UnreadAnswers(live)
        self._guard = ConnectionGuard(config, connections, self.unread_answers, log)
        self.calls = CallHandlers(
            connections,
            self._guard,
            unread,
            self.unread_answers,
            access,
            limiter,
            config.request_id_length_max,
            observers,
        )
        """The methods of this address."""
        self._server = grpc.aio.server(options=options(config))
        self._server.add_generic_rpc_handlers((self.calls,))
        self._bound: BoundAddress | None = None

    def register(self, service: str) -> None:
        """Has gRPC hand over the calls of a service apart from all others, which may queue there.

        Called before `start`, once all methods of the service are added to `calls`.
        """
        self._server.add_registered_method_handlers(service, self.calls.of_service(service))

    def register_later(self, service: str, methods: Iterable[str]) -> None:
        """As `register`, for unary methods of a service that are added to `calls` after `start`."""
        handlers = {method: self.calls.added_later(f"/{service}/{method}") for method in methods}
        self._server.add_registered_method_handlers(service, handlers)

    def bind(self, address: str, credentials: grpc.ServerCredentials | None) -> BoundAddress:
        """Binds `HOST:PORT` or `unix:PATH`, for TLS if there are credentials; raises ListenError."""
        self._bound = bind(self._server, address, credentials)
        return self._bound

    async def start(self) -> None:
        """Begins to answer calls."""
        await self._server.start()

    async def run(self, port: ListeningPort) -> None:
        """Watches the connections until cancelled; `port` is that of the bound address."""
        await self._guard.run(port)

    async def wait_for_end(self) -> None:
        """Waits until gRPC has failed or stopped."""
        await self._server.wait_for_termination()

    async def stop(self, port: ListeningPort) -> None:
        """Closes all connections, whose calls have ended, and stops gRPC."""
        # gRPC resets calls that reach a stopping server, which clients take for cancelled. A closed
        # connection makes them UNAVAILABLE.
        port.close()
        seconds = self._live.now.stop_grace_seconds
        try:
            await asyncio.wait_for(self._server.stop(None), seconds)
        except TimeoutError:
            _LOG.error("gRPC did not end all calls within %g s", seconds)
        self.release()

    def release(self) -> None:
        """Removes the Unix socket, if the address is one."""
        if self._bound is not None:
            self._bound.release()
