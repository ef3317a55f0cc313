"""Looks at a real cluster with replicas: for operators, as no Keeper is to be had where the tests run.

    PEGCOUNT_CLICKHOUSE_REPLICAS='clickhouse://h1|h1b,h2|h2b/drill' python tests/clickhouse/replicas.py

The database must not exist yet, and stays: drop it afterwards. It makes the tables, promotes the second
replica of each shard while the first one answers, and opens the cluster in the new order. It was never run by
its authors.
"""

import os
from contextlib import closing
from dataclasses import replace

from pegcount.core import CancelToken
from pegcount.store.clickhouse.tables import promotion, schema
from pegcount.store.clickhouse.tables.places import places_of
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster

_QUERY_SECONDS_MAX = 60.0


def main(url: str) -> None:
    """Raises StoreOpenError where the cluster does not do what the store relies on."""
    address = ClusterAddress.parse(url)
    with closing(Cluster(address, _QUERY_SECONDS_MAX)) as cluster:
        print("made:", schema.create(cluster))
    with places_of(address, _QUERY_SECONDS_MAX) as places:
        for shard in range(1, len(address.shards) + 1):
            print(promotion.promote(places, shard, 2, None, CancelToken(600.0)))
    turned = replace(address, shards=tuple((second, first, *rest) for first, second, *rest in address.shards))
    with closing(Cluster(turned, _QUERY_SECONDS_MAX)) as cluster:
        print("in the new order:", schema.require_usable(cluster))


if __name__ == "__main__":
    main(os.environ["PEGCOUNT_CLICKHOUSE_REPLICAS"])
