"""Streams of batches that follow from a seed: new, repeated, corrected and late records, and events."""

import random
from dataclasses import dataclass, field

from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1 import records_pb2
from pegcount.v1.records_pb2 import SessionRecord

DAY_S = 86_400
RECORD_COUNT_MAX = 30
"""Records of one batch."""
MARK_COUNT = 3
"""Records of each batch that no other batch speaks of, so that they show whether the batch is there."""


@dataclass(frozen=True)
class FeedBatch:
    """One batch, and the session ids that only it speaks of."""

    number: int
    records: list[SessionRecord]
    marks: frozenset[str]

    @property
    def request(self) -> records_pb2.WriteRecordsRequest:
        return records_pb2.WriteRecordsRequest(batch_id=str(self.number), records=self.records)


@dataclass
class Feed:
    """The batches of one stream: made in order, sent until acknowledged.

    `first_day` and `last_day` are days since 1970-01-01 of the setup times, both inclusive; most
    are on the last one, the others are late.
    """

    seed: str
    stream: int
    first_day: int
    last_day: int
    batches: list[FeedBatch] = field(default_factory=list)
    acknowledged: set[int] = field(default_factory=set)
    found: set[int] = field(default_factory=set)
    """Batches that were not acknowledged but turned out to be there."""

    def __post_init__(self) -> None:
        self._chance = random.Random(f"{self.seed}/{self.stream}")
        self._calls: list[SessionRecord] = []
        self._active: list[SessionRecord] = []

    def next_batch(self) -> FeedBatch:
        """Makes one batch more."""
        number = len(self.batches)
        marks = [self._call(number, i) for i in range(MARK_COUNT)]
        others = [
            self._any(number, i)
            for i in range(MARK_COUNT, self._chance.randint(MARK_COUNT + 1, RECORD_COUNT_MAX))
        ]
        records = marks + others
        self._chance.shuffle(records)
        made = FeedBatch(number, records, frozenset(record.session_id for record in marks))
        self.batches.append(made)
        return made

    def unanswered(self) -> list[FeedBatch]:
        """Batches that were made and not acknowledged, oldest first."""
        return [batch for batch in self.batches if batch.number not in self.acknowledged]

    def applied(self) -> list[FeedBatch]:
        """Batches that the store must hold."""
        return [batch for batch in self.batches if batch.number in self.acknowledged | self.found]

    def leave_days_before(self, day: int) -> None:
        """From now on speaks of no record set up before `day`."""
        self.first_day = max(day, self.first_day)
        recent = self.first_day * DAY_S
        self._calls = [call for call in self._calls if call.setup_time.seconds >= recent]
        self._active = [call for call in self._active if call.setup_time.seconds >= recent]

    def keeps(self, record: SessionRecord) -> bool:
        """Whether a record is of a day that the feed did not leave."""
        return record.setup_time.seconds >= self.first_day * DAY_S

    def kept_marks(self, batch: FeedBatch) -> set[str]:
        """The marks of a batch on the days that the feed did not leave."""
        return {
            record.session_id
            for record in batch.records
            if record.session_id in batch.marks and self.keeps(record)
        }

    def _any(self, number: int, i: int) -> SessionRecord:
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
        """The answer of an active call, or its end, after which it is spoken of no more."""
        place = self._chance.randrange(len(self._active))
        started = self._active[place]
        record = SessionRecord(
            source=started.source, session_id=started.session_id, setup_time=started.setup_time
        )
        record.answer_time.seconds = started.setup_time.seconds + 5
        if self._chance.random() < 0.5:
            record.event = records_pb2.SESSION_EVENT_UPDATE
        else:
            record.event = records_pb2.SESSION_EVENT_END
            record.end_time.seconds = started.setup_time.seconds + 65
            del self._active[place]
        return record

    def _correction(self) -> SessionRecord:
        """One revision more of a call, with another end; the next one corrects this one."""
        place = self._chance.randrange(len(self._calls))
        record = SessionRecord()
        record.CopyFrom(self._calls[place])
        record.revision += 1
        record.orig_accounts_id = record.revision
        record.end_time.seconds = record.setup_time.seconds + self._chance.randint(30, 600)
        self._calls[place] = record
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
