"""The options of `pegcount key create` about a data scope and limits, as messages and as text."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from pegcount.data_scope import DIMENSIONS, INTEGER_MAX, INTEGER_MIN
from pegcount.errors import PegcountError, quoted
from pegcount.v1 import admin_pb2

_RECORDS: Final = "Which records it reaches (default: all)"
_SEEN: Final = "What reports show of them"
_LIMITS: Final = "How much it may ask for (default: as the server is configured)"
_ID: Final[Mapping[str, Any]] = {"min": INTEGER_MIN, "max": INTEGER_MAX}
_SHOWN_VALUE_COUNT_MAX: Final = 10


class MetricName(StrEnum):
    """The metrics of the contract, as the command line names them."""

    ASR = "asr"
    ACD = "acd"
    PRICE = "price"


def _repeatable(text: str, panel: str, metavar: str | None = None, **more: Any) -> Any:
    return typer.Option(help=f"{text}; repeatable.", rich_help_panel=panel, metavar=metavar, **more)


TenantIds = Annotated[list[int] | None, _repeatable("Id of a tenant", _RECORDS, "ID", **_ID)]
Organizations = Annotated[
    list[str] | None,
    _repeatable("A company, or one of its organizations", _RECORDS, "COMPANY[/ORGANIZATION]"),
]
AccountIds = Annotated[list[str] | None, _repeatable("Account of a customer", _RECORDS, "ID")]
OrigClientsIds = Annotated[list[int] | None, _repeatable("Id of a customer", _RECORDS, "ID", **_ID)]
TermClientsIds = Annotated[list[int] | None, _repeatable("Id of a vendor", _RECORDS, "ID", **_ID)]
Sources = Annotated[
    list[str] | None, _repeatable("Source of the records; writers need one", _RECORDS, "NAME")
]
HiddenMetrics = Annotated[list[MetricName] | None, _repeatable("Figure to hide", _SEEN)]
HiddenFields = Annotated[
    list[str] | None, _repeatable("Field of active sessions, or filter, to hide", _SEEN, "NAME")
]
ShownFields = Annotated[
    list[str] | None, _repeatable("Field or filter to show that the data scope hides", _SEEN, "NAME")
]
CallsPerSecond = Annotated[
    int | None, typer.Option(metavar="COUNT", help="Calls in a second, on average.", rich_help_panel=_LIMITS)
]
CallsInProgress = Annotated[
    int | None, typer.Option(metavar="COUNT", help="Calls at the same time.", rich_help_panel=_LIMITS)
]
WriteStreams = Annotated[
    int | None,
    typer.Option(metavar="COUNT", help="Streams that write at the same time.", rich_help_panel=_LIMITS),
]
WorkMsPerSecond = Annotated[
    int | None,
    typer.Option(
        metavar="MS", help="Milliseconds of processor time of reports, in a second.", rich_help_panel=_LIMITS
    ),
]

_OPTIONS: Final = {
    "hidden_metrics": "--hide",
    "hidden_fields": "--hide-field",
    "shown_fields": "--show-field",
    **{
        field.name: f"--{field.name.replace('_', '-')}"
        for message in (admin_pb2.DataScope, admin_pb2.CredentialLimits)
        for field in message.DESCRIPTOR.fields
        if not field.name.startswith(("hidden_", "shown_"))
    },
}
"""The option of each field."""
_FIELD: Final = re.compile(r"(?:data_scope|limits)\.(\w+)(?:\[\d+\])?(?:\.\w+)?(?=:)")
"""A field at the beginning of a violation."""


class KeyOptionError(PegcountError):
    """An option of `pegcount key` is wrong, or lacks another one."""


@contextmanager
def options_in_errors() -> Iterator[None]:
    """Raises KeyOptionError, which names options, for errors about fields of a request."""
    try:
        yield
    except PegcountError as error:
        text = _FIELD.sub(lambda found: _OPTIONS.get(found[1], found[0]), str(error))
        if text == str(error):
            raise
        raise KeyOptionError(text) from error


def data_scope(
    *,
    organization: Sequence[str] | None,
    hidden_metrics: Sequence[MetricName] | None,
    **lists: Sequence[object] | None,
) -> admin_pb2.DataScope | None:
    """Returns the data scope that options describe, None without any of them.

    Raises KeyOptionError for a text that means several values or none: a scope of one wrong value would
    silently reach nothing, or more than was meant.
    """
    for text in lists.get("account_id") or ():
        if "," in str(text):
            raise KeyOptionError(f"--account-id: {quoted(str(text))} has a comma: repeat the option for each")
    for text in organization or ():
        _require_organization(text)
    companies = [each.partition("/") for each in organization or ()]
    given = {
        **lists,
        "organization": [
            admin_pb2.OrganizationScope(company=company, organization=name if slash else None)
            for company, slash, name in companies
        ],
        "hidden_metrics": [f"METRIC_{name.upper()}" for name in hidden_metrics or ()],
    }
    found: dict[str, Any] = {name: values for name, values in given.items() if values}
    return admin_pb2.DataScope(**found) if found else None


def shares_source(request: admin_pb2.CreateCredentialRequest) -> bool:
    """Returns whether a writer has another dimension beside its source, as if others wrote to it too."""
    listed = {one.name for one in DIMENSIONS if getattr(request.data_scope, one.name)}
    return admin_pb2.SCOPE_WRITE_RECORDS in request.scopes and bool(listed - {"source"})


def _require_organization(text: str) -> None:
    company, slash, name = text.partition("/")
    if not company:
        raise KeyOptionError(f"--organization: {quoted(text)} names no company: write COMPANY/ORGANIZATION")
    if slash and not name:
        raise KeyOptionError(
            f"--organization: {quoted(text)} names no organization after the slash: write"
            " COMPANY/ORGANIZATION, or COMPANY alone for all of it"
        )


def described_data_scope(scope: admin_pb2.DataScope) -> str:
    """Returns a data scope in a few words, for people."""
    organizations = ["/".join(filter(None, (each.company, each.organization))) for each in scope.organization]
    texts: dict[str, Iterable[str]] = {
        **{field.name: map(str, values) for field, values in scope.ListFields()},
        "organization": organizations,
        "hidden_metrics": [
            admin_pb2.Metric.Name(each).removeprefix("METRIC_").lower() for each in scope.hidden_metrics
        ],
    }
    return _joined({name: _few(list(values)) for name, values in texts.items()}, ", ")


def described_limits(limits: admin_pb2.CredentialLimits) -> str:
    """Returns limits in a few words, for people."""
    return _joined({field.name: str(value) for field, value in limits.ListFields()}, ", ")


def _joined(texts: Mapping[str, str], separator: str) -> str:
    return separator.join(f"{name} {text}" for name, text in texts.items() if text)


def _few(values: Sequence[str]) -> str:
    """Returns values in double quotes, as JSON has them, so that a comma in one is seen to be one."""
    shown = ", ".join(json.dumps(value, ensure_ascii=False) for value in values[:_SHOWN_VALUE_COUNT_MAX])
    further = len(values) - _SHOWN_VALUE_COUNT_MAX
    return f"{shown}, … ({further} more)" if further > 0 else shown
