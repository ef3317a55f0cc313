"""Scans and figures from the ledgers: one SELECT for each shard, whose cells the core adds."""
