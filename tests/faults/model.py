"""Compares the contents of a store with the batches that were acknowledged."""

import contextlib
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from oracle import active, folder, quality, records, usage
from oracle.compare import assert_equal
from oracle.expected import ExpectedError
from oracle.records import Session
from pegcount.model import Present
from pegcount.store import EmbeddedStore
from pegcount.v1 import records_pb2, reports_pb2
from pegcount.v1.records_pb2 import SessionRecord
from store_tests.store_fixtures import rows

from faults.campaign import Tally
from faults.feed import DAY_S, Feed, FeedBatch
from faults.process import ServiceProcess
from faults.served import CONFIG

US = 1_000_000

Line = tuple[str, str, str, int, bool]
"""Session id, setup time, answer time ("" if absent), version, whether finished."""
Window = tuple[str, str]
"""Start and end of a range, as request texts."""


@dataclass(frozen=True)
class RetainedDays:
    """The days from `first_day` (days since 1970-01-01; None: all), which retention must not drop."""

    first_day: int | None = None

    def contains(self, line: Line) -> bool:
        return self.first_day is None or line[1] >= _text(self.first_day * DAY_S * US)


ALL_DAYS = RetainedDays()


def expected_lines(sessions: Iterable[Session]) -> Counter[Line]:
    """Returns the lines that a store of these sessions must have."""
    return Counter(
        (
            session.session_id,
            _text(session.setup_us),
            "" if session.answer_us is None else _text(session.answer_us),
            session.numbers.get("orig_accounts_id", 0),
            session.finished,
        )
        for session in sessions
    )


def stored_lines(store: EmbeddedStore) -> Counter[Line]:
    """Returns the lines that a store has."""
    fields = ("session_id", "session_setup_time", "session_start_time", "orig_accounts_id")
    found: Counter[Line] = Counter()
    for finished in (True, False):
        for row in rows(store, *fields, predicates=[Present("end_time", wanted=finished)]):
            line = (
                row.session_id,
                row.session_setup_time,
                row.session_start_time,
                row.orig_accounts_id,
                finished,
            )
            found[line] += row.quantity
    return found


class Model:
    """The sessions that result from the batches of some feeds."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self.feeds = feeds
        self._taken: set[tuple[int, int]] = set()
        self._messages: defaultdict[tuple[str, str], list[SessionRecord]] = defaultdict(list)
        self._sessions: dict[tuple[str, str], list[Session]] = {}

    def sessions(self) -> list[Session]:
        """Returns the sessions of all batches that the store must contain; merges only new ones."""
        changed: set[tuple[str, str]] = set()
        for feed in self.feeds:
            for batch in feed.applied():
                if (feed.stream, batch.number) not in self._taken:
                    self._taken.add((feed.stream, batch.number))
                    changed |= self._take(batch)
        for key in changed:
            self._sessions[key] = records.merge_messages(self._messages[key]).sessions
        return [session for of_key in self._sessions.values() for session in of_key]

    def _take(self, batch: FeedBatch) -> set[tuple[str, str]]:
        for record in batch.records:
            self._messages[record.source, record.session_id].append(record)
        return {(record.source, record.session_id) for record in batch.records}


def compare_store(store: EmbeddedStore, model: Model, retained: RetainedDays = ALL_DAYS) -> Tally:
    """Compares a store with the acknowledged batches.

    Marks unacknowledged batches that are stored as found in their feeds, since they must survive from now
    on. Raises AssertionError if no record is lost or doubled but some content differs.
    """
    found = stored_lines(store)
    ids = Counter({line[0]: 0 for line in found})
    for line, count in found.items():
        ids[line[0]] += count
    partial = sum(_mark_found(feed, ids) for feed in model.feeds)
    expected = expected_lines(model.sessions())
    lost = {line[0] for line in expected if retained.contains(line)} - set(ids)
    doubled = [session_id for session_id, count in ids.items() if count > 1]
    acknowledged = sum(len(batch.records) for feed in model.feeds for batch in feed.applied())
    tally = Tally(1, acknowledged, len(lost), len(doubled), partial)
    if tally.is_clean:
        _check_lines(found, expected, retained)
    return tally


def _mark_found(feed: Feed, ids: Counter[str]) -> int:
    """Marks the batches of a feed stored without an acknowledgement; returns the number of partial ones."""
    partial = 0
    for batch in feed.unanswered():
        marks = feed.retained_marks(batch)
        present = sum(mark in ids for mark in marks)
        if present == len(marks) > 0:
            feed.found.add(batch.number)
        elif present > 0:
            partial += 1
    return partial


def _check_lines(found: Counter[Line], expected: Counter[Line], retained: RetainedDays) -> None:
    """Asserts equal lines on all retained days; on each other day, all finished records or none.

    An active session outlives the retention of its day until it counts as abandoned.
    """
    found, expected = (
        Counter({line: count for line, count in lines.items() if line[-1] or retained.contains(line)})
        for lines in (found, expected)
    )
    dropped_days = {line[1][:10] for line in expected if not retained.contains(line)} - {
        line[1][:10] for line in found
    }
    expected_now = Counter(
        {line: count for line, count in expected.items() if line[1][:10] not in dropped_days}
    )
    missing, surplus = list(expected_now - found), list(found - expected_now)
    assert not missing, f"{len(missing)} lines are missing: {missing[:5]}; {len(surplus)} more: {surplus[:5]}"
    assert not surplus, f"{len(surplus)} lines are more than there may be: {surplus[:5]}"


def compare_copy(directory: Path, model: Model, retained: RetainedDays = ALL_DAYS) -> Tally:
    """Copies an unused data directory, opens the copy, and compares it with the acknowledged batches."""
    copy = directory.parent / f"{directory.name}-copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(directory, copy)
    with contextlib.closing(EmbeddedStore(copy, CONFIG)) as store:
        return compare_store(store, model, retained)


def check_figures(service: ServiceProcess, model: Model, retained: RetainedDays = ALL_DAYS) -> None:
    """Asserts that the four reports over the retained days are those of the model."""
    feeds = model.feeds
    first = feeds[0].first_day if retained.first_day is None else max(feeds[0].first_day, retained.first_day)
    window = (_text(first * DAY_S * US), _text((feeds[0].last_day + 1) * DAY_S * US))
    sessions = [session for session in model.sessions() if session.setup_us >= first * DAY_S * US]
    if not sessions:
        return
    now_us = time.time_ns() // 1000
    _check_usage(service, sessions, window, now_us)
    _check_quality(service, sessions, window, now_us, feeds)
    _check_folders(service, sessions, window, now_us)
    _check_active(service, sessions, now_us, retained)


def _check_usage(service: ServiceProcess, sessions: Sequence[Session], window: Window, now_us: int) -> None:
    for kind in (records_pb2.SESSION_KIND_CALL, records_pb2.SESSION_KIND_ASR):
        request = reports_pb2.QueryAsrUsageRequest(
            from_time=window[0], to_time=window[1], granularity=reports_pb2.GRANULARITY_HOUR, kind=kind
        )
        expected = usage.answer(request, sessions, now_us)
        assert not isinstance(expected, ExpectedError)
        answer = service.reports.QueryAsrUsage(request, timeout=30)
        # Notices depend on records before the retained days, so they are not compared.
        del answer.notices[:], expected.notices[:]
        assert_equal(answer, expected)


def _check_quality(
    service: ServiceProcess, sessions: Sequence[Session], window: Window, now_us: int, feeds: Sequence[Feed]
) -> None:
    for feed in feeds:
        request = reports_pb2.QueryOriginationQualityRequest(
            from_time=window[0],
            to_time=window[1],
            account_id=f"account {feed.stream}",
            sampling=reports_pb2.GRANULARITY_HOUR,
        )
        expected = quality.answer(request, sessions, now_us)
        assert not isinstance(expected, ExpectedError)
        answer = service.reports.QueryOriginationQuality(request, timeout=30)
        del answer.notices[:], expected.notices[:]
        assert_equal(answer, expected)


def _check_folders(service: ServiceProcess, sessions: Sequence[Session], window: Window, now_us: int) -> None:
    request = reports_pb2.QueryFolderStatsRequest(
        company="company",
        organization="organization",
        from_date=window[0][:10],
        to_date=window[1][:10],
    )
    expected = folder.answer(request, sessions, now_us)
    assert not isinstance(expected, ExpectedError)
    answer = service.reports.QueryFolderStats(request, timeout=30)
    del answer.notices[:], expected.notices[:]
    assert_equal(answer, expected)


def _check_active(
    service: ServiceProcess, sessions: Sequence[Session], now_us: int, retained: RetainedDays
) -> None:
    request = reports_pb2.QueryActiveSessionsRequest(
        return_fields=["session_setup_time", "session_id", "session_start_time", "orig_accounts_id"]
    )
    received_now = [_received(session, now_us) for session in sessions]
    expected = active.answer(request, received_now, now_us)
    assert not isinstance(expected, ExpectedError)
    answer = service.reports.QueryActiveSessions(request, timeout=30)
    first = "" if retained.first_day is None else _text(retained.first_day * DAY_S * US)
    assert [row for row in answer.rows if row.session_setup_time >= first] == list(expected.rows)


def _received(session: Session, now_us: int) -> Session:
    return Session(**{**vars(session), "received_us": now_us})


def _text(instant_us: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant_us // US))
