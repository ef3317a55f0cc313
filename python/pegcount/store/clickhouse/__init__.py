"""The store in a ClickHouse cluster."""

from pegcount.store.clickhouse.store import ClickHouseStore

__all__ = ["ClickHouseStore"]
