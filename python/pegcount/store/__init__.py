"""Storage of records and their aggregation; the rest of the service uses only this interface."""

from pegcount.store.embedded import EmbeddedStore
from pegcount.store.interface import Store
from pegcount.store.location import StoreLocation, opened, opened_both
from pegcount.store.pending_write import PendingWrite
from pegcount.store.source_rules import SourceRules, require_source_rule

__all__ = [
    "EmbeddedStore",
    "PendingWrite",
    "SourceRules",
    "Store",
    "StoreLocation",
    "opened",
    "opened_both",
    "require_source_rule",
]
