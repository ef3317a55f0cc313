"""Reads the records of a cluster: the answers to scans, and what there is."""

from collections.abc import Sequence
from typing import Protocol

from pegcount import core
from pegcount.config import Config
from pegcount.errors import MemoryLimitError, ShardFaultError
from pegcount.model import Measure, Predicate, Scan, StoreInfo
from pegcount.store.clickhouse.reading.ledger_contents import LedgerContents
from pegcount.store.clickhouse.reading.sql import scan_query
from pegcount.store.clickhouse.reading.traffic_sql import traffic_select
from pegcount.store.clickhouse.shared.decks import DeckInUse
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.failures import TOO_LONG_ANSWER
from pegcount.store.clickhouse.wire.form import Query
from pegcount.traffic import TrafficScan


class Decks(Protocol):
    """The code decks of a cluster."""

    def deck(self, deck_id: int, cancel_token: core.CancelToken) -> DeckInUse:
        """Returns the newest version of a deck.

        Raises CodeDeckNotFoundError with the ids of all decks, CancelledError or DeadlineError.
        """


class LedgerReader:
    """Answers scans from the ledgers of all shards. Thread-safe.

    Methods raise CancelledError or DeadlineError on behalf of their token, and what `Shard` raises.
    """

    def __init__(
        self, cluster: Cluster, config: Config, resources: core.QueryResources, decks: Decks
    ) -> None:
        self._cluster = cluster
        self._resources = resources
        self._decks = decks
        self._contents = LedgerContents(cluster)
        self._info_seconds_max = config.query_seconds_max
        self._answer_bytes_max = config.query_memory_bytes_max

    def partials(self, scan: Scan, cell_count_max: int, cancel_token: core.CancelToken) -> core.Partials:
        """Returns sums per bin and group; see `Store.partials`."""
        cancel_token.check()
        deck = None if scan.code_deck is None else self._decks.deck(scan.code_deck, cancel_token)
        bin_count = 1 if scan.edge_us is None else max(0, len(scan.edge_us) - 1)
        query = scan_query(scan, deck, cell_count_max)
        cells = core.CellSums(
            self._resources,
            bin_count=bin_count,
            keys=scan.keys,
            deck=None if deck is None else deck.deck,
            cell_count_max=cell_count_max,
        )
        if bin_count:
            for blocks in self._cluster.ask_all(query, cancel_token):
                cells.add(blocks)
        return cells.partials()

    def traffic_partials(
        self, scan: TrafficScan, cell_count_max: int, cancel_token: core.CancelToken
    ) -> core.TrafficPartials:
        """Returns measures per bin and group; see `Store.traffic_partials`."""
        cancel_token.check()
        deck = None if scan.code_deck is None else self._decks.deck(scan.code_deck, cancel_token)
        bin_count = max(0, len(scan.edge_us) - 1)
        select = traffic_select(scan, deck, cell_count_max, self._answer_bytes_max)
        cells = core.TrafficCells(
            self._resources,
            edge_us=scan.edge_us,
            keys=select.key_types,
            measures=[measure.how for measure in scan.measures],
            deck=None if deck is None else deck.deck,
            cell_count_max=cell_count_max,
        )
        if bin_count:
            for blocks in self._answers(select.query, cancel_token):
                cells.add(blocks)
        return cells.partials()

    def any_match(self, predicates: Sequence[Predicate], cancel_token: core.CancelToken) -> bool:
        """Returns whether any record satisfies all predicates; see `Store.any_match`."""
        scan = Scan(None, tuple(predicates), (), Measure("sessions"))
        return bool(self.partials(scan, 1, cancel_token).sums[0, 0])

    def first_day(self, cancel_token: core.CancelToken) -> int | None:
        """Returns the first UTC day that has a record, None without records; see `Store.first_day`."""
        return self._contents.first_day(cancel_token)

    def latest_setup_us(self, cancel_token: core.CancelToken) -> int | None:
        """Returns the latest setup time, None without records; see `Store.latest_setup_us`."""
        return self._contents.latest_setup_us(cancel_token)

    def info(self) -> StoreInfo:
        """Returns counts, sizes and the range of setup times; see `Store.info`.

        Raises DeadlineError if that takes longer than a report may take.
        """
        return self._contents.info(core.CancelToken(self._info_seconds_max))

    def _answers(self, query: Query, cancel_token: core.CancelToken) -> list[bytes]:
        """Asks each shard; raises MemoryLimitError if an answer has more bytes than a report may take."""
        try:
            return self._cluster.ask_all(query, cancel_token)
        except ShardFaultError as error:
            if error.code != TOO_LONG_ANSWER:
                raise
            allowed = self._answer_bytes_max
            raise MemoryLimitError(
                f"the report needs more than {allowed} bytes of memory; ask for fewer groups or fields",
                scope="report",
                asked=allowed + 1,
                allowed=allowed,
            ) from error
