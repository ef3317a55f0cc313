"""What the records of a sample add up to, by which a person sees that a mapping is right."""

from collections.abc import Iterator
from dataclasses import dataclass

from pegcount import core
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.zone import US_PER_SECOND, Zone


@dataclass(slots=True)
class SampleFigures:
    """Counts of the records of a sample, and their talk time."""

    record_count: int = 0
    answered_count: int = 0
    talk_us: int = 0
    first_us: int | None = None
    last_us: int | None = None

    def take(self, record: SessionRecord) -> None:
        """Takes a record with a setup and an end."""
        setup_us = record.setup_time.ToMicroseconds()
        self.record_count += 1
        self.first_us = setup_us if self.first_us is None else min(self.first_us, setup_us)
        self.last_us = setup_us if self.last_us is None else max(self.last_us, setup_us)
        if record.HasField("answer_time"):
            self.answered_count += 1
            self.talk_us += record.end_time.ToMicroseconds() - record.answer_time.ToMicroseconds()

    def sentences(self, zone: Zone) -> Iterator[str]:
        """Yields what they add up to, with local times."""
        if self.first_us is None or self.last_us is None:
            return
        first, last = core.format_time(self.first_us, zone), core.format_time(self.last_us, zone)
        seconds = self.talk_us / US_PER_SECOND
        yield f"{self.record_count:,} records, set up from {first} to {last}"
        yield f"{self.answered_count:,} answered, {seconds:,.3f} s from answer to end"
