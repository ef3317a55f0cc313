"""Batches to the ledgers: groups of them, and commits that are compared and swapped."""
