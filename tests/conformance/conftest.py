"""Runs each test that asks for `stores` over every store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import seeds
from clickhouse.rig import LONG
from clickhouse.stores import ClickHouseStores, DualStores

from conformance.stores import STORES, StoreFactory

HERE = Path(__file__).parent


ALSO_DUAL = (
    *("test_audit", "test_credentials", "test_feed_health", "test_masking", "test_partials"),
    "test_versions",
)
"""Tests that a dual write has to pass as well: those without corrections and erasures, which it refuses."""


def pytest_configure(config: pytest.Config) -> None:
    line = "sampled(count): over a cluster, `make test` runs this number of its cases, which the seed draws"
    config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items[:] = [
        item
        for item in items
        if "[dual" not in item.name or item.path.parent != HERE or item.path.stem in ALSO_DUAL
    ]
    left_out = [] if LONG else _left_out(items)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _left_out(items: list[pytest.Item]) -> list[pytest.Item]:
    """Returns the cases over a cluster that the samples of their tests do not have."""
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled") and "[clickhouse-" in item.name:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out = []
    for name, found in cases.items():
        (mark,) = found[0].iter_markers("sampled")
        more = max(0, len(found) - mark.args[0])
        left_out += seeds.chance("sample of cases", name).sample(found, more)
    return left_out


@pytest.fixture(scope="session", params=[*STORES, "clickhouse", *(["dual"] if LONG else [])])
def stores(request: pytest.FixtureRequest) -> StoreFactory:
    if request.param == "clickhouse":
        return ClickHouseStores(request.getfixturevalue("cluster"))
    if request.param == "dual":
        return DualStores(request.getfixturevalue("cluster"))
    return STORES[request.param]


@pytest.fixture(autouse=True)
def places_go(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Removes the places of a test when it ends."""
    stores = request.getfixturevalue("stores") if "stores" in request.fixturenames else None
    yield
    if stores is not None:
        stores.remove_below(tmp_path)
