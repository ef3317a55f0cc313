"""Rows of the ledger, from the rows of the store in memory, as if a writer had written them with detours."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from conformance.memory_rows import Row
from pegcount import core
from pegcount.store.clickhouse.tables.ledger_table import ABSENT
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.shard import Shard
from pegcount.zone import US_PER_DAY

NO_LIMIT = core.CancelToken(None)
_COMMIT_COUNT = 6
_MARKER = 9


@dataclass(frozen=True)
class SignedRow:
    """A row, with the number of the commit that has it."""

    commit: int
    columns: dict[str, Any]


def load(cluster: Cluster, rows: Sequence[Row], dice: random.Random) -> None:
    """Inserts records, each into one shard, in several parts and with versions that were replaced."""
    spread: list[list[Row]] = [[] for _ in cluster.shards]
    for row in rows:
        dice.choice(spread).append(row)
    for shard, found in zip(cluster.shards, spread, strict=True):
        signed = [one for row in found for one in signed_rows(row, rows, dice)]
        for commit in range(_COMMIT_COUNT):
            insert(shard, [one.columns for one in signed if one.commit == commit])


def insert(shard: Shard, rows: Iterable[dict[str, Any]]) -> None:
    """Inserts rows of the ledger, with the marker of a commit for each home day."""
    found = list(rows)
    found += [_marker(day) for day in {row["day"] for row in found}]
    lines = [b"\t".join(_field(row[name]) for name, _ in core.ledger_columns()) + b"\n" for row in found]
    shard.insert("ledger", b"".join(lines), NO_LIMIT, row_format="TabSeparated")


def signed_rows(row: Row, others: Sequence[Row], dice: random.Random) -> list[SignedRow]:
    """Returns the rows of a record: it often begins as another one, which it then replaces.

    A commit has one version of a key at most, and takes the former one away before it adds this one: when
    ClickHouse merges parts, it keeps the first row of those it takes away, and the last of those it adds.
    """
    home_day = row["setup_time"] // US_PER_DAY
    versions = [dice.choice(others) for _ in range(dice.choice((0, 0, 1, 2)))] + [row]
    if dice.random() < 0.2:
        return _chain(versions, home_day, dice) + _deleted(dice.choice(others), home_day, dice)
    return _chain(versions, home_day, dice)


def _chain(versions: Sequence[Row], home_day: int, dice: random.Random) -> list[SignedRow]:
    key_hash = dice.getrandbits(64)
    commits = sorted(dice.sample(range(_COMMIT_COUNT), len(versions)))
    rows = [ledger_row(version, key_hash, home_day) for version in versions]
    found = [SignedRow(commits[0], rows[0])]
    for commit, former, next_one in zip(commits[1:], rows, rows[1:], strict=False):
        found += [SignedRow(commit, {**former, "sign": -1}), SignedRow(commit, next_one)]
    return found


def _deleted(row: Row, home_day: int, dice: random.Random) -> list[SignedRow]:
    first, last = sorted(dice.sample(range(_COMMIT_COUNT), 2))
    added = ledger_row(row, dice.getrandbits(64), home_day)
    return [SignedRow(first, added), SignedRow(last, {**added, "sign": -1})]


def ledger_row(row: Row, key_hash: int, home_day: int) -> dict[str, Any]:
    """Returns the row that adds a record."""
    setup_day = row["setup_time"] // US_PER_DAY
    made = {
        **_absent(),
        **{name: value for name, value in row.items() if value is not None},
        "sign": 1,
        "day": home_day,
        "first_day": min(home_day, setup_day),
        "last_day": max(home_day, setup_day),
        "key_hash": key_hash,
        "state": int("end_time" not in row),
        "session_kind": row.get("kind", 1),
        "last_attempt": int(row.get("is_last_attempt", True)),
        "auth_address": address_bytes(row.get("auth_orig_ip", "")),
    }
    return {name: int(value) if isinstance(value, bool) else value for name, value in made.items()}


def address_bytes(text: str) -> bytes:
    """Returns the 16 bytes of an address, all of them 0 if the text is not one."""
    try:
        address: IPv4Address | IPv6Address = ip_address("" if "%" in text else text)
    except ValueError:
        return bytes(16)
    return bytes(10) + b"\xff\xff" + address.packed if address.version == 4 else address.packed


def _marker(day: int) -> dict[str, Any]:
    times = {"day": day, "first_day": day, "last_day": day, "setup_time": day * US_PER_DAY}
    return {**_absent(), **times, "sign": 1, "state": _MARKER, "key_hash": 1, "seq": 1}


def _absent() -> dict[str, Any]:
    fields = set(core.record_fields())
    of_fields = {
        name: ABSENT if type_ == "Int64" else "" for name, type_ in core.ledger_columns() if name in fields
    }
    of_row = {name: 0 for name, _ in core.ledger_columns() if name not in fields}
    return {**of_fields, **of_row, "versions": "", "auth_address": bytes(16)}


def _field(value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return str(value).encode()
    raw = value.encode() if isinstance(value, str) else value
    return raw.replace(b"\\", b"\\\\").replace(b"\t", b"\\t").replace(b"\n", b"\\n")
