"""The methods of erasures and masking, of a server or of a store that this process opens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer

from pegcount import core
from pegcount.cli.connection import Connection
from pegcount.cli.local_admin import local_admin
from pegcount.errors import PegcountError
from pegcount.store import EmbeddedStore, Store, StoreLocation
from pegcount.v1 import admin_pb2


@dataclass(frozen=True, slots=True)
class PrivacyMethods:
    """The methods."""

    erase: Callable[[admin_pb2.ErasePartiesRequest], admin_pb2.ErasePartiesResponse]
    list_erasures: Callable[[admin_pb2.ListErasuresRequest], admin_pb2.ListErasuresResponse]
    lift_erasure: Callable[[admin_pb2.LiftErasureRequest], admin_pb2.LiftErasureResponse]
    get_masking: Callable[[admin_pb2.GetMaskingRequest], admin_pb2.GetMaskingResponse]
    set_masking: Callable[[admin_pb2.SetMaskingRequest], admin_pb2.SetMaskingResponse]
    count_records: Callable[[admin_pb2.DeleteRecordsRequest], admin_pb2.DeleteRecordsResponse]
    """Only for requests with `dry_run`."""
    store_info: Callable[[admin_pb2.GetStoreInfoRequest], admin_pb2.GetStoreInfoResponse]


def _complete_erasures(store: Store) -> None:
    """Goes on with erasures that were cut short, as a server would; nothing else does for a directory."""
    if not isinstance(store, EmbeddedStore) or all(erasure.is_complete for erasure in store.erasures()):
        return
    try:
        store.maintain()
    except (PegcountError, OSError) as error:
        typer.echo(f"pegcount: an earlier erasure is not complete yet: {error}", err=True)


@contextmanager
def privacy_methods(store: StoreLocation | None, server: Connection | None) -> Iterator[PrivacyMethods]:
    """Yields the methods; raises CallError or StoreOpenError if the server or the store has none."""
    if server is not None:
        with server.client() as client:
            stub: Any = client.admin
            yield PrivacyMethods(
                stub.EraseParties,
                stub.ListErasures,
                stub.LiftErasure,
                stub.GetMasking,
                stub.SetMasking,
                stub.DeleteRecords,
                stub.GetStoreInfo,
            )
    if store is None:
        return
    with local_admin(store) as admin:
        _complete_erasures(admin.store)

        def set_and_mask(request: admin_pb2.SetMaskingRequest) -> admin_pb2.SetMaskingResponse:
            answer: admin_pb2.SetMaskingResponse = admin.SetMasking(request)
            # A server does so in the background; this process, which owns the directory, is about to end.
            if isinstance(admin.store, EmbeddedStore):
                admin.store.maintain()
            return answer

        yield PrivacyMethods(
            lambda request: admin.EraseParties(request, core.CancelToken(None)),
            admin.ListErasures,
            lambda request: admin.LiftErasure(request, core.CancelToken(None)),
            admin.GetMasking,
            set_and_mask,
            lambda request: admin.DeleteRecords(request, core.CancelToken(None)),
            admin.GetStoreInfo,
        )
