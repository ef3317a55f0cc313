"""Where a store is: in a data directory of this host, or in a ClickHouse cluster. Opens either."""

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pegcount.config import Config, LiveConfig
from pegcount.errors import StoreAddressError, StoreOpenError
from pegcount.store.clickhouse.store import ClickHouseStore
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.dual import DualWriteStore
from pegcount.store.embedded import EmbeddedStore
from pegcount.store.interface import Store

PASSWORD_VARIABLE: Final = "PEGCOUNT_STORE_PASSWORD"
"""The environment variable with the password of a cluster, for a URL that names no file with it."""
_TWO_STORES: Final = re.compile(r"\S\s+clickhouses?://")
INIT: Final = "pegcount clickhouse init"


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """The place of a store: one of both is set."""

    directory: Path | None = None
    """A data directory."""
    cluster: ClusterAddress | None = None
    """A cluster of ClickHouse servers."""

    @classmethod
    def parse(cls, text: str | Path, variables: Mapping[str, str] = os.environ) -> "StoreLocation":
        """Returns what `--store` means: a URL is a cluster, any other text a directory.

        Raises StoreAddressError, which names all that is wrong with a URL.
        """
        if isinstance(text, str) and _TWO_STORES.search(text):
            raise StoreAddressError("two stores are named; only `pegcount serve` takes two")
        if isinstance(text, Path) or not ClusterAddress.is_url(text):
            return cls(directory=Path(text))
        return cls(cluster=ClusterAddress.parse(text, variables.get(PASSWORD_VARIABLE)))

    def __str__(self) -> str:
        return str(self.directory if self.cluster is None else self.cluster)


def opened(
    location: StoreLocation,
    config: Config | LiveConfig,
    *,
    create: bool = False,
    accepted_losses: Sequence[str] = (),
) -> Store:
    """Opens a store; whoever opens it closes it.

    `create` makes a data directory that is missing or empty. Raises StoreOpenError with the next step.
    """
    if location.cluster is None:
        assert location.directory is not None, "one of both is set"
        return EmbeddedStore(location.directory, config, create=create, accepted_losses=accepted_losses)
    if create or accepted_losses:
        raise StoreOpenError(
            "--create and --accept-loss-of are for data directories; the tables of a cluster are made by"
            f" `{INIT} --store '{location}'`"
        )
    return ClickHouseStore(location.cluster, config)


def opened_both(
    primary: StoreLocation,
    follower: StoreLocation,
    config: Config | LiveConfig,
    *,
    create: bool = False,
    accepted_losses: Sequence[str] = (),
) -> Store:
    """Opens a data directory, and a cluster that all of its writes go to as well; see `DualWriteStore`.

    Raises StoreOpenError with the next step if one of both cannot be used.
    """
    with ExitStack() as opening:
        stores = [opened(primary, config, create=create, accepted_losses=accepted_losses)]
        opening.callback(stores[0].close)
        stores.append(opened(follower, config))
        opening.pop_all()
    return DualWriteStore(stores[0], stores[1], config, f"{primary} and to {follower}")
