"""Checks that the company, organization and folder of a request exist."""

from pegcount import core
from pegcount.errors import NotFoundError, quoted
from pegcount.model import FolderQuery
from pegcount.request.folder import folder_predicates
from pegcount.store import Store


def check_exists(query: FolderQuery, store: Store, cancel_token: core.CancelToken) -> None:
    """Raises NotFoundError for the first of company, organization and folder that no stored record has.

    An organization must exist within its company, a folder within its organization.
    """
    names = {"company": query.company, "organization": query.organization, "folder": query.folder}
    path: dict[str, str] = {}
    for kind, name in names.items():
        if not name:
            continue
        path[kind] = name
        if not store.any_match(folder_predicates(**path), cancel_token):
            message = f"no record carries {kind} {quoted(name)}"
            raise NotFoundError(f"{kind.upper()}_NOT_FOUND", kind, message, **path)
