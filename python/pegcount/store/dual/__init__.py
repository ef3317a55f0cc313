"""The store of a dual write: all that is written goes to two stores while records move to the second."""

from pegcount.store.dual.store import DualWriteStore

__all__ = ["DualWriteStore"]
