"""The services of a server over its open store, and the methods by which clients reach them."""

from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Final

from google.protobuf.message_factory import GetMessageClass

from pegcount.config import LiveConfig
from pegcount.server.admin import AdminService
from pegcount.server.admin_runner import AdminRunner
from pegcount.server.audit import AuditLog, DeniedCalls
from pegcount.server.authentication import Authentication
from pegcount.server.credential_watch import follow_credentials, save_uses, watch_credentials
from pegcount.server.expiry_notice import ExpiryNotices
from pegcount.server.fault_health import CREDENTIALS_HEALTH, watch_fault
from pegcount.server.feed_health import FeedHealthService
from pegcount.server.health import SERVICE_NAME as HEALTH
from pegcount.server.health import HealthService
from pegcount.server.listener import Listener
from pegcount.server.places import end_old_streams
from pegcount.server.records import RecordService
from pegcount.server.reflection import REFLECTION_NAMES, ReflectionService
from pegcount.server.report_runner import ReportRunner
from pegcount.server.reports import ReportService
from pegcount.server.server_state import LaneLoad
from pegcount.server.traffic import TrafficService
from pegcount.server.watching import TrafficWatches
from pegcount.store import SourceRules, Store
from pegcount.v1 import admin_pb2, records_pb2, reports_pb2, traffic_pb2

_REPORT_SERVICES: Final = (
    reports_pb2.DESCRIPTOR.services_by_name["ReportService"],
    traffic_pb2.DESCRIPTOR.services_by_name["TrafficService"],
)
REPORT_METHODS: Final = {
    each.full_name: {method.name: method for method in each.methods if not method.server_streaming}
    for each in _REPORT_SERVICES
}
"""The methods that answer a report once, by service."""
_ADMIN_METHODS: Final = admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods
REPORTS, TRAFFIC = REPORT_METHODS
RECORDS: Final = records_pb2.DESCRIPTOR.services_by_name["RecordService"].full_name
ADMIN: Final = admin_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name
SERVICE_NAMES: Final = (REPORTS, TRAFFIC, RECORDS, ADMIN)


class Services:
    """What answers once the store is open. Used on the event loop only."""

    def __init__(
        self,
        live: LiveConfig,
        store: Store,
        clock: Callable[[], int],
        authentication: Authentication,
        main: Listener,
        of_admin: Listener | None,
    ) -> None:
        """Adds the methods of reports and records to the address `main`.

        `of_admin` is the address of AdminService, which may be `main`; None: it is not offered.
        """
        config = live.now
        self._live = live
        self._store = store
        self._authentication = authentication
        self._credentials = authentication.credentials
        self._reports = ReportRunner(live, store, main.unread_answers)
        rules = SourceRules(store)
        self.records = RecordService(live, store, rules)
        audit = AuditLog(config, store, clock)
        self._denied = DeniedCalls(config, audit)
        self._admin = AdminRunner(live, AdminService(config, store, rules, self._credentials), audit)
        self._reflection: ReflectionService | None = None
        notices = ExpiryNotices(config, self._credentials, clock)
        traffic = TrafficService(config, clock)
        for service, of_service in (
            (REPORTS, ReportService(config, clock).reports()),
            (TRAFFIC, traffic.reports() | FeedHealthService(config, clock).reports()),
        ):
            for name, prepare in of_service.items():
                message_class = GetMessageClass(REPORT_METHODS[service][name].output_type)
                behavior = notices.added(self._reports.behavior(prepare), message_class)
                main.calls.add_unary(f"{service}/{name}", behavior, self._reports.refusal)
        self.watches = TrafficWatches(live, traffic, self._reports, clock)
        main.calls.add_response_stream(
            f"{TRAFFIC}/WatchTraffic", self.watches.watch, self.watches.places.refusal
        )
        main.calls.add_stream(
            f"{RECORDS}/WriteRecords", self.records.write_records, self.records.places.refusal
        )
        if of_admin is not None:
            self._add_admin(of_admin)

    def add_reflection(self, listener: Listener, services: list[str]) -> None:
        """Adds reflection of some services, and of itself, to an address."""
        self._reflection = ReflectionService(self._live, services)
        for name in REFLECTION_NAMES:
            listener.calls.add_stream(f"{name}/ServerReflectionInfo", self._reflection.answer_stream)

    def set_health(self, health: HealthService) -> None:
        """Sets the health of what has a fault from the beginning; may wait for a disk."""
        health.set(RECORDS, serving=self._store.write_fault is None)
        if self._authentication.accepts_tokens:
            health.set(CREDENTIALS_HEALTH, serving=self._authentication.look() is None)

    def background_work(self, health: HealthService) -> Iterator[Coroutine[object, object, None]]:
        """Returns work that lasts as long as the services do."""
        config, store, authentication = self._live.now, self._store, self._authentication
        places = [self.records.places, self.watches.places]
        if self._reflection is not None:
            places.append(self._reflection.places)
        yield end_old_streams(places, config.stream_look_seconds)
        yield watch_credentials(self._credentials, config)
        yield follow_credentials(self._credentials, config.stream_look_seconds)
        yield watch_fault(health, RECORDS, lambda: store.write_fault, config.health_look_seconds)
        if authentication.accepts_tokens:
            look_seconds = config.token_key_look_seconds
            yield watch_fault(health, CREDENTIALS_HEALTH, authentication.look, look_seconds)

    def lane_loads(self) -> dict[str, LaneLoad]:
        """Returns how many reports of each lane run and wait; may be called on any thread."""
        return self._reports.loads()

    def save_uses(self) -> None:
        """Saves when each credential was last used, which may wait for a disk."""
        save_uses(self._credentials)

    def close(self) -> None:
        """Ends the threads of the services, whose calls have ended."""
        for service in (self.watches, self._reports, self._admin, self._denied):
            service.close()

    def _add_admin(self, listener: Listener) -> None:
        for method in _ADMIN_METHODS:
            behavior, denial = self._admin.behavior(method), partial(self._denied.add, method.name)
            listener.calls.add_unary(f"{ADMIN}/{method.name}", behavior, denial=denial)


def reflected(*, has_admin: bool, is_main: bool) -> list[str]:
    """Returns the services at the address where reflection answers, which is the main one or not."""
    admin = [ADMIN] if has_admin else []
    return [REPORTS, TRAFFIC, RECORDS, *admin, HEALTH] if is_main else [HEALTH, *admin]
