"""Each query of the dashboard and each series of an alert has data, from a server under everyday traffic."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from waiting import wait_until

from operations import queries
from operations.installation import installed
from operations.prometheus import OPS, Prometheus, scraping
from operations.traffic import Source, dear_report, guess, repeating, usual

_DATA_SECONDS_MAX = float(os.environ.get("PEGCOUNT_QUERY_SECONDS", "120"))
_SETTINGS = {
    "seal_row_count": "200",
    "seal_age_seconds": "1",
    "waiting_call_count_max": "1",
    "worker_count": "1",
    "tuning.inline_cost_us_max": "1",
    "tuning.small_cost_us_max": "2",
}


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Prometheus]:
    with (
        installed(tmp_path / "data", tmp_path / "server", _SETTINGS) as server,
        scraping(server.metrics, (OPS / "alerts.yml").read_text(encoding="utf-8"), tmp_path / "p") as found,
        usual(server, Source(server, "sbc1", 50), Source(server, 'a "quoted" source', 50)),
        repeating(server, guess(server), 1.0),
        repeating(server, dear_report(server), 0.1, count=6),
    ):
        yield found


def test_each_query_has_data(prometheus: Prometheus) -> None:
    asked = list(queries.of_dashboard())
    rules = prometheus.rules()
    asked += [query for name, expression in rules.items() for query in queries.of_alert(name, expression)]
    assert len(rules) > 20
    counts = dict.fromkeys(asked, 0)

    def all_have_data() -> bool:
        counts.update(
            {query: len(prometheus.query(query.expression)) for query in asked if not counts[query]}
        )
        return all(counts.values())

    try:
        wait_until(all_have_data, "data of each query", _DATA_SECONDS_MAX, look_seconds=1.0)
    finally:
        print(f"\n{'series':>6}  query")
        for query, count in counts.items():
            print(f"{count:>6}  {query.origin}: {query.expression}")
