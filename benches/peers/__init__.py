"""The bench of the reports beside DuckDB, ClickHouse and Polars; benches/report_peers.py runs it."""
