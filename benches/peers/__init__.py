"""Compares report latency with DuckDB, ClickHouse and Polars; benches/report_peers.py runs the comparison."""
