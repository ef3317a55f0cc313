"""Random streams of batches from a seed: new, repeated, corrected and late records, and events."""

import random
from dataclasses import dataclass, field

from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import records_pb2
from pegcount.v1.records_pb2 import SessionRecord

DAY_S = 86_400
RECORD_COUNT_MAX = 30
"""Most records of one batch."""
MARK_COUNT = 3
"""Records per batch that occur in no other batch, so that their presence proves that the batch is stored."""


@dataclass(frozen=True)
class FeedBatch:
    """One batch, with the session ids that occur in it alone."""

    number: int
    records: list[SessionRecord]
    marks: frozenset[str]

    @property
    def request(self) -> records_pb2.WriteRecordsRequest:
        return records_pb2.WriteRecordsRequest(batch_id=str(self.number), records=self.records)


@dataclass
class Feed:
    """The batches of one stream, sent until they are acknowledged.

    `first_day` and `last_day` bound the setup times, in days since 1970-01-01, both inclusive. Most
    records are on the last day, the others are late.
    """

    seed: str
    stream: int
    first_day: int
    last_day: int
    batches: list[FeedBatch] = field(default_factory=list)
    acknowledged: set[int] = field(default_factory=set)
    found: set[int] = field(default_factory=set)
    """Batches that were stored without an acknowledgement."""

    def __post_init__(self) -> None:
        self._chance = random.Random(f"{self.seed}/{self.stream}")
        self._calls: list[SessionRecord] = []
        self._active: list[SessionRecord] = []

    def next_batch(self) -> FeedBatch:
        """Generates and returns another batch."""
        number = len(self.batches)
        marks = [self._call(number, i) for i in range(MARK_COUNT)]
        others = [
            self._random_record(number, i)
            for i in range(MARK_COUNT, self._chance.randint(MARK_COUNT + 1, RECORD_COUNT_MAX))
        ]
        records = marks + others
        self._chance.shuffle(records)
        batch = FeedBatch(number, records, frozenset(record.session_id for record in marks))
        self.batches.append(batch)
        return batch

    def unanswered(self) -> list[FeedBatch]:
        """Returns the unacknowledged batches, oldest first."""
        return [batch for batch in self.batches if batch.number not in self.acknowledged]

    def applied(self) -> list[FeedBatch]:
        """Returns the batches that the store must contain."""
        return [batch for batch in self.batches if batch.number in self.acknowledged | self.found]

    def drop_days_before(self, day: int) -> None:
        """Generates only records set up on `day` or later from now on."""
        self.first_day = max(day, self.first_day)
        recent = self.first_day * DAY_S
        self._calls = [call for call in self._calls if call.setup_time.seconds >= recent]
        self._active = [call for call in self._active if call.setup_time.seconds >= recent]

    def is_retained(self, record: SessionRecord) -> bool:
        """Returns whether the record's day is still in use by the feed."""
        return record.setup_time.seconds >= self.first_day * DAY_S

    def retained_marks(self, batch: FeedBatch) -> set[str]:
        """Returns the marks of a batch on days that the feed still uses."""
        return {
            record.session_id
            for record in batch.records
            if record.session_id in batch.marks and self.is_retained(record)
        }

    def _random_record(self, number: int, i: int) -> SessionRecord:
        chance = self._chance.random()
        if chance < 0.15 and self._active:
            return self._event()
        if chance < 0.25 and self._calls:
            return self._chance.choice(self._calls)
        if chance < 0.4 and self._calls:
            return self._correction()
        if chance < 0.55:
            return self._start(number, i)
        self._calls.append(self._call(number, i))
        return self._calls[-1]

    def _call(self, number: int, i: int) -> SessionRecord:
        record = self._started(number, i)
        if self._chance.random() < 0.8:
            record.answer_time.seconds = record.setup_time.seconds + self._chance.randint(0, 30)
        record.end_time.seconds = record.setup_time.seconds + self._chance.randint(30, 600)
        if self._chance.random() < 0.1:
            record.kind = records_pb2.SESSION_KIND_ASR
        return record

    def _start(self, number: int, i: int) -> SessionRecord:
        record = self._started(number, i)
        record.event = records_pb2.SESSION_EVENT_START
        self._active.append(record)
        return record

    def _event(self) -> SessionRecord:
        """Answers an active call, or ends it and drops it from the active calls."""
        index = self._chance.randrange(len(self._active))
        started = self._active[index]
        record = SessionRecord(
            source=started.source, session_id=started.session_id, setup_time=started.setup_time
        )
        record.answer_time.seconds = started.setup_time.seconds + 5
        if self._chance.random() < 0.5:
            record.event = records_pb2.SESSION_EVENT_UPDATE
        else:
            record.event = records_pb2.SESSION_EVENT_END
            record.end_time.seconds = started.setup_time.seconds + 65
            del self._active[index]
        return record

    def _correction(self) -> SessionRecord:
        """Raises the revision of a call with another end time; later corrections build on this one."""
        index = self._chance.randrange(len(self._calls))
        record = SessionRecord()
        record.CopyFrom(self._calls[index])
        record.revision += 1
        record.orig_accounts_id = record.revision
        record.end_time.seconds = record.setup_time.seconds + self._chance.randint(30, 600)
        self._calls[index] = record
        return record

    def _started(self, number: int, i: int) -> SessionRecord:
        is_late = self._chance.random() < 0.3
        day = self._chance.randint(self.first_day, self.last_day) if is_late else self.last_day
        return SessionRecord(
            source=f"switch {self.stream}",
            session_id=f"{self.stream}/{number}/{i}",
            setup_time=Timestamp(seconds=day * DAY_S + self._chance.randrange(DAY_S)),
            account_id=f"account {self.stream}",
            company="company",
            organization="organization",
            folder=self._chance.choice(["", "north", "south"]),
            agent_id=self._chance.choice(["", "1", "2"]),
            app_id=self.stream,
        )
