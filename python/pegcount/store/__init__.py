"""Storage of records and their aggregation; the rest of the service uses only this interface."""

from pegcount.store.embedded import EmbeddedStore
from pegcount.store.interface import PendingWrite, Store
from pegcount.store.source_rules import SourceRules, require_source_rule

__all__ = ["EmbeddedStore", "PendingWrite", "SourceRules", "Store", "require_source_rule"]
