"""`core.Partials` that Python makes: the answers from them, and what they refuse."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pegcount import calendar, core
from pegcount.config import Config
from pegcount.errors import MemoryLimitError
from pegcount.model import Scan
from properties import budget
from properties.served import Refusal, SharedService, shared_service

from conformance.test_reports_equal_oracle import Scenario, scenarios

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

RESOURCES = core.QueryResources(Config())
UTC = calendar.zone("UTC")
EDGES = np.array([0, 86_400_000_000], np.int64)
BIG = 2**62


@budget.drawn(budget.scaled(60))
@given(scenario=scenarios(), seed=st.integers(0, 2**16))
def test_partials_made_again_in_any_order_give_the_same_answers(scenario: Scenario, seed: int) -> None:
    service = shared_service(scenario.config)
    service.load(scenario.delivery, scenario.world.now_us, scenario.world.decks.items())
    for request in scenario.requests:
        expected = service.ask(request)
        with remaking(service, random.Random(seed)) as remade_counts:
            found = service.ask(request)
        if isinstance(expected, Refusal):
            assert found == expected
        else:
            assert found.SerializeToString() == expected.SerializeToString()
            assert remade_counts


@contextmanager
def remaking(service: SharedService, shuffler: random.Random) -> Iterator[list[int]]:
    """Takes the partials of each scan apart and makes them again; yields their numbers of cells."""
    scanned, counts = service.partials, list[int]()

    def partials(scan: Scan, cell_count_max: int, cancel_token: core.CancelToken) -> core.Partials:
        found = scanned(scan, cell_count_max, cancel_token)
        counts.append(len(found.sums))
        return made_again(found, scan, shuffler)

    service.__dict__["partials"] = partials
    try:
        yield counts
    finally:
        del service.__dict__["partials"]


def made_again(found: core.Partials, scan: Scan, shuffler: random.Random) -> core.Partials:
    order = list(range(len(found.sums)))
    if scan.keys:
        shuffler.shuffle(order)
    return core.Partials(
        RESOURCES,
        bin_count=1 if scan.edge_us is None else max(0, len(scan.edge_us) - 1),
        sums=found.sums[order].reshape(-1, 3),
        bins=found.bins[order],
        keys=[reordered(key, order, shuffler) for key in found.keys],
        row_count=found.row_count,
    )


def reordered(key: Any, order: list[int], shuffler: random.Random) -> Any:
    """The column in another order; its texts, too, get other codes."""
    if not isinstance(key, tuple):
        return key[order]
    codes, texts = key
    shuffled = [0, *shuffler.sample(range(1, len(texts)), len(texts) - 1)]
    new_code = {old: new for new, old in enumerate(shuffled)}
    return np.array([new_code[codes[cell]] for cell in order], np.int64), [texts[old] for old in shuffled]


def made(**changes: Any) -> core.Partials:
    """Two cells of one bin with a key of texts and one of integers."""
    valid: dict[str, Any] = {
        "bin_count": 1,
        "sums": np.array([[1, 1, 5], [2, 0, 0]], np.int64),
        "bins": np.zeros(2, np.int64),
        "keys": [(ints(1, 0), ["", "a"]), ints(-(2**63), 7)],
        "row_count": 3,
    }
    return core.Partials(RESOURCES, **(valid | changes))


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


def test_partials_can_be_read() -> None:
    partials = made()
    assert partials.sums.tolist() == [[1, 1, 5], [2, 0, 0]]
    assert partials.bins.tolist() == [0, 0]
    (codes, texts), numbers = partials.keys
    assert (codes.tolist(), texts) == ([1, 0], ["", "a"])
    assert isinstance(numbers, np.ndarray)
    assert numbers.tolist() == [-(2**63), 7]
    empty = made(bin_count=0, sums=np.zeros((0, 3), np.int64), bins=ints(), keys=[])
    assert (empty.sums.shape, empty.bins.shape, empty.keys) == ((0, 3), (0,), [])


def test_columns_may_be_views_and_other_buffers() -> None:
    wide = np.arange(1, 25, dtype=np.int64).reshape(4, 6)
    partials = made(sums=wide[::2, ::2], bins=memoryview(ints(0, 0)))
    assert partials.sums.tolist() == [[1, 3, 5], [13, 15, 17]]


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "sums of two columns": ({"sums": np.zeros((2, 2), np.int64)}, r"sums have the shape \[2, 2\]"),
    "sums of one dimension": ({"sums": ints(1, 2, 3)}, r"sums have the shape \[3\]"),
    "floats": ({"sums": np.ones((2, 3))}, "sums are not an array of 64-bit integers"),
    "narrow integers": ({"bins": np.zeros(2, np.int32)}, "bins are not an array of 64-bit integers"),
    "a list": ({"bins": [0, 0]}, "bins are not an array"),
    "a negative sum": ({"sums": np.array([[1, 0, 0], [1, 0, -1]], np.int64)}, "cell 1 has a negative sum"),
    "a cell of nothing": ({"sums": np.array([[1, 0, 0], [0, 0, 0]], np.int64)}, "cell 1 counts nothing"),
    "an overflow": ({"sums": np.array([[1, 0, BIG], [1, 0, BIG]], np.int64)}, "exceeds 64 bits"),
    "too few bins": ({"bins": ints(0)}, "a column has 1 values, and there are 2 cells"),
    "a bin too high": ({"bins": ints(0, 1)}, "cell 1 has bin 1, and there are 1"),
    "a negative bin": ({"bins": ints(-1, 0)}, "cell 0 has bin -1"),
    "a short key": ({"keys": [ints(1)]}, "a column has 1 values"),
    "a key of floats": ({"keys": [np.ones(2)]}, "the integers of a key are not"),
    "a code too high": ({"keys": [(ints(0, 2), ["", "a"])]}, "cell 1 has code 2, and there are 2"),
    "a negative code": ({"keys": [(ints(0, -1), ["", "a"])]}, "cell 1 has code -1"),
    "no absent text": ({"keys": [(ints(0, 1), ["b", "a"])]}, "entry 0"),
    "no text": ({"keys": [(ints(0, 0), [])]}, "entry 0"),
    "a text twice": ({"keys": [(ints(1, 2), ["", "a", "a"])]}, '"a" twice'),
    "a group twice": ({"keys": [(ints(1, 1), ["", "a"])]}, "cell 1 has the bin and the group"),
    "without keys, a bin that lacks": ({"bin_count": 3, "bins": ints(0, 1), "keys": []}, "in order"),
    "without keys, another order": ({"bin_count": 2, "bins": ints(1, 0), "keys": []}, "in order"),
}


@pytest.mark.parametrize(("changes", "problem"), INVALID.values(), ids=INVALID)
def test_what_no_scan_returns_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        made(**changes)


def test_partials_count_towards_the_memory_of_reports() -> None:
    resources = core.QueryResources(Config(query_memory_bytes_max=1_000))
    sums = np.array([[1, 0, 0]], np.int64)
    arguments: dict[str, Any] = {"bin_count": 1, "bins": ints(0), "sums": sums, "row_count": 1}
    small = core.Partials(resources, keys=[(ints(1), ["", "a"])], **arguments)
    assert 0 < resources.query_memory_bytes < 1_000
    with pytest.raises(MemoryLimitError):
        core.Partials(resources, keys=[(ints(1), ["", "a" * 1_000])], **arguments)
    del small
    assert resources.query_memory_bytes == 0


def answers_of_others() -> dict[str, Any]:
    """Each report, over partials of another shape than it needs."""
    limits: dict[str, Any] = {
        "header": b"",
        "limits": core.AnswerLimits(core.CancelToken(None), 2**30, 2**30),
    }
    two_edges: dict[str, Any] = {"edges": EDGES, "zone": UTC, **limits}
    shown: dict[str, Any] = {"with_answers": True, "with_durations": True}
    usage: dict[str, Any] = {"warmup_bin_count": 0, "sma_period": None, "now_us": 0, **two_edges}
    active: dict[str, Any] = {"order": [], "limit": None, "rollup": True, "zone": UTC, **limits}
    later: dict[str, Any] = {"bin_count": 9, "bins": ints(0, 8)}
    by_bin: dict[str, Any] = {"bin_count": 2, "bins": ints(0, 1), "keys": []}
    texts = {"keys": [(ints(1, 0), ["", "a"]), (ints(1, 1), ["", "b"])]}
    folder = ["folder", "agent_id", "quantity"]
    return {
        "usage, with keys": lambda: core.usage_response(made(), **usage),
        "usage, of more bins": lambda: core.usage_response(made(**by_bin), **usage),
        "quality, with keys": lambda: core.quality_response(
            made(), clipped_us=EDGES, calendar_us=EDGES, **limits, **shown
        ),
        "quality, of more bins": lambda: core.quality_response(
            made(**by_bin), clipped_us=EDGES, calendar_us=EDGES, **limits, **shown
        ),
        "folder, of a later bin": lambda: core.folder_response(made(**later, **texts), **two_edges, **shown),
        "folder, of a number": lambda: core.folder_response(made(), **two_edges, **shown),
        "active, of a later bin": lambda: core.active_response(made(**later), fields=["folder"], **active),
        "active, of a key more": lambda: core.active_response(
            made(), fields=["orig_clients_name", "quantity"], **active
        ),
        "active, of a key less": lambda: core.active_response(
            made(), fields=["orig_clients_name", "equipment_id", "orig_clients_id"], **active
        ),
        "active, of texts for numbers": lambda: core.active_response(
            made(), fields=["equipment_id", "orig_clients_id"], **active
        ),
        "active, of numbers for texts": lambda: core.active_response(
            made(), fields=["orig_clients_name", "term_clients_name"], **active
        ),
        "active, of no field of it": lambda: core.active_response(made(**texts), fields=folder, **active),
    }


@pytest.mark.parametrize("name", answers_of_others())
def test_an_answer_refuses_the_partials_of_another_scan(name: str) -> None:
    with pytest.raises(ValueError, match=r"partial aggregates|the core knows no"):
        answers_of_others()[name]()
