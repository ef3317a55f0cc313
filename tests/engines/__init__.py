"""Asks the four reports of DuckDB and ClickHouse in SQL over the same records, to compare the answers."""
