"""`pegcount delete`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from pegcount import core
from pegcount.cli.connection import Connection, calls_server
from pegcount.cli.exit_status import errors_as_exit_status
from pegcount.cli.local_admin import local_admin
from pegcount.cli.store_option import LocalStore
from pegcount.errors import PegcountError
from pegcount.store import StoreLocation
from pegcount.v1 import admin_pb2


class DeleteOptionError(PegcountError):
    """Options of `pegcount delete` contradict each other, or a file of ids cannot be read."""


@dataclass(frozen=True, slots=True)
class _Admin:
    """The methods of deletions, of a server or of a store."""

    delete: Callable[[admin_pb2.DeleteRecordsRequest], admin_pb2.DeleteRecordsResponse]
    list: Callable[[admin_pb2.ListDeletionsRequest], admin_pb2.ListDeletionsResponse]
    lift: Callable[[admin_pb2.LiftDeletionRequest], admin_pb2.LiftDeletionResponse]


@calls_server(has_timeout=False)
def delete(
    store: LocalStore = None,
    server: Connection | None = None,
    source: Annotated[
        str | None, typer.Option(help='Source of the records; "" is the unnamed feed. Default: any.')
    ] = None,
    from_time: Annotated[
        str | None, typer.Option("--from", help="First setup time: YYYY-MM-DD[THH:mm:ss]. Default: any.")
    ] = None,
    to_time: Annotated[
        str | None, typer.Option("--to", help="End of the setup times, exclusive. Default: any.")
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="IANA zone of times without a UTC offset. Default: UTC.")
    ] = None,
    ids: Annotated[list[str] | None, typer.Option("--id", help="A session id; may be repeated.")] = None,
    ids_file: Annotated[Path | None, typer.Option(help="File with a session id in each line.")] = None,
    delete_all: Annotated[bool, typer.Option("--all", help="Delete all records.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Keep no rule: they may be written again.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count the records, and delete none.")] = False,
    lift: Annotated[
        int | None, typer.Option(min=1, max=2**63 - 1, help="End the rule with this number, and delete none.")
    ] = None,
    list_rules: Annotated[bool, typer.Option("--list", help="List the rules, and delete none.")] = False,
) -> None:
    """Delete the records that satisfy all that is given, from every report and for good.

    A rule stays, unless --once is given: it rejects the same records when they are written again, until
    --lift ends it.
    """
    with errors_as_exit_status():
        request = admin_pb2.DeleteRecordsRequest(
            source=source,
            from_time=from_time,
            to_time=to_time,
            time_zone=time_zone,
            session_ids=[*(ids or []), *_ids_of_file(ids_file)],
        )
        flags = {"all": delete_all, "once": once, "dry_run": dry_run}
        for name in (name for name, is_given in flags.items() if is_given):
            setattr(request, name, True)
        _require_one_purpose(request, lift, list_rules)
        with _admin(store, server) as admin:
            if list_rules:
                _show_rules(admin)
            elif lift is not None:
                admin.lift(admin_pb2.LiftDeletionRequest(rule_id=lift))
                typer.echo(f"rule {lift} is lifted; write the records that it rejected again")
            else:
                _show_outcome(request, admin.delete(request))


def _ids_of_file(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise DeleteOptionError(f"--ids-file: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DeleteOptionError(f"--ids-file: {path} is not UTF-8: {error}") from error
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        # Without an id, the deletion would be one of all sessions.
        raise DeleteOptionError(f"--ids-file: {path} has no session id")
    return ids


def _require_one_purpose(request: admin_pb2.DeleteRecordsRequest, lift: int | None, list_rules: bool) -> None:
    purposes = [bool(request.ListFields()), lift is not None, list_rules]
    if sum(purposes) > 1:
        raise DeleteOptionError("--lift and --list delete nothing, and go with --store or --server only")
    if not any(purposes):
        raise DeleteOptionError("say which records: --source, --from, --to, --id, --ids-file, or --all")


@contextmanager
def _admin(store: StoreLocation | None, server: Connection | None) -> Iterator[_Admin]:
    if server is not None:
        with server.client() as client:
            stub: Any = client.admin
            yield _Admin(stub.DeleteRecords, stub.ListDeletions, stub.LiftDeletion)
    if store is None:
        return
    with local_admin(store) as service:
        no_limit = core.CancelToken(None)
        yield _Admin(
            lambda request: service.DeleteRecords(request, no_limit),
            service.ListDeletions,
            lambda request: service.LiftDeletion(request, no_limit),
        )


def _show_outcome(request: admin_pb2.DeleteRecordsRequest, response: admin_pb2.DeleteRecordsResponse) -> None:
    if request.dry_run:
        typer.echo(f"{response.deleted:,} records would be deleted")
        return
    found = f"{response.deleted:,} records deleted" if response.deleted else "nothing matched; none deleted"
    if not response.HasField("rule_id"):
        typer.echo(found)
        return
    rule_id = response.rule_id
    covered = (
        f"; rule {rule_id} rejects what it covers, new calls too, until `pegcount delete --lift {rule_id}`"
    )
    typer.echo(found + covered)


def _show_rules(admin: _Admin) -> None:
    rules = admin.list(admin_pb2.ListDeletionsRequest()).deletions
    for rule in rules:
        typer.echo(f"rule {rule.rule_id}: {described(rule)}")
    if not rules:
        typer.echo("no rule rejects records")


def described(rule: admin_pb2.Deletion) -> str:
    """Returns in words what a rule covers."""
    parts = [
        f"source {rule.source!r}" if rule.HasField("source") else "",
        f"from {rule.from_time}" if rule.HasField("from_time") else "",
        f"to {rule.to_time}" if rule.HasField("to_time") else "",
        f"{rule.session_id_count:,} session ids" if rule.HasField("session_id_count") else "",
    ]
    covered = ", ".join(part for part in parts if part) or "all records"
    return f"{covered}; made {rule.create_time}, {rule.deleted:,} records deleted"
