"""Rules for the tests themselves: none passes in silence, draws from an unknown seed, or waits for luck."""

import ast
from collections.abc import Iterator

import pytest
from test_tidy import ROOT, name_of, sources, tree_of

TESTS = sources(".py", ROOT / "tests")
TREES = {name_of(path).removeprefix("tests/"): tree_of(path) for path in TESTS}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_that_test(tree: ast.AST) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, Function) and node.name.startswith("test_"):
            yield node


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yields what a function has, without what is in functions within it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, Function | ast.Lambda):
            yield node
            yield from own_nodes(node)


def called(node: ast.AST) -> str:
    """Returns the dotted name of what is called, an empty text if it has none."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


# ---- Tests that pass in silence ----


def early_returns(tree: ast.AST) -> list[str]:
    return [
        f"{test.name}, line {node.lineno}"
        for test in functions_that_test(tree)
        for node in own_nodes(test)
        if isinstance(node, ast.Return)
    ]


def test_no_test_returns_early() -> None:
    """An example that decides nothing is discarded by `properties.budget.require`, which counts it."""
    assert {name: found for name, tree in TREES.items() if (found := early_returns(tree))} == {}


def unexplained_skips(tree: ast.AST) -> list[str]:
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if called(node) == "pytest.skip" and "NOT TESTED: " not in ast.unparse(node)
    ]


def test_a_skip_says_what_is_not_tested() -> None:
    assert {name: found for name, tree in TREES.items() if (found := unexplained_skips(tree))} == {}


# ---- Seeds ----


def unseeded(tree: ast.AST) -> list[str]:
    """Returns what draws at random, other than from a seed that the code was given."""
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if (name := called(node)).startswith(("random.", "secrets.", "np.random.", "uuid.uuid", "os.urandom"))
        and not (name == "random.Random" and has_seed(node))
    ]


def has_seed(call: ast.AST) -> bool:
    names = (getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(call))
    return any(name == "seed" or name.endswith("_seed") for name in names)


def fixed_seeds(tree: ast.AST) -> list[str]:
    """Returns what draws the same in each run."""
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if (isinstance(node, ast.keyword) and node.arg == "derandomize")
        or (called(node) == "pytest.mark.parametrize" and "'seed'" in ast.unparse(node).partition("[")[0])
        or (
            isinstance(node, ast.Assign)
            and "seed" in ast.unparse(node.targets[0]).lower()
            and is_literal(node)
        )
    ]


def is_literal(node: ast.Assign) -> bool:
    return isinstance(node.value, ast.Constant)


def test_the_seed_of_the_run_determines_everything_random() -> None:
    found = {
        name: [*unseeded(tree), *fixed_seeds(tree)] for name, tree in TREES.items() if name != "seeds.py"
    }
    assert {name: calls for name, calls in found.items() if calls} == {}


# ---- Sleeps ----

MAY_SLEEP = {
    "waiting.py": "looks again and again, for a bounded time",
    "clickhouse/test_power_cut.py": "cuts the power of a shard at any moment of the writing",
    "clickhouse/race_writer.py": "is slow between its look at the head and its insert",
    "clickhouse/test_several_servers.py": "freezes a shard or a server for some time",
    "faults/process.py": "kills a service at any moment of its start",
    "faults/test_clock.py": "lets a wrong clock run, and paces a client",
    "faults/test_kill.py": "kills a service at any moment of its writing",
    "faults/test_power_cut.py": "cuts the power at any moment of the writing",
    "faults/test_removed_files.py": "removes files at any moment of the writing",
    "faults/workload.py": "paces a client that resends",
    "load/attacks.py": "paces attacks, and holds connections for some time",
    "load/caller.py": "measures for some time, and paces callers",
    "load/dear_calls.py": "calls for some time",
    "load/pinned_server.py": "measures the processor time of an interval",
    "load/test_commit_waits.py": "writes at a rate",
    "load/test_connections.py": "calls in the middle of an attack",
    "load/test_deadlines.py": "leaves after a share of a report, and measures an interval",
    "load/test_lanes.py": "lets other calls begin before it measures",
    "load/test_overload.py": "gives the server the time in which it promises to release memory",
    "load/test_restarts.py": "lets a server serve between its restarts",
    "load/test_unread_answers.py": "lets an attack begin, and gives the server time to release memory",
    "load/test_write_streams.py": "paces a client that tries again",
    "server_tests/streams.py": "is a store that takes a time for each write",
    "soak/callers.py": "calls at a rate",
    "soak/test_soak.py": "lets the store seal what was written before it measures",
    "store_tests/test_credential_kill.py": "kills a writer at any moment of a change",
    "store_tests/test_kill.py": "kills a writer at any moment of a write",
    "server_tests/test_watch_evaluator.py": "looks again on an event loop, for a bounded time",
}
"""Files in which sleeping is the load itself. Whoever waits for something uses `waiting`."""


def sleeps(tree: ast.AST) -> bool:
    """Returns whether the code sleeps; `asyncio.sleep(0)` only lets the other tasks of a loop go first."""
    return any(
        called(node).rpartition(".")[2] == "sleep" and not is_turn(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
    )


def is_turn(call: ast.Call) -> bool:
    return ast.unparse(call) == "asyncio.sleep(0)"


def test_sleeping_is_the_load_itself() -> None:
    assert {name for name, tree in TREES.items() if sleeps(tree)} == set(MAY_SLEEP)


# ---- Private members ----

FROM_OTHERS = {"os._exit": "ends a forked process without the end of its parent"}
"""Members with a private name that are meant to be used."""


def private_members(tree: ast.AST) -> list[str]:
    """Returns private members that code uses of something other than itself, also as a text for a patch."""
    attributes = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and is_private(node.attr)
        if ast.unparse(node.value) not in ("self", "cls")
    ]
    patches = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if called(node).rpartition(".")[2] in ("setattr", "getattr", "delattr", "object", "patch")
        if isinstance(node, ast.Call)
        if any(is_private(text_of(argument).rpartition(".")[2]) for argument in node.args)
    ]
    imports = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and any(is_private(alias.name) for alias in node.names)
    ]
    return [found for found in [*attributes, *patches, *imports] if found not in FROM_OTHERS]


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def text_of(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_tests_do_not_reach_through_private_members() -> None:
    assert {name: found for name, tree in TREES.items() if (found := private_members(tree))} == {}


# ---- The rules find what they forbid ----


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (early_returns, "def test_a():\n    if x:\n        return\n    assert y"),
        (early_returns, "async def test_a():\n    for x in y:\n        return"),
        (unexplained_skips, "pytest.skip('no disk')"),
        (unseeded, "random.Random(7)"),
        (unseeded, "random.Random()"),
        (unseeded, "random.random()"),
        (unseeded, "secrets.randbelow(3)"),
        (fixed_seeds, "settings(derandomize=True)"),
        (fixed_seeds, "pytest.mark.parametrize('seed', range(3))"),
        (fixed_seeds, "seed = 3"),
        (sleeps, "time.sleep(1)"),
        (sleeps, "asyncio.sleep(1)"),
        (private_members, "store._engine"),
        (private_members, "patch.setattr(module, '_clear', 1)"),
        (private_members, "mock.patch('pegcount.server._loop')"),
        (private_members, "from pegcount.core import _engine"),
    ],
)
def test_a_rule_finds_what_it_forbids(rule: object, code: str) -> None:
    assert callable(rule)
    assert rule(ast.parse(code))


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (early_returns, "def test_a():\n    def one():\n        return 1\n    assert one() == 1"),
        (unexplained_skips, "pytest.skip(f'NOT TESTED: {why}')"),
        (unseeded, "random.Random(unit.seed)"),
        (unseeded, "seeds.chance('kill')"),
        (sleeps, "asyncio.sleep(0)"),
        (private_members, "self._engine"),
        (private_members, "store.__class__"),
    ],
)
def test_a_rule_allows_the_rest(rule: object, code: str) -> None:
    assert callable(rule)
    assert not rule(ast.parse(code))
