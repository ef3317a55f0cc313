"""`pegcount key`: credentials, made on a store or through a server that serves it.

Only the key itself goes to standard output, so that a script can keep it; advice goes to standard error.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Protocol

import typer

from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.key_options import (
    AccountIds,
    CallsInProgress,
    CallsPerSecond,
    HiddenFields,
    HiddenMetrics,
    KeyOptionError,
    Organizations,
    OrigClientsIds,
    ShownFields,
    Sources,
    TenantIds,
    TermClientsIds,
    WorkMsPerSecond,
    WriteStreams,
    data_scope,
    described_data_scope,
    described_limits,
    options_in_errors,
    shares_source,
)
from pegcount.cli.local_admin import local_admin
from pegcount.cli.store_option import LocalStore
from pegcount.errors import PegcountError
from pegcount.store import StoreLocation
from pegcount.v1 import admin_pb2

key_app = typer.Typer(no_args_is_help=True, help="Make, list, rotate and revoke the keys of callers.")

Id = Annotated[str, typer.Argument(help="Id of the credential, as `pegcount key list` shows it.")]


_FIRST_OF_DIRECTORY = (
    "from its next start on, the server of this directory asks every caller for a credential"
)
_FIRST_OF_CLUSTER = "within a second, all servers of this cluster ask every caller for a credential"


class KeyNotShownError(PegcountError):
    """A key was made, but it cannot be written to standard output."""


class ScopeName(StrEnum):
    """The scopes of the contract, as the command line names them."""

    READ_REPORTS = "read_reports"
    WRITE_RECORDS = "write_records"
    ADMIN = "admin"
    ROOT = "root"


class _Admin(Protocol):
    """The methods of credentials, of a server or of a store."""

    def CreateCredential(
        self, request: admin_pb2.CreateCredentialRequest, /
    ) -> admin_pb2.CreateCredentialResponse: ...

    def RotateCredential(
        self, request: admin_pb2.RotateCredentialRequest, /
    ) -> admin_pb2.RotateCredentialResponse: ...

    def RevokeCredential(
        self, request: admin_pb2.RevokeCredentialRequest, /
    ) -> admin_pb2.RevokeCredentialResponse: ...

    def ListCredentials(
        self, request: admin_pb2.ListCredentialsRequest, /
    ) -> admin_pb2.ListCredentialsResponse: ...


@key_app.command("create")
@calls_server()
def create_key(
    name: Annotated[str, typer.Option(help="Name for people, such as that of the program.")],
    scope: Annotated[list[ScopeName], typer.Option(help="What it allows; may be repeated.")],
    lifetime: Annotated[
        int | None, typer.Option(min=1, metavar="SECONDS", help="Seconds until it expires. Default: never.")
    ] = None,
    certificate_name: Annotated[
        list[str] | None,
        typer.Option(help="Subject alternative name of client certificates that stand for it; repeatable."),
    ] = None,
    tenant_id: TenantIds = None,
    organization: Organizations = None,
    account_id: AccountIds = None,
    orig_clients_id: OrigClientsIds = None,
    term_clients_id: TermClientsIds = None,
    source: Sources = None,
    hide: HiddenMetrics = None,
    hide_field: HiddenFields = None,
    show_field: ShownFields = None,
    calls_per_second: CallsPerSecond = None,
    calls_in_progress: CallsInProgress = None,
    write_streams: WriteStreams = None,
    work_ms_per_second: WorkMsPerSecond = None,
    store: LocalStore = None,
    server: Connection | None = None,
    create: Annotated[
        bool, typer.Option("--create", help="Make the data directory if it is missing or empty.")
    ] = False,
) -> None:
    """Make a credential and print its key, which is shown this once."""
    with errors_as_exit_status():
        request = admin_pb2.CreateCredentialRequest(
            name=name,
            scopes=[f"SCOPE_{one.upper()}" for one in dict.fromkeys(scope)],
            lifetime_seconds=lifetime,
            certificate_names=certificate_name,
            data_scope=data_scope(
                tenant_id=tenant_id,
                organization=organization,
                account_id=account_id,
                orig_clients_id=orig_clients_id,
                term_clients_id=term_clients_id,
                source=source,
                hidden_metrics=hide,
                hidden_fields=hide_field,
                shown_fields=show_field,
            ),
            limits=admin_pb2.CredentialLimits(
                calls_per_second=calls_per_second,
                calls_in_progress=calls_in_progress,
                write_streams=write_streams,
                work_ms_per_second=work_ms_per_second,
            ),
        )
        if not request.limits.ListFields():
            request.ClearField("limits")
    with errors_as_exit_status(), options_in_errors(), _admin(store, server, create=create) as admin:
        is_first = (
            store is not None and not admin.ListCredentials(admin_pb2.ListCredentialsRequest()).credentials
        )
        made = admin.CreateCredential(request)
        _show(made.secret, made.id)
        _tell(f"credential {made.id} is made; nothing shows its key again. Callers send it as metadata:")
        _tell("  x-api-key: KEY      (grpcurl -H 'x-api-key: KEY' …; PEGCOUNT_API_KEY of these commands)")
        _tell_bounds(request)
        if is_first:
            _tell(_FIRST_OF_CLUSTER if store and store.cluster is not None else _FIRST_OF_DIRECTORY)


def _tell_bounds(request: admin_pb2.CreateCredentialRequest) -> None:
    """Tells what a new credential reaches, and how much it may ask for."""
    if request.HasField("data_scope"):
        _tell(f"its data scope is {described_data_scope(request.data_scope)}")
    if shares_source(request):
        _tell("note: if others write to a source of this credential, its answers tell which session ids")
        _tell("  they have; give each writer a source of its own")
    if request.HasField("limits"):
        _tell(f"its limits are {described_limits(request.limits)}")


@key_app.command("list")
@calls_server()
def list_keys(store: LocalStore = None, server: Connection | None = None) -> None:
    """List the credentials, also those that have ended, with the beginnings of their keys."""
    with errors_as_exit_status(), _admin(store, server) as admin:
        credentials = admin.ListCredentials(admin_pb2.ListCredentialsRequest()).credentials
        for credential in credentials:
            typer.echo(described(credential))
        if not credentials:
            typer.echo("there are no credentials")


@key_app.command("rotate")
@calls_server()
def rotate_key(
    credential_id: Id,
    overlap: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="SECONDS", help="Seconds for which the present key stays valid. Default: a day."
        ),
    ] = None,
    store: LocalStore = None,
    server: Connection | None = None,
) -> None:
    """Make a second key for a credential and print it, which is shown this once."""
    request = admin_pb2.RotateCredentialRequest(id=credential_id, overlap_seconds=overlap)
    with errors_as_exit_status(), _admin(store, server) as admin:
        rotated = admin.RotateCredential(request)
        _show(rotated.secret, credential_id)
        _tell(f"the key before it is accepted until {rotated.previous_expire_time}")


@key_app.command("revoke")
@calls_server()
def revoke_key(
    credential_id: Id,
    store: LocalStore = None,
    server: Connection | None = None,
) -> None:
    """Revoke a credential at once, with all its keys and client certificates."""
    with errors_as_exit_status(), _admin(store, server) as admin:
        admin.RevokeCredential(admin_pb2.RevokeCredentialRequest(id=credential_id))
        typer.echo(f"credential {credential_id} is revoked")


def described(credential: admin_pb2.Credential) -> str:
    """Returns a line about a credential, for people."""
    scopes = ", ".join(admin_pb2.Scope.Name(one).removeprefix("SCOPE_").lower() for one in credential.scopes)
    keys = ", ".join(
        f"{key.prefix}… until {key.expire_time}" if key.expire_time else f"{key.prefix}…"
        for key in credential.keys
    )
    parts = [
        f"scopes {scopes}",
        f"keys {keys}",
        _listed("certificate names", credential.certificate_names),
        f"data scope {found}" if (found := described_data_scope(credential.data_scope)) else "",
        f"limits {found}" if (found := described_limits(credential.limits)) else "",
        f"made {credential.create_time}",
        f"expires {credential.expire_time}" if credential.HasField("expire_time") else "",
        f"revoked {credential.revoke_time}" if credential.HasField("revoke_time") else "",
        f"last used {credential.last_use_time}" if credential.HasField("last_use_time") else "never used",
    ]
    return f"{credential.id} {credential.name!r}: {'; '.join(part for part in parts if part)}"


def _listed(what: str, names: Sequence[str]) -> str:
    return f"{what} {', '.join(names)}" if names else ""


def _show(secret: str, credential_id: str) -> None:
    """Prints a key; raises KeyNotShownError if that fails, as the key counts already."""
    try:
        typer.echo(secret)
    except OSError as error:
        raise KeyNotShownError(
            f"the new key of credential {credential_id} cannot be shown ({error.strerror}), and nothing shows"
            f" it again: make another credential, and run `pegcount key revoke {credential_id}`"
        ) from error


def _tell(text: str) -> None:
    typer.echo(text, err=True)


@contextmanager
def _admin(
    store: StoreLocation | None, server: Connection | None, *, create: bool = False
) -> Iterator[_Admin]:
    if create and (store is None or store.directory is None):
        raise KeyOptionError(
            "--create makes a data directory: give it with --store DIR (`pegcount clickhouse init` makes the"
            " tables of a cluster)"
        )
    if server is not None:
        with server.client() as client:
            yield client.admin
    if store is not None:
        with local_admin(store, create=create) as admin:
            yield admin
