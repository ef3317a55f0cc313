"""What each server of a cluster holds about itself: which shard of which cluster it is.

It is in a table of its own on each server, also where other tables are replicated: a server must know which
shard it is before it can take part in anything. A change adds a row, and the row with the greatest revision
counts. Two programs that change it at once agree on one of the two rows: each row carries its revision as the
token of its insert, of which the server keeps the first.
"""

import secrets
from dataclasses import dataclass, field, replace
from typing import Final

from pegcount.core import CancelToken
from pegcount.store.clickhouse.wire.form import Query
from pegcount.store.clickhouse.wire.shard import Shard

META: Final = "meta"
KEY_BYTES: Final = 16

CREATE_META: Final = (
    f"CREATE TABLE IF NOT EXISTS {META} (revision UInt64, nonce UInt64, cluster_id String, shard UInt32,"
    " shard_count UInt32, schema_version UInt32, epoch UInt64, is_complete UInt8, hash_key String,"
    " party_key String) ENGINE = MergeTree ORDER BY revision SETTINGS fsync_after_insert = 1,"
    " fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, non_replicated_deduplication_window = 1000"
)
_READ: Final = Query(
    "SELECT revision, nonce, cluster_id, shard, shard_count, schema_version, epoch, is_complete, hash_key,"
    f" party_key FROM {META} ORDER BY revision DESC LIMIT 1"
)
_NONCE_BITS: Final = 63


@dataclass(frozen=True, slots=True)
class ShardMeta:
    """Which shard of which cluster a server is."""

    cluster_id: str
    """A random text; it is also in the paths of replicated tables."""
    shard: int
    """Its number, from 1, in the order in which the URL names the shards."""
    shard_count: int
    schema_version: int
    """Version of its tables; 0 while `create` has not made them."""
    hash_key: bytes = field(repr=False)
    """The key by which records are distributed and looked up; 16 bytes."""
    party_key: bytes = field(repr=False)
    """The key of the digests of erased numbers; 16 bytes."""
    epoch: int = 0
    """How often a replica was promoted in place of one that was lost."""
    is_complete: bool = False
    """Whether all servers of the cluster were made."""
    revision: int = 0
    """Number of the row; 0: not stored yet."""
    nonce: int = 0
    """A random number, by which the writer of the row knows it again."""


def new_cluster(shard_count: int) -> ShardMeta:
    """Returns the first shard of a new cluster, with new random keys."""
    keys = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)
    return ShardMeta(secrets.token_hex(8), 1, shard_count, 0, *keys)


def read_meta(server: Shard, cancel_token: CancelToken) -> ShardMeta | None:
    """Returns what a server holds, None if that is nothing yet; raises ShardFaultError without the table."""
    rows = server.rows(_READ, cancel_token)
    return _of_row(rows[0]) if rows else None


def write_meta(server: Shard, meta: ShardMeta, cancel_token: CancelToken) -> ShardMeta:
    """Stores what a server is in place of the revision that `meta` has, and returns what counts now.

    That is something else if another program was faster. Repeating it is safe.
    """
    row = replace(meta, revision=meta.revision + 1, nonce=secrets.randbits(_NONCE_BITS))
    block = ("\t".join(_to_row(row)) + "\n").encode()
    server.insert(META, block, cancel_token, token=f"meta:{row.revision}", row_format="TabSeparated")
    found = read_meta(server, cancel_token)
    return row if found is None else found


def _to_row(meta: ShardMeta) -> list[str]:
    numbers = (meta.shard, meta.shard_count, meta.schema_version, meta.epoch, int(meta.is_complete))
    keys = (meta.hash_key.hex(), meta.party_key.hex())
    return [str(meta.revision), str(meta.nonce), meta.cluster_id, *map(str, numbers), *keys]


def _of_row(row: list[str]) -> ShardMeta:
    revision, nonce, cluster_id, shard, shard_count, schema_version, epoch, is_complete, *keys = row
    hash_key, party_key = map(bytes.fromhex, keys)
    return ShardMeta(
        cluster_id=cluster_id,
        shard=int(shard),
        shard_count=int(shard_count),
        schema_version=int(schema_version),
        hash_key=hash_key,
        party_key=party_key,
        epoch=int(epoch),
        is_complete=is_complete == "1",
        revision=int(revision),
        nonce=int(nonce),
    )
