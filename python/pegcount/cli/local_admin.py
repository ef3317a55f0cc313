"""`AdminService` of a store that this process opens, whose audit log has what changes something."""

import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from pegcount.auth import Credentials
from pegcount.config import Config
from pegcount.server import now_us
from pegcount.server.admin import AdminService
from pegcount.server.audit import AuditLog, Author
from pegcount.store import SourceRules, Store, StoreLocation, opened


class LocalAdmin:
    """Has the methods of `AdminService`; each notes itself by its name, with the user of the process."""

    def __init__(self, store: Store, service: AdminService, audit: AuditLog) -> None:
        self.store = store
        self._service = service
        self._audit = audit
        self._author = Author(caller_name=user_name())

    def __getattr__(self, method: str) -> Callable[..., Any]:
        act = getattr(self._service, method)

        def noted(request: Any, *more: object) -> Any:
            return self._audit.carry_out(method, self._author, lambda: request, lambda read: act(read, *more))

        return noted


@contextmanager
def local_admin(location: StoreLocation, *, create: bool = False) -> Iterator[Any]:
    """Opens a store and yields its `LocalAdmin`; raises StoreOpenError.

    `create` makes a directory that is missing or empty. A directory must have no other owner; a
    cluster may be in use by any number of servers.
    """
    config = Config()
    with closing(opened(location, config, create=create)) as store:
        service = AdminService(config, store, SourceRules(store), Credentials(config, store, now_us))
        yield LocalAdmin(store, service, AuditLog(config, store, now_us))


def user_name() -> str:
    """Returns the name of the user of the operating system, which no variable can change."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
