"""The methods of erasures and masking, of a server or of a data directory."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pegcount import core
from pegcount.auth import Credentials
from pegcount.cli.connection import Connection
from pegcount.config import Config
from pegcount.server import now_us
from pegcount.server.admin import AdminService
from pegcount.store import EmbeddedStore, SourceRules
from pegcount.v1 import admin_pb2


@dataclass(frozen=True, slots=True)
class PrivacyMethods:
    """The methods."""

    erase: Callable[[admin_pb2.ErasePartiesRequest], admin_pb2.ErasePartiesResponse]
    list_erasures: Callable[[admin_pb2.ListErasuresRequest], admin_pb2.ListErasuresResponse]
    lift_erasure: Callable[[admin_pb2.LiftErasureRequest], admin_pb2.LiftErasureResponse]
    get_masking: Callable[[admin_pb2.GetMaskingRequest], admin_pb2.GetMaskingResponse]
    set_masking: Callable[[admin_pb2.SetMaskingRequest], admin_pb2.SetMaskingResponse]


@contextmanager
def privacy_methods(data: Path | None, server: Connection | None) -> Iterator[PrivacyMethods]:
    """Yields the methods; raises CallError or StoreOpenError if the server or the directory has none."""
    if server is not None:
        with server.client() as client:
            stub: Any = client.admin
            yield PrivacyMethods(
                stub.EraseParties, stub.ListErasures, stub.LiftErasure, stub.GetMasking, stub.SetMasking
            )
    if data is None:
        return
    config = Config()
    with closing(EmbeddedStore(data, config)) as store:
        service = AdminService(config, store, SourceRules(store), Credentials(config, store, now_us))

        def set_and_mask(request: admin_pb2.SetMaskingRequest) -> admin_pb2.SetMaskingResponse:
            answer = service.SetMasking(request)
            # A server does so in the background; this process is about to end.
            store.maintain()
            return answer

        yield PrivacyMethods(
            lambda request: service.EraseParties(request, core.CancelToken(None)),
            service.ListErasures,
            service.LiftErasure,
            service.GetMasking,
            set_and_mask,
        )
