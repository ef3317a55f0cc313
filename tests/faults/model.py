"""What a store must hold after some batches, and what it holds."""

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
from faults.process import Served
from faults.served import CONFIG

US = 1_000_000

Line = tuple[str, str, str, int, bool]
"""Session id, setup time, answer time ("" without), version, whether finished."""
Window = tuple[str, str]
"""From when to when, as requests write it."""


@dataclass(frozen=True)
class Kept:
    """The days that a retention must leave alone, in days since 1970-01-01; None is all."""

    first_day: int | None = None

    def has(self, line: Line) -> bool:
        return self.first_day is None or line[1] >= _text(self.first_day * DAY_S * US)


ALL = Kept()


def lines_of(sessions: Iterable[Session]) -> Counter[Line]:
    """What a store of these sessions must hold."""
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


def lines_in(store: EmbeddedStore) -> Counter[Line]:
    """What a store holds."""
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
    """The sessions that the batches of some feeds amount to."""

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self.feeds = feeds
        self._taken: set[tuple[int, int]] = set()
        self._messages: defaultdict[tuple[str, str], list[SessionRecord]] = defaultdict(list)
        self._sessions: dict[tuple[str, str], list[Session]] = {}

    def sessions(self) -> list[Session]:
        """Those of all batches that the store must hold; only what is new is worked out."""
        changed: set[tuple[str, str]] = set()
        for feed in self.feeds:
            for batch in feed.applied():
                if (feed.stream, batch.number) not in self._taken:
                    self._taken.add((feed.stream, batch.number))
                    changed |= self._take(batch)
        for key in changed:
            self._sessions[key] = records.hold(self._messages[key]).sessions
        return [session for of_key in self._sessions.values() for session in of_key]

    def _take(self, batch: FeedBatch) -> set[tuple[str, str]]:
        for record in batch.records:
            self._messages[record.source, record.session_id].append(record)
        return {(record.source, record.session_id) for record in batch.records}


def verdict(store: EmbeddedStore, model: Model, kept: Kept = ALL) -> Tally:
    """Compares a store with what was acknowledged.

    Batches that were not acknowledged but are there are noted in their feeds, since from now on they
    must stay. Raises AssertionError where no record is lost nor doubled but the content differs.
    """
    found = lines_in(store)
    ids = Counter({line[0]: 0 for line in found})
    for line, count in found.items():
        ids[line[0]] += count
    partial = sum(_note_found(feed, ids) for feed in model.feeds)
    expected = lines_of(model.sessions())
    lost = {line[0] for line in expected if kept.has(line)} - set(ids)
    doubled = [session_id for session_id, count in ids.items() if count > 1]
    acknowledged = sum(len(batch.records) for feed in model.feeds for batch in feed.applied())
    tally = Tally(1, acknowledged, len(lost), len(doubled), partial)
    if tally.is_clean:
        _check_lines(found, expected, kept)
    return tally


def _note_found(feed: Feed, ids: Counter[str]) -> int:
    """Notes the batches of a feed that are there without an answer; gives how many are there in part."""
    partial = 0
    for batch in feed.unanswered():
        marks = feed.kept_marks(batch)
        present = sum(mark in ids for mark in marks)
        if present == len(marks) > 0:
            feed.found.add(batch.number)
        elif present > 0:
            partial += 1
    return partial


def _check_lines(found: Counter[Line], expected: Counter[Line], kept: Kept) -> None:
    """The same lines on all days kept; of each other day all that is finished or nothing.

    A session that is still active outlives the retention of its day, but not its silence.
    """
    found, expected = (
        Counter({line: count for line, count in lines.items() if line[-1] or kept.has(line)})
        for lines in (found, expected)
    )
    vanished = {line[1][:10] for line in expected if not kept.has(line)} - {line[1][:10] for line in found}
    wanted = Counter({line: count for line, count in expected.items() if line[1][:10] not in vanished})
    missing, surplus = list(wanted - found), list(found - wanted)
    assert not missing, f"{len(missing)} lines are missing: {missing[:5]}; {len(surplus)} more: {surplus[:5]}"
    assert not surplus, f"{len(surplus)} lines are more than there may be: {surplus[:5]}"


def verdict_of_copy(directory: Path, model: Model, kept: Kept = ALL) -> Tally:
    """Opens a copy of a data directory that nobody owns, and compares it with what was acknowledged."""
    copy = directory.parent / f"{directory.name}-copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(directory, copy)
    with contextlib.closing(EmbeddedStore(copy, CONFIG)) as store:
        return verdict(store, model, kept)


def check_figures(served: Served, model: Model, kept: Kept = ALL) -> None:
    """The four reports over the days kept must be those of the model."""
    feeds = model.feeds
    first = feeds[0].first_day if kept.first_day is None else max(feeds[0].first_day, kept.first_day)
    window = (_text(first * DAY_S * US), _text((feeds[0].last_day + 1) * DAY_S * US))
    sessions = [session for session in model.sessions() if session.setup_us >= first * DAY_S * US]
    if not sessions:
        return
    now_us = time.time_ns() // 1000
    _check_usage(served, sessions, window, now_us)
    _check_quality(served, sessions, window, now_us, feeds)
    _check_folders(served, sessions, window, now_us)
    _check_active(served, sessions, now_us, kept)


def _check_usage(served: Served, sessions: Sequence[Session], window: Window, now_us: int) -> None:
    for kind in (records_pb2.SESSION_KIND_CALL, records_pb2.SESSION_KIND_ASR):
        request = reports_pb2.QueryAsrUsageRequest(
            from_time=window[0], to_time=window[1], granularity=reports_pb2.GRANULARITY_HOUR, kind=kind
        )
        expected = usage.answer(request, sessions, now_us)
        assert not isinstance(expected, ExpectedError)
        answer = served.reports.QueryAsrUsage(request, timeout=30)
        # What lies before the days kept is none of this comparison.
        del answer.notices[:], expected.notices[:]
        assert_equal(answer, expected)


def _check_quality(
    served: Served, sessions: Sequence[Session], window: Window, now_us: int, feeds: Sequence[Feed]
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
        answer = served.reports.QueryOriginationQuality(request, timeout=30)
        del answer.notices[:], expected.notices[:]
        assert_equal(answer, expected)


def _check_folders(served: Served, sessions: Sequence[Session], window: Window, now_us: int) -> None:
    request = reports_pb2.QueryFolderStatsRequest(
        company="company",
        organization="organization",
        from_date=window[0][:10],
        to_date=window[1][:10],
    )
    expected = folder.answer(request, sessions, now_us)
    assert not isinstance(expected, ExpectedError)
    answer = served.reports.QueryFolderStats(request, timeout=30)
    del answer.notices[:], expected.notices[:]
    assert_equal(answer, expected)


def _check_active(served: Served, sessions: Sequence[Session], now_us: int, kept: Kept) -> None:
    request = reports_pb2.QueryActiveSessionsRequest(
        return_fields=["session_setup_time", "session_id", "session_start_time", "orig_accounts_id"]
    )
    live = [_received(session, now_us) for session in sessions]
    expected = active.answer(request, live, now_us)
    assert not isinstance(expected, ExpectedError)
    answer = served.reports.QueryActiveSessions(request, timeout=30)
    first = "" if kept.first_day is None else _text(kept.first_day * DAY_S * US)
    assert [row for row in answer.rows if row.session_setup_time >= first] == list(expected.rows)


def _received(session: Session, now_us: int) -> Session:
    return Session(**{**vars(session), "received_us": now_us})


def _text(instant_us: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(instant_us // US))
