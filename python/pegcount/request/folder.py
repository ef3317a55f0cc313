"""Converts `QueryFolderStatsRequest` to `FolderQuery`."""

from pegcount.config import Config
from pegcount.model import FolderQuery, OneOf, Predicate, Present, SessionKind
from pegcount.request.validation import Check, RequestValidator, never_ends
from pegcount.v1 import reports_pb2


def folder_query(
    request: reports_pb2.QueryFolderStatsRequest,
    config: Config,
    check: Check = never_ends,
) -> FolderQuery:
    """Returns the query of a request; raises InvalidRequestError with its violations."""
    validator = RequestValidator(config, check)
    zone = validator.zone(request.time_zone if request.HasField("time_zone") else None)
    company = validator.required_text("company", request.company)
    organization = validator.required_text("organization", request.organization)
    folder = validator.text("folder", request.folder)
    from_date = validator.date("from_date", request.from_date) if request.HasField("from_date") else None
    to_date = validator.date("to_date", request.to_date) if request.HasField("to_date") else None
    validator.raise_violations()
    predicates = (
        *folder_predicates(company, organization, folder),
        OneOf("kind", (SessionKind.CALL,)),
        OneOf("is_last_attempt", (1,)),
        Present("end_time", wanted=True),
    )
    return FolderQuery(company, organization, folder, from_date, to_date, zone, predicates)


def folder_predicates(company: str, organization: str = "", folder: str = "") -> tuple[Predicate, ...]:
    """Returns predicates that select the records with these names; an empty name adds no predicate."""
    names = {"company": company, "organization": organization, "folder": folder}
    return tuple(OneOf(column, (name,)) for column, name in names.items() if name)
