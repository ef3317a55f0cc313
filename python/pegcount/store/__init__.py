"""Where records are kept and summed; the rest of the service sees only this interface."""

from pegcount.store.embedded import EmbeddedStore
from pegcount.store.interface import PendingWrite, Store

__all__ = ["EmbeddedStore", "PendingWrite", "Store"]
