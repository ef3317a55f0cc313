"""Rules of style that matter enough to fail a build."""

import ast
import re
from dataclasses import fields
from functools import cache
from pathlib import Path
from tempfile import gettempdir

import grpc
import pytest
from pegcount.config import Config, Tuning
from pegcount.core import tuning_defaults
from proto_comments import enum_comments
from rust_source import code_of, outside_tests

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "python" / "pegcount"
CLIENT = ROOT / "clients" / "python" / "pegcount_client"
CORE = ROOT / "rust" / "aggcore"
NOT_OURS = {"target", "node_modules", "v1", "__pycache__", "dist", "data"}
"""Folders of what is built, generated or kept for one machine; so are those that begin with a dot."""


def sources(suffix: str, *folders: Path) -> list[Path]:
    """Our own files of a kind."""
    found = [path for folder in folders or (ROOT,) for path in folder.rglob(f"*{suffix}")]
    return sorted(path for path in found if path.is_file() and is_ours(path))


def is_ours(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return not any(part in NOT_OURS or (part.startswith(".") and part != ".ci") for part in parts)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


PYTHON = sources(".py")
RUST = sources(".rs")

# ---- Shape ----

SHARED = {
    "config",
    "data_scope",
    "errors",
    "feeds",
    "masked",
    "model",
    "privacy",
    "suggestion",
    "time_hints",
    "time_text",
    "traffic",
    "zone",
}
MAY_IMPORT = {
    "suggestion": set[str](),
    "masked": set[str](),
    "data_scope": set[str](),
    "privacy": set[str](),
    "zone": set[str](),
    "host_port": set[str](),
    "errors": set[str](),
    "config": set[str](),
    "counters": set[str](),
    "backlog": set[str](),
    "logs": {"backlog", "errors", "masked", "server", "settings"},
    "settings": {"config", "errors", "host_port", "suggestion"},
    "time_text": {"zone"},
    "time_hints": {"errors", "suggestion", "time_text"},
    "model": {"data_scope", "zone"},
    "traffic": {"model", "zone"},
    "feeds": {"zone"},
    "request": SHARED | {"auth", "calendar", "v1"},
    "calendar": SHARED,
    "auth": SHARED | {"calendar", "core", "v1"},
    "core": {"_aggcore"},
    "write_outcome": {"model", "v1"},
    "store": SHARED | {"core", "counters", "v1", "write_outcome"},
    "response": SHARED | {"core", "v1"},
    "importers": SHARED | {"v1"},
    "export": {"core", "v1"},
    "server": SHARED
    | {"auth", "request", "calendar", "store", "core", "counters", "host_port", "response", "v1", "version"},
    "metrics": {
        "core",
        "counters",
        "errors",
        "host_port",
        "model",
        "server",
        "store",
        "v1",
        "version",
        "zone",
    },
    "process": {"auth", "config", "errors", "settings", "store", "server"}
    | {"logs", "metrics", "tracing", "version"},
    "tracing": {"backlog", "errors", "server", "version"},
    "client": {"config", "errors", "model", "v1", "write_outcome"},
    "cli": SHARED
    | {
        "auth",
        "calendar",
        "client",
        "core",
        "export",
        "importers",
        "logs",
        "process",
        "server",
        "settings",
        "store",
        "v1",
        "version",
    },
    "version": set[str](),
    "__main__": {"cli"},
}
"""What each part of the package may import of the others. The steps of a request do not know each other,
except that validation looks up time zones in the calendar, and what a credential may be in `auth`."""


def imports_of(tree: ast.AST) -> set[str]:
    """Full names of what a module imports; of `from a import b`, `a.b`."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def importing(module: str) -> set[str]:
    """Files of the package that import a module or something of it."""
    return {
        name_of(path)
        for path in sources(".py", PACKAGE)
        if any(f"{name}.".startswith(f"{module}.") for name in imports_of(tree_of(path)))
    }


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", sources(".py", PACKAGE), ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    ours = [name.split(".")[1] for name in imports_of(tree_of(path)) if name.startswith("pegcount.")]
    assert set(ours) - {part} <= MAY_IMPORT[part]


@pytest.mark.parametrize("path", sources(".py", CLIENT), ids=name_of)
def test_the_client_knows_the_contract_and_nothing_else_of_the_service(path: Path) -> None:
    """It is installed without the service."""
    names = imports_of(tree_of(path))
    of_service = {name for name in names if name == "pegcount" or name.startswith("pegcount.")}
    assert {name for name in of_service if not name.startswith("pegcount.v1.")} == set()


def test_every_part_is_there() -> None:
    """A rule about a part that has gone would hold for ever."""
    assert {
        path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in sources(".py", PACKAGE)
    } == set(MAY_IMPORT)


def test_one_file_imports_the_extension() -> None:
    assert importing("pegcount._aggcore") == {"python/pegcount/core.py"}


def test_one_file_reads_zone_rules() -> None:
    assert importing("zoneinfo") == {"python/pegcount/calendar/zones.py"}


def test_one_package_and_the_client_know_grpc() -> None:
    modules = ("grpc", "grpc_health", "grpc_reflection", "grpc_status", "google.rpc")
    knowing = {name for module in modules for name in importing(module)}
    assert "python/pegcount/server/app.py" in knowing
    others = {name for name in knowing if not name.startswith("python/pegcount/server/")}
    assert others == {"python/pegcount/client.py"}


def test_one_folder_knows_pyo3_and_four_files_are_unsafe() -> None:
    code = {path.relative_to(CORE / "src").as_posix(): code_of(path) for path in sources(".rs", CORE / "src")}
    assert {name.split("/")[0] for name, text in code.items() if "pyo3" in text} == {"python"}
    unsafe = [name for name, text in code.items() if re.search(r"\bunsafe\b", text)]
    # The last two map files, handle their signals, and read columns in place.
    assert sorted(unsafe) == [
        "python/allocator.rs",
        "python/joined_bytes.rs",
        "storage/segment/guarded_map.rs",
        "storage/segment/ipc_file.rs",
    ]


def test_reports_see_the_store_through_the_scope_of_their_caller() -> None:
    """One file adds the data scope to every scan; a report that has the store could forget it."""
    of_reports = [
        *("existence", "feed_advice", "feed_health", "feed_scans", "hidden_figures", "missing_values"),
        *("notices", "prepared_report", "report_cost", "report_queries", "reports", "traffic"),
        *("traffic_scans", "unseen_values"),
    ]
    importers = importing("pegcount.store")
    assert "python/pegcount/server/visible_records.py" in importers
    assert importers & {f"python/pegcount/server/{name}.py" for name in of_reports} == set()


def test_no_utils() -> None:
    names = {part for path in PYTHON + RUST for part in (*path.relative_to(ROOT).parts[:-1], path.stem)}
    assert names & {"util", "utils", "helper", "helpers", "misc"} == set()


# ---- Layers of the core ----

LAYERS = [
    {"error", "tuning"},
    {"cancellation", "memory", "private_files", "record"},
    {"columns", "interruptible_sort", "native", "time_text"},
    {"wire"},
    {"scan"},
    {"response", "storage"},
    {"durable", "ledger"},
    {"python"},
]
"""Folders and files of the core, lowest first: each may import lower layers, and itself."""

LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}
CORE_IMPORT = re.compile(r"\bcrate::(\w+)")


def room_of(path: Path) -> str:
    """The folder of the core that a file is in, or the file itself at the top."""
    return path.relative_to(CORE / "src").parts[0].removesuffix(".rs")


CORE_FILES = [path for path in sources(".rs", CORE / "src") if room_of(path) != "lib"]


@pytest.mark.parametrize("path", CORE_FILES, ids=name_of)
def test_a_layer_of_the_core_imports_only_lower_ones(path: Path) -> None:
    room = room_of(path)
    imported = set(CORE_IMPORT.findall(outside_tests(code_of(path)))) - {room}
    assert {name for name in imported if LAYER_OF[name] >= LAYER_OF[room]} == set()


def test_each_room_of_the_core_has_a_layer() -> None:
    assert {room_of(path) for path in CORE_FILES} == set(LAYER_OF)


def test_the_core_says_its_layers_in_order() -> None:
    """The list at the top of lib.rs is the one that the test above holds the code to."""
    said = re.findall(
        r"^//! (\d+)\. (.*)$", (CORE / "src" / "lib.rs").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [set(re.findall(r"`(\w+)`", names)) for _, names in said] == LAYERS


# ---- Layers of the cluster ----

CLUSTER_LAYERS = [{"wire"}, {"tables"}, {"shared"}, {"reading", "writing"}, {"rewriting"}]
"""Packages of the store in a cluster, lowest first: each may import lower ones, and itself. The files beside
them are the store and its background work, which import all."""

CLUSTER_LAYER_OF = {name: number for number, names in enumerate(CLUSTER_LAYERS) for name in names}
CLUSTER = PACKAGE / "store" / "clickhouse"
CLUSTER_FILES = [path for path in sources(".py", CLUSTER) if path.parent != CLUSTER]


@pytest.mark.parametrize("path", CLUSTER_FILES, ids=name_of)
def test_a_layer_of_the_cluster_imports_only_lower_ones(path: Path) -> None:
    own = path.relative_to(CLUSTER).parts[0]
    found = [name.split(".") for name in imports_of(tree_of(path))]
    imported = {name[3] for name in found if name[:3] == ["pegcount", "store", "clickhouse"]} - {own}
    assert {name for name in imported if CLUSTER_LAYER_OF[name] >= CLUSTER_LAYER_OF[own]} == set()


def test_each_package_of_the_cluster_has_a_layer() -> None:
    assert {path.parent.name for path in CLUSTER_FILES} == set(CLUSTER_LAYER_OF)


# ---- Words ----

STILTED = re.compile(r"\b(?:is|are) no\b|\b[Ss]o many\b")


def prose_of(path: Path) -> list[str]:
    """The comments and docstrings of a file, or the lines of a page without commands and their output."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return [line for line in text.splitlines() if not line.startswith("    ")]
    if path.suffix == ".rs":
        return [line for line in text.splitlines() if line.lstrip().startswith("//")]
    comments = [line for line in text.splitlines() if line.lstrip().startswith("#")]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [ast.get_docstring(node) for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
    return comments + [line for doc in found if doc for line in doc.splitlines()]


@pytest.mark.parametrize("kind", [".py", ".rs", ".md"])
def test_prose_says_what_happens_and_not_what_is_not(kind: str) -> None:
    """A negation as predicate, or a number without its name, makes a reader translate the sentence first."""
    lines = {path: prose_of(path) for path in sources(kind)}
    assert sum(len(found) for found in lines.values()) > 100
    stilted = [
        f"{name_of(path)}: {line}" for path, found in lines.items() for line in found if STILTED.search(line)
    ]
    assert stilted == []


# ---- Code ----

MAY_PANIC = re.compile(r"\.(?:unwrap|expect)\(|\b(?:panic|todo|unimplemented|unreachable)!")


def is_test_module(path: Path) -> bool:
    """Whether a file is `tests.rs`, or below a folder `tests`: the compiler takes these only for tests."""
    return "tests" in path.relative_to(CORE / "src").with_suffix("").parts


CORE_OUTSIDE_TESTS = [path for path in sources(".rs", CORE / "src") if not is_test_module(path)]


@pytest.mark.parametrize("path", CORE_OUTSIDE_TESTS, ids=name_of)
def test_the_core_does_not_panic_on_purpose(path: Path) -> None:
    assert MAY_PANIC.findall(outside_tests(code_of(path))) == []


def test_no_file_names_a_place_on_one_machine() -> None:
    # The home of root and the folders of temporary files have the same names everywhere.
    homes = [str(path) for path in (ROOT, Path.home()) if path != Path("/root")]
    if ROOT.parent not in (Path(ROOT.anchor), Path("/tmp"), Path(gettempdir())):
        homes.append(str(ROOT.parent))
    named = "|".join([re.escape(home) for home in homes] + [r"/(?:home|Users)/\w+"])
    place = re.compile(rf"(?<![\w.}}])(?:{named})(?:/|\b)")
    kinds = (
        ".py",
        ".pyi",
        ".rs",
        ".md",
        ".toml",
        ".proto",
        ".sh",
        ".ipynb",
        ".yaml",
        ".txt",
        ".in",
        ".case",
        "Makefile",
    )
    found = {
        name_of(path): match[0]
        for kind in kinds
        for path in sources(kind)
        if (match := place.search(path.read_text(encoding="utf-8")))
    }
    assert found == {}


# ---- Limits and the contract ----


SETTINGS = [(kind.__name__, field.name) for kind in (Config, Tuning) for field in fields(kind)]


CORE_ARGUMENTS = (CORE / "src" / "python" / "arguments.rs").read_text(encoding="utf-8")


def is_read_by_the_core(name: str) -> bool:
    return name in tuning_defaults() or f'getattr("{name}")' in CORE_ARGUMENTS


@cache
def attributes_read() -> set[str]:
    """Names of all attributes that the package reads, outside of its settings."""
    return {
        node.attr
        for path in sources(".py", PACKAGE)
        if path.name != "config.py"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
    }


@pytest.mark.parametrize(("kind", "name"), SETTINGS)
def test_each_setting_is_used_and_explained(kind: str, name: str) -> None:
    classes = (node for node in tree_of(PACKAGE / "config.py").body if isinstance(node, ast.ClassDef))
    (settings,) = (node for node in classes if node.name == kind)
    place = [getattr(getattr(node, "target", None), "id", None) for node in settings.body].index(name)
    meaning = settings.body[place + 1]
    assert isinstance(meaning, ast.Expr)
    assert len(ast.literal_eval(meaning.value)) > 20
    assert name in attributes_read() or is_read_by_the_core(name), "nothing reads this setting"


RUST_CONSTANT = re.compile(r"^(?:pub(?:\([^)]*\))? )?static (?:mut )?(\w+): (.*)$", re.MULTILINE)


def test_the_core_shares_no_state_between_stores() -> None:
    """Statics are tables that never change; the allocator is that of the extension module."""
    statics = {
        match[1]: match[2]
        for path in sources(".rs", CORE / "src")
        for match in RUST_CONSTANT.finditer(outside_tests(code_of(path)))
    }
    # A process has one handler of SIGBUS, which finds the mapped files of all stores in a table.
    of_signal_handler = {"CHUNKS", "TABLE", "PREVIOUS"}
    assert set(statics) <= {"ALLOCATOR", "LANES_OF_BITS", "SET_BITS", "UNANSWERED_MS"} | of_signal_handler


@pytest.mark.parametrize(("value", "comment"), enum_comments().items(), ids=enum_comments())
def test_each_enum_value_is_explained(value: str, comment: str) -> None:
    assert comment.endswith("."), "a sentence"
    if value.startswith("ERROR_REASON_") and value != "ERROR_REASON_UNSPECIFIED":
        assert comment.partition(".")[0] in grpc.StatusCode.__members__
        # What a caller is told in numbers stands in the metadata, under the names that the comment lists.
        listed = re.search(r"Metadata: (perhaps )?`", comment) is not None
        assert listed == ("`" in comment.partition("Metadata:")[2])


def test_there_are_enums() -> None:
    assert {"ERROR_REASON_INTERNAL_FAULT", "NOTICE_CODE_RANGE_REVERSED", "SCOPE_ADMIN"} < set(enum_comments())
