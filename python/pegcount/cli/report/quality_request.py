"""The request of `pegcount report quality`, from its options."""

from collections.abc import Mapping
from typing import Any

import typer

from pegcount.cli.option_sources import chosen
from pegcount.cli.report import names
from pegcount.cli.report.option_error import ReportOptionError
from pegcount.v1.reports_pb2 import DecimalFilter, IntegerFilter, QueryOriginationQualityRequest, TextFilter

_IDS = ("account_id", "src_country_id", "dst_country_id")
_TEXT_COMPARISONS = {
    "is": "eq",
    "starts_with": "starts_with",
    "ends_with": "ends_with",
    "contains": "contains",
    "absent": "absent",
}


def quality_request(context: typer.Context, start: str, end: str | None) -> QueryOriginationQualityRequest:
    """Returns the request of the options, for a range; raises ReportOptionError."""
    options = context.params
    absent = [names.known_name("--absent", name, _IDS) for name in options["absent"] or ()]
    accounts, is_all = _accounts(context, "account_id" in absent)
    request = QueryOriginationQualityRequest(
        account_id=accounts[0] if len(accounts) == 1 else "",
        account_ids=accounts if len(accounts) > 1 else (),
        from_time=start,
        to_time=end,
        sampling=names.granularity("--sampling", options["sampling"]),
        time_zone=options["time_zone"],
        src_country_id=options["src_country_id"],
        dst_country_id=options["dst_country_id"],
        src_prefix_routing=_text_filter("src_prefix", options),
        dst_prefix_routing=_text_filter("dst_prefix", options),
        duration=_duration_filter(options),
        auth_orig_ip=options["auth_orig_ip"],
        customer_price=_price_filter(options),
        absent=absent,
    )
    if is_all:
        request.all_accounts = True
    return request


def _accounts(context: typer.Context, may_lack_one: bool) -> tuple[list[str], bool]:
    """Returns the accounts, and whether all are meant."""
    choice = chosen(context, {"account": "--account", "all_accounts": "--all-accounts"})
    if choice is None and not may_lack_one:
        raise ReportOptionError(
            "report quality needs --account ACCOUNT (repeatable), --all-accounts or --absent account_id"
        )
    return (context.params["account"] if choice == "account" else []), choice == "all_accounts"


def _text_filter(name: str, options: Mapping[str, Any]) -> TextFilter | None:
    found = {
        field: options[f"{name}_{suffix}"]
        for suffix, field in _TEXT_COMPARISONS.items()
        if options[f"{name}_{suffix}"] not in (None, False)
    }
    return TextFilter(**found) if found else None


def _duration_filter(options: Mapping[str, Any]) -> IntegerFilter | None:
    found = _comparisons("duration", options)
    return IntegerFilter(**found) if found else None


def _price_filter(options: Mapping[str, Any]) -> DecimalFilter | None:
    found = _comparisons("price", options)
    return DecimalFilter(**found) if found else None


def _comparisons(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        comparison: options[f"{name}_{comparison}"]
        for comparison in ("eq", "gt", "lt")
        if options[f"{name}_{comparison}"] is not None
    }
