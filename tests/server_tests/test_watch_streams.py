"""Streams that watch traffic: who shares an evaluation, who reads slowly or never, and how streams end."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from hyperframe.frame import SettingsFrame
from load.http2_peer import PREFACE, Peer, message
from pegcount.auth import Scope
from pegcount.config import Config
from pegcount.errors import StoreUnavailableError
from pegcount.v1 import admin_pb2
from pegcount.v1.traffic_pb2 import WatchTrafficRequest
from pegcount.v1.traffic_pb2_grpc import TrafficServiceStub
from service import Service
from waiting import stays, wait_until

from server_tests.keys import guarded, sent
from server_tests.refusal import refusal
from server_tests.watching import BY_VENDOR, NOW_S, Watching, call, plain, question, rule

Code = grpc.StatusCode
Start = Callable[..., Service]
METHOD = "/pegcount.v1.TrafficService/WatchTraffic"
NO_WINDOW = PREFACE + SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}).serialize()
SECOND_US = 1_000_000


def pass_time(service: Service, seconds: int) -> int:
    service.now_us += seconds * SECOND_US
    return service.now_us


@contextmanager
def unread(service: Service, request: WatchTrafficRequest) -> Iterator[Peer]:
    """Opens a stream whose client allows the server no byte of an answer."""
    with Peer(service.address, opening=NO_WINDOW) as peer:
        stream = peer.open_call(peer.block(METHOD))
        peer.send_data(stream, message(request.SerializeToString()), time.monotonic() + 5)
        wait_until(lambda: service.state().watches.streams == 1)
        yield peer


def wait_for_evaluations(service: Service, count: int) -> None:
    """Waits for further evaluations."""
    wanted = service.state().watches.evaluations + count
    wait_until(lambda: service.state().watches.evaluations >= wanted)


def test_watchers_of_what_means_the_same_share_an_evaluation(start: Start) -> None:
    service = start()
    said = [
        question(**BY_VENDOR),
        question(**BY_VENDOR, time_zone="UTC"),
        question(**BY_VENDOR, kind="SESSION_KIND_CALL"),
        question(**BY_VENDOR, rules=[{"comparison": "ALERT_COMPARISON_ABOVE", "threshold": 3}]),
    ]
    watching = [Watching(service, request) for request in said * 2]
    answers = [plain(each.next().snapshot) for each in watching]
    assert all(answer == answers[0] for answer in answers)
    begin_s, load = time.monotonic(), service.state().watches
    assert (load.streams, load.queries) == (8, 1)
    wait_until(lambda: service.state().watches.evaluations >= load.evaluations + 3)
    made = service.state().watches.evaluations - load.evaluations
    assert made <= time.monotonic() - begin_s + 2, "one in a second, not one for each watcher"
    other = Watching(service, question("CALLS", **BY_VENDOR))
    other.next()
    assert service.state().watches.queries == 2
    for each in (*watching, other):
        each.call.cancel()
    wait_until(lambda: (service.state().watches.streams, service.state().watches.queries) == (0, 0))
    count = service.state().watches.evaluations
    stays(lambda: service.state().watches.evaluations <= count + 1, 1.5)


def test_watchers_with_other_data_scopes_share_nothing(tmp_path: Path) -> None:
    with guarded(tmp_path) as held:
        scope = admin_pb2.DataScope(term_clients_id=[7])
        scoped = held.create("scoped", Scope.READ_REPORTS, data_scope=scope)
        held.service.write(call("a", NOW_S - 10))
        whole = Watching(held.service, question(), metadata=held.sent(Scope.READ_REPORTS))
        part = Watching(held.service, question(), metadata=sent(scoped.secret))
        assert whole.next().snapshot.totals[0].integers[0] == 1
        assert part.next().snapshot.totals[0].integers[0] == 0
        assert held.service.state().watches.queries == 2


def test_one_stream_too_many_is_refused(start: Start) -> None:
    service = start(watch_stream_count_max=2)
    watching = [Watching(service, question()) for _ in range(2)]
    for each in watching:
        each.next()
    refused = refusal(Watching(service, question()).next)
    assert (refused.code, refused.info.reason) == (Code.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert refused.message == "2 traffic watches are in progress; no more are allowed"
    assert "RetryInfo" in refused.detail_names
    watching[0].call.cancel()
    wait_until(lambda: service.state().watches.streams == 1)
    Watching(service, question()).next()


def test_a_client_that_reads_nothing_ends_and_delays_nobody(start: Start) -> None:
    service = start(watch_stream_idle_seconds=2.0)
    with unread(service, question(**BY_VENDOR)) as peer:
        watching = Watching(service, question(**BY_VENDOR))
        watching.next()
        service.write(call("a", service.now_us // SECOND_US))
        watching.next_with(pass_time(service, 1))
        watching.check()
        wait_until(lambda: service.state().watches.streams == 1)
        peer.open_window(2**20)
        peer.wait_for_ends(10)
        assert [end.how for end in peer.ends()] == ["UNAVAILABLE"]
    watching.check()


def test_a_client_that_reads_nothing_gives_way(start: Start) -> None:
    service = start(watch_stream_count_max=1, stream_yield_seconds=0.5)
    with unread(service, question()):
        stays(lambda: service.state().watches.streams == 1, 1.0)
        Watching(service, question()).next()
        assert service.state().watches.streams == 1


def test_a_slow_reader_gets_the_newest_state(start: Start) -> None:
    """It misses states, never the last one; and the server keeps no message for it."""
    service = start()
    # More than gRPC holds for a client that does not read.
    vendors = range(2_000)
    service.write(*(call(f"0.{vendor}", NOW_S - 10, vendor) for vendor in vendors))
    options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)]
    options.append(("grpc.max_receive_message_length", -1))
    with grpc.insecure_channel(service.address, options) as channel:
        stub = TrafficServiceStub(channel)
        watching = Watching(service, question("CALLS", "ASR", last_bins=40, **BY_VENDOR), stub)
        watching.next()
        for step in range(1, 9):
            setup_s = pass_time(service, 60) // SECOND_US - 5
            service.write(*(call(f"{step}.{vendor}", setup_s, vendor) for vendor in vendors))
            wait_for_evaluations(service, 2)
        watching.next_with(pass_time(service, 1))
        watching.check()
        assert watching.revisions[-1] <= 6, "fewer messages than the ten states"
        watching.call.cancel()


def test_a_stopping_server_ends_its_watches_at_once(start: Start) -> None:
    service = start(stop_grace_seconds=30.0)
    watching = Watching(service, question())
    watching.next()
    with unread_beside(service):
        begin_s = time.monotonic()
        service.stop()
        assert time.monotonic() - begin_s < 5
    refused = refusal(lambda: [watching.next() for _ in range(100)])
    assert (refused.code, refused.info.reason) == (Code.UNAVAILABLE, "SERVER_STOPPING")


@contextmanager
def unread_beside(service: Service) -> Iterator[None]:
    """Opens a second stream, whose client reads nothing."""
    with Peer(service.address, opening=NO_WINDOW) as peer:
        stream = peer.open_call(peer.block(METHOD))
        peer.send_data(stream, message(question(**BY_VENDOR).SerializeToString()), time.monotonic() + 5)
        wait_until(lambda: service.state().watches.streams == 2)
        yield


def test_a_watch_of_an_old_connection_ends(start: Start) -> None:
    service = start(connection_age_seconds_max=1.5)
    watching = Watching(service, question())
    watching.next()
    refused = refusal(lambda: [watching.next() for _ in range(100)])
    assert (refused.code, refused.info.reason) == (Code.UNAVAILABLE, "CONNECTION_AGE")


def test_a_revoked_key_ends_its_watches_and_no_others(tmp_path: Path) -> None:
    with guarded(tmp_path) as held:
        made = held.create("wall", Scope.READ_REPORTS)
        ended = Watching(held.service, question(), metadata=sent(made.secret))
        other = Watching(held.service, question(), metadata=held.sent(Scope.READ_REPORTS))
        ended.next()
        other.next()
        held.call("RevokeCredential", admin_pb2.RevokeCredentialRequest(id=made.id))
        begin_s = time.monotonic()
        refused = refusal(ended.next)
        assert (refused.code, refused.info.reason) == (Code.UNAUTHENTICATED, "CREDENTIAL_REFUSED")
        assert time.monotonic() - begin_s < 5
        held.service.write(call("a", NOW_S))
        other.next_with(pass_time(held.service, 1))


def test_an_expired_key_ends_its_watches_and_not_those_of_the_key_after_it(tmp_path: Path) -> None:
    """Both are of one credential, so that their watchers have one turn."""
    with guarded(tmp_path, Config(stream_look_seconds=60.0)) as held:
        made = held.create("wall", Scope.READ_REPORTS)
        before = Watching(held.service, question(), metadata=sent(made.secret))
        before.next()
        rotated = held.call(
            "RotateCredential", admin_pb2.RotateCredentialRequest(id=made.id, overlap_seconds=60)
        )
        after = Watching(held.service, question(), metadata=sent(rotated.secret))
        after.next()
        after.next_with(pass_time(held.service, 61))
        refused = refusal(lambda: [before.next() for _ in range(100)])
        assert (refused.code, refused.info.reason) == (Code.UNAUTHENTICATED, "CREDENTIAL_REFUSED")
        held.service.write(call("a", held.service.now_us // SECOND_US))
        after.next_with(pass_time(held.service, 1))


def test_a_figure_that_the_credential_hides_is_denied(tmp_path: Path) -> None:
    with guarded(tmp_path) as held:
        scope = admin_pb2.DataScope(hidden_metrics=["METRIC_ASR"])
        made = held.create("blind", Scope.READ_REPORTS, data_scope=scope)
        watching = Watching(held.service, question("CALLS", "ASR"), metadata=sent(made.secret))
        refused = refusal(watching.next)
        assert (refused.code, refused.info.reason) == (Code.PERMISSION_DENIED, "ACCESS_DENIED")
        assert refused.metadata["field"] == "query.metrics[1].metric"


class FailingStore:
    """Makes scans of a store fail while `is_failing`."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_failing = False
        self._scan = service.store.traffic_partials
        monkeypatch.setattr(service.store, "traffic_partials", self._traffic_partials)

    def _traffic_partials(self, *given: Any) -> Any:
        if self.is_failing:
            raise StoreUnavailableError("the cluster does not answer", 1.0)
        return self._scan(*given)


def test_a_watch_outlasts_a_store_that_is_unavailable_for_a_while(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start()
    store = FailingStore(service, monkeypatch)
    watching = Watching(service, question())
    watching.next()
    store.is_failing = True
    wait_until(lambda: service.state().watches.failed_evaluations >= 2)
    service.write(call("a", NOW_S))
    now_us = pass_time(service, 1)
    store.is_failing = False
    watching.next_with(now_us)
    watching.check()


def test_a_watch_of_a_store_that_stays_unavailable_ends(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start(watch_retry_seconds_max=1.5)
    store = FailingStore(service, monkeypatch)
    watching = Watching(service, question())
    watching.next()
    store.is_failing = True
    assert refusal(watching.next).code == Code.UNAVAILABLE
    # A new one has no state that it could go on with.
    begin_s = time.monotonic()
    assert refusal(Watching(service, question()).next).code == Code.UNAVAILABLE
    assert time.monotonic() - begin_s < 1.5
    wait_until(lambda: service.state().watches.queries == 0)


def test_a_fault_of_an_evaluation_ends_its_streams(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start()

    def fail(*_: Any) -> None:
        raise ValueError("a fault")

    watching = [Watching(service, question()) for _ in range(2)]
    for each in watching:
        each.next()
    monkeypatch.setattr(service.store, "traffic_partials", fail)
    for each in watching:
        refused = refusal(each.next)
        assert (refused.code, refused.info.reason) == (Code.INTERNAL, "INTERNAL_FAULT")
    wait_until(lambda: service.state().watches.queries == 0)


def test_an_answer_of_too_many_values_ends(start: Start) -> None:
    service = start(watch_value_count_max=5)
    refused = refusal(Watching(service, question()).next)
    assert (refused.code, refused.info.reason) == (Code.INVALID_ARGUMENT, "CELL_LIMIT_EXCEEDED")
    assert "6 values" in refused.message
    assert "watch_value_count_max" in refused.message


def test_rules_for_too_many_groups_end_one_stream(start: Start) -> None:
    """An alert takes far more than a value: a stream may have as many as an answer has values."""
    service = start(watch_value_count_max=6)
    service.write(call("a", NOW_S - 90))
    rules = [rule(0, "ABOVE", -count) for count in range(1, 8)]
    watching = Watching(service, question(rules=rules[:6]))
    assert len(watching.next().alerts) == 6
    refused = refusal(Watching(service, question(rules=rules)).next)
    assert (refused.code, refused.info.reason) == (Code.INVALID_ARGUMENT, "CELL_LIMIT_EXCEEDED")
    assert "7 figures (groups times rules)" in refused.message
    watching.next_with(pass_time(service, 1))


def test_a_watch_outlasts_the_processor_time_of_its_credential(tmp_path: Path) -> None:
    with guarded(tmp_path, Config(credential_work_ms_per_second=1)) as held:
        watching = Watching(held.service, question(), metadata=held.sent(Scope.READ_REPORTS))
        watching.next()
        wait_for_evaluations(held.service, 1)
        assert watching.call.is_active()


def test_the_deadline_of_a_client_ends_its_stream_alone(start: Start) -> None:
    service = start()
    watching = Watching(service, question())
    brief = service.traffic.WatchTraffic(question(), timeout=1.5)
    watching.next()
    assert refusal(lambda: list(brief)).code == Code.DEADLINE_EXCEEDED
    service.write(call("a", NOW_S))
    watching.next_with(pass_time(service, 1))
    watching.check()
