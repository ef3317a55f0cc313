"""The four reports, asked of DuckDB and of ClickHouse in SQL over the same records."""
