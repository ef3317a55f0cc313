"""Checks that the company, organization and folder of a request exist."""

from pegcount import core
from pegcount.errors import NotFoundError, quoted
from pegcount.model import FolderQuery
from pegcount.request.folder import folder_predicates
from pegcount.server.visible_records import VisibleRecords


def check_exists(query: FolderQuery, records: VisibleRecords, cancel_token: core.CancelToken) -> None:
    """Raises NotFoundError for the first of company, organization and folder that no visible record has.

    An organization must exist within its company, a folder within its organization.
    """
    names = {"company": query.company, "organization": query.organization, "folder": query.folder}
    path: dict[str, str] = {}
    for kind, name in names.items():
        if not name:
            continue
        within = folder_predicates(**{"company": "", **path})
        path[kind] = name
        if not records.has_value(kind, name, within, cancel_token):
            read = "" if records.data_scope is None else " that the credential reads"
            message = f"no record{read} carries {kind} {quoted(name)}"
            raise NotFoundError(f"{kind.upper()}_NOT_FOUND", kind, message, **path)
