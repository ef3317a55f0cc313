"""What the log has of flushes and compactions."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic

from pegcount import core

_LOG = logging.getLogger(__name__)


@contextmanager
def flush_logged(engine: core.Engine) -> Iterator[None]:
    """Logs the flush of its block, if that succeeds."""
    begin_s, record_count = monotonic(), engine.memory_rows.finished
    known = {segment.name for segment in engine.segments}
    yield
    new = [segment for segment in engine.segments if segment.name not in known]
    fields = {
        "record_count": record_count,
        "segment_count": len(new),
        "segment_bytes": sum(segment.size for segment in new),
        "duration_ms": round(1_000 * (monotonic() - begin_s)),
    }
    text = "flushed the %d finished records of memory into %d segments of %d bytes in %d ms"
    _LOG.info(text, *fields.values(), extra={"fields": fields})


@contextmanager
def compaction_logged(engine: core.Engine, names: Sequence[str]) -> Iterator[None]:
    """Logs the compaction of its block, if that succeeds; `names` are the segments that it rewrites."""
    begin_s = monotonic()
    known = {segment.name: segment for segment in engine.segments}
    old_bytes = sum(known[name].size for name in names if name in known)
    yield
    new = [segment for segment in engine.segments if segment.name not in known]
    fields = {
        "old_segment_count": len(names),
        "old_segment_bytes": old_bytes,
        "segment_count": len(new),
        "segment_bytes": sum(segment.size for segment in new),
        "duration_ms": round(1_000 * (monotonic() - begin_s)),
    }
    text = "compacted %d segments of %d bytes into %d of %d bytes in %d ms"
    _LOG.info(text, *fields.values(), extra={"fields": fields})
