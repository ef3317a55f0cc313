"""Which programs may use a cluster: those that know its oldest version of the tables that is still written.

It is an entry of the change log, which every server follows and reads again before each commit: a server that
may not go on any more makes no further commit, and answers no report after a second at most.
"""

from typing import Final

from pegcount.core import CancelToken
from pegcount.errors import StoreUnavailableError
from pegcount.store.clickhouse.tables.migrations import FIRST_VERSION, known_version
from pegcount.store.clickhouse.tables.settings_tables import CHANGES, OLDEST_KIND
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard

_RETRY_SECONDS: Final = 1.0
_OLDEST: Final = Query(
    f"SELECT content FROM {CHANGES.name} WHERE kind = {{p0:String}} ORDER BY seq DESC LIMIT 1"
).with_values(OLDEST_KIND)


def oldest_of(content: str | None) -> int:
    """Returns what the content of the entry says; None: there is not one yet."""
    return FIRST_VERSION if content is None else int(content)


def oldest_version(first_shard: Shard, cancel_token: CancelToken) -> int:
    """Asks which version of the tables a program must know; raises as `Shard` does."""
    rows = first_shard.rows(_OLDEST, cancel_token)
    return oldest_of(rows[0][0] if rows else None)


def require_known(oldest: int) -> None:
    """Raises StoreUnavailableError if this program may not use the cluster."""
    if oldest > known_version():
        raise StoreUnavailableError(
            f"the cluster is for servers that know version {oldest} of its tables, and this one knows version"
            f" {known_version()}: upgrade this server",
            _RETRY_SECONDS,
        )
