"""The reports and the traffic question over a store, without a server."""

from collections.abc import Callable

from pegcount import core
from pegcount.config import Config
from pegcount.data_scope import DataScope
from pegcount.server.prepared_report import PreparedReport
from pegcount.server.reports import ReportService
from pegcount.server.traffic import TrafficService
from pegcount.server.visible_records import VisibleRecords
from pegcount.store import Store


class StoreReports:
    """The reports and the traffic question over what one caller may see of a store."""

    def __init__(
        self, config: Config, store: Store, clock: Callable[[], int], data_scope: DataScope | None = None
    ) -> None:
        self._methods = {**ReportService(config, clock).reports(), **TrafficService(config, clock).reports()}
        self._records = VisibleRecords(store, data_scope)

    def prepare(self, method: str, data: bytes, cancel_token: core.CancelToken) -> PreparedReport:
        return self._methods[method](data, self._records, cancel_token)
