"""Runs each test that asks for `stores` over every store."""

import pytest

from conformance.stores import STORES, StoreFactory


@pytest.fixture(scope="session", params=STORES)
def stores(request: pytest.FixtureRequest) -> StoreFactory:
    return STORES[request.param]
