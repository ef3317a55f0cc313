"""Whether the company, organization and folder that a request names exist."""

from pegcount import core
from pegcount.errors import NotFoundError
from pegcount.model import FolderQuery
from pegcount.request.folder import folder_predicates
from pegcount.store import Store


def check_exists(query: FolderQuery, store: Store, cancel_token: core.CancelToken) -> None:
    """Raises NotFoundError for the first of the three that no record held carries.

    An organization counts only within its company, a folder only within its organization.
    """
    names = {"company": query.company, "organization": query.organization, "folder": query.folder}
    asked: dict[str, str] = {}
    for kind, name in names.items():
        if not name:
            continue
        asked[kind] = name
        if not store.any_match(folder_predicates(**asked), cancel_token):
            message = f"no record carries {kind} {name!r}"
            raise NotFoundError(f"{kind.upper()}_NOT_FOUND", kind, message, **asked)
