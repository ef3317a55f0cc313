"""The Rust core as Python sees it: its stub, its field tables, and the bytes that it answers with."""

import ast
import importlib
import inspect
import tempfile
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount import calendar, core, errors
from pegcount.config import Config, Tuning
from pegcount.model import Measure, OrderTerm, Scan
from pegcount.v1 import records_pb2, reports_pb2

STUB = Path(core.__file__).with_name("_aggcore.pyi")
MODULE = importlib.import_module("pegcount._aggcore")
UTC = calendar.zone("UTC")
HOUR_US = 3_600_000_000
SETUP_S = 1_774_771_200
"""2026-03-29T08:00:00Z."""


ALL_FIGURES: dict[str, Any] = {"with_answers": True, "with_durations": True}


def signature_of_stub(function: ast.FunctionDef) -> tuple[list[str], list[str]]:
    """Positional and keyword-only parameters, without `self` and `cls`."""
    others = (function.args.vararg, function.args.kwarg, *function.args.defaults)
    assert not any(others), function.name
    positional = [argument.arg for argument in function.args.args if argument.arg not in ("self", "cls")]
    return positional, [argument.arg for argument in function.args.kwonlyargs]


def signature_of_module(function: Any) -> tuple[list[str], list[str]]:
    kinds: dict[Any, list[str]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in ("self", "cls"):
            kinds.setdefault(parameter.kind, []).append(name)
            assert parameter.default is parameter.empty, (function, name)
    positional = kinds.pop(inspect.Parameter.POSITIONAL_OR_KEYWORD, [])
    keyword = kinds.pop(inspect.Parameter.KEYWORD_ONLY, [])
    assert not kinds, (function, kinds)
    return positional, keyword


def decorators_of(function: ast.FunctionDef) -> set[str]:
    return {node.id for node in function.decorator_list if isinstance(node, ast.Name)}


def stub_body(name: str | None = None) -> dict[str, ast.stmt]:
    """What the stub declares, in a class or at the top."""
    body: Sequence[ast.stmt] = ast.parse(STUB.read_text(encoding="utf-8")).body
    if name is not None:
        (class_,) = (node for node in body if isinstance(node, ast.ClassDef) and node.name == name)
        body = class_.body
    return {node.name: node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)}


def module_names(owner: Any) -> set[str]:
    return {name for name in vars(owner) if not name.startswith("__")}


def is_property(member: Any) -> bool:
    # PyO3 exposes a field that is itself a Python object as a member, all others by a getter.
    return inspect.isgetsetdescriptor(member) or inspect.ismemberdescriptor(member)


CLASSES = [name for name, node in stub_body().items() if isinstance(node, ast.ClassDef)]
FUNCTIONS = [name for name, node in stub_body().items() if isinstance(node, ast.FunctionDef)]


def test_the_stub_declares_what_the_module_has_and_core_hands_it_on() -> None:
    # Classes of arguments, which the core reads by their names.
    own = {"AnswerLimits", "ComparedTraffic", "RequiredFile"}
    assert module_names(MODULE) == set(CLASSES) | set(FUNCTIONS) == set(core.__all__) - own
    assert len(CLASSES) > 5
    assert len(FUNCTIONS) > 5


@pytest.mark.parametrize("name", FUNCTIONS)
def test_parameters_of_a_function(name: str) -> None:
    declared = stub_body()[name]
    assert isinstance(declared, ast.FunctionDef)
    assert signature_of_stub(declared) == signature_of_module(getattr(MODULE, name))


@pytest.mark.parametrize("name", CLASSES)
def test_members_of_a_class(name: str) -> None:
    class_, declared = getattr(MODULE, name), stub_body(name)
    assert module_names(class_) == set(declared) - {"__new__"}
    if "__new__" not in declared and not issubclass(class_, BaseException):
        with pytest.raises(TypeError, match=r"No constructor|cannot create"):
            class_()
    for member, function in declared.items():
        assert isinstance(function, ast.FunctionDef)
        found = inspect.getattr_static(class_, member)
        assert is_property(found) == ("property" in decorators_of(function)), member
        assert isinstance(found, staticmethod) == ("staticmethod" in decorators_of(function)), member
        if member == "__new__":
            assert signature_of_stub(function) == signature_of_module(class_)
        elif not is_property(found):
            assert signature_of_stub(function) == signature_of_module(getattr(class_, member)), member


def test_the_core_numbers_the_fields_of_a_record_as_the_contract_does() -> None:
    fields = records_pb2.SessionRecord.DESCRIPTOR.fields
    assert [field.number for field in fields] == list(range(1, 62))
    assert core.record_fields() == [field.name for field in fields]


def test_the_core_has_the_defaults_of_the_configuration() -> None:
    defaults = core.tuning_defaults()
    assert len(defaults) > 25
    assert defaults == {name: value for name, value in asdict(Tuning()).items() if name in defaults}


def call(
    session_id: str, setup_s: int = SETUP_S, answer_s: int | None = 10, **more: Any
) -> records_pb2.SessionRecord:
    """A call of 60 s and 500 ms after the answer, if there was one."""
    record = records_pb2.SessionRecord(session_id=session_id, setup_time=Timestamp(seconds=setup_s), **more)
    if answer_s is not None:
        record.answer_time.seconds = setup_s + answer_s
        record.end_time.FromMicroseconds((setup_s + answer_s + 60) * 1_000_000 + 500_999)
    return record


def engine_of(*records: records_pb2.SessionRecord) -> core.Engine:
    """An engine that has a directory only for as long as it takes the records in."""
    with tempfile.TemporaryDirectory() as directory:
        engine = core.Engine(Path(directory), Config())
        engine.create_journal()
        engine.use_journal()
        batch = records_pb2.WriteRecordsRequest(records=records).SerializeToString()
        pending = engine.submit(batch, 1, 0, None)
        response = engine.wait_for_response(pending, core.CancelToken(None))
        answer = records_pb2.WriteRecordsResponse.FromString(response)
        assert (answer.accepted, answer.replaced, answer.duplicates) == (len(records), 0, 0)
        assert not answer.rejected
    return engine


def sums(engine: core.Engine, measure: Measure, edges: Any = None, keys: Sequence[str] = ()) -> core.Partials:
    return engine.partials(Scan(edges, (), tuple(keys), measure), None, 1_000, core.CancelToken(None))


def hours(count: int) -> Any:
    return np.arange(count + 1, dtype=np.int64) * HOUR_US + SETUP_S * 1_000_000


def unlimited() -> dict[str, Any]:
    """No header, and limits that nothing exceeds."""
    return {"header": b"", "limits": core.AnswerLimits(core.CancelToken(None), 2**30, 2**30)}


def printing() -> dict[str, Any]:
    """As `unlimited`, and how times print."""
    assert UTC is not None
    return {**unlimited(), "zone": UTC}


def check_bytes(body: bytes, expected: Message) -> None:
    """Checks an answer, and that no byte of it is unknown or said twice."""
    message = type(expected).FromString(body)
    assert message == expected
    assert len(message.SerializeToString()) == len(body)


def test_usage() -> None:
    engine = engine_of(call("c1"), call("c2"), call("c3", SETUP_S + 3 * 3_600))
    edges = hours(4)
    body = core.usage_response(
        sums(engine, Measure("sessions"), edges),
        edges=edges,
        warmup_bin_count=1,
        sma_period=2,
        now_us=int(edges[3]),
        **printing(),
    )
    bins = [("09", 0, 1.0, True), ("10", 0, 0.0, True), ("11", 1, 0.5, False)]
    expected = reports_pb2.QueryAsrUsageResponse(
        bins=[
            reports_pb2.AsrUsageBin(
                start_time=f"2026-03-29T{hour}:00:00Z", session_count=count, sma=sma, complete=complete
            )
            for hour, count, sma, complete in bins
        ],
        totals=reports_pb2.AsrUsageTotals(
            session_count=1, busiest_start_time="2026-03-29T11:00:00Z", busiest_count=1
        ),
    )
    check_bytes(body, expected)


def test_usage_of_nothing() -> None:
    edges = hours(1)
    body = core.usage_response(
        sums(engine_of(), Measure("sessions"), edges),
        edges=edges,
        warmup_bin_count=0,
        sma_period=None,
        now_us=0,
        **printing(),
    )
    empty = reports_pb2.AsrUsageBin(start_time="2026-03-29T08:00:00Z", session_count=0, complete=False)
    totals = reports_pb2.AsrUsageTotals(session_count=0)
    check_bytes(body, reports_pb2.QueryAsrUsageResponse(bins=[empty], totals=totals))


def test_quality() -> None:
    engine = engine_of(call("c1"), call("c2", answer_s=None), call("c3", SETUP_S + 3_600))
    calendar_us = hours(3)
    clipped_us = calendar_us.copy()
    clipped_us[-1] -= HOUR_US // 2
    partials = sums(engine, Measure("calls"), clipped_us)
    body = core.quality_response(
        partials, clipped_us=clipped_us, calendar_us=calendar_us, **ALL_FIGURES, **unlimited()
    )
    expected = reports_pb2.QueryOriginationQualityResponse(
        data=reports_pb2.OriginationQualityData(
            t=[SETUP_S, SETUP_S + 3_600, SETUP_S + 7_200],
            total_calls=[2, 1, 0],
            answered_calls=[1, 1, 0],
            duration_ms=[60_500, 60_500, 0],
            acd=[60.5, 60.5, float("nan")],
            asr=[50.0, 100.0, float("nan")],
            cps=[2 / 3_600, 1 / 3_600, 0.0],
        ),
        rows=3,
        totals=reports_pb2.OriginationQualityTotals(
            total_calls=3,
            answered_calls=2,
            duration_ms=121_000,
            acd=60.5,
            asr=200 / 3,
            cps_mean=3 / 9_000,
            cps_peak=2 / 3_600,
            cps_sum=3 / 3_600,
        ),
    )
    # A NaN equals nothing, so the bytes are compared: they also tell that it is the canonical one.
    assert body == expected.SerializeToString(deterministic=True)


def test_folder() -> None:
    engine = engine_of(
        call("c1", folder="sales", agent_id="7"),
        call("c2", folder="sales"),
        call("c3", answer_s=None),
    )
    edges = np.array([20_541, 20_542], dtype=np.int64) * 24 * HOUR_US
    partials = sums(engine, Measure("calls"), edges, keys=("folder", "agent_id"))
    body = core.folder_response(partials, edges=edges, **ALL_FIGURES, **printing())
    one: dict[str, Any] = {
        "call_count": 1,
        "answered_count": 1,
        "duration_ms": 60_500,
        "average_duration_seconds": 60.5,
    }
    two: dict[str, Any] = {
        "call_count": 2,
        "answered_count": 2,
        "duration_ms": 121_000,
        "average_duration_seconds": 60.5,
    }
    missed: dict[str, Any] = {"call_count": 1, "answered_count": 0, "duration_ms": 0}
    row, agent = reports_pb2.FolderStatsRow, reports_pb2.FolderAgentStats
    totals: dict[str, Any] = {**two, "call_count": 3}
    expected = reports_pb2.QueryFolderStatsResponse(
        rows=[
            row(date="2026-03-29", folder="", **missed),
            row(date="2026-03-29", folder="sales", agents=[agent(agent_id="7", **one)], **two),
        ],
        totals=reports_pb2.FolderStatsTotals(**totals),
    )
    check_bytes(body, expected)


def active(engine: core.Engine, fields: Sequence[str], *order: OrderTerm, rollup: bool = False) -> bytes:
    columns = {"session_setup_time": "setup_time", "session_start_time": "answer_time"}
    keys = [columns.get(name, name) for name in fields if name not in ("quantity", "duration")]
    as_of = Measure("elapsed", (SETUP_S + 60) * 1_000_000)
    partials = sums(engine, as_of, keys=keys)
    return core.active_response(partials, fields=fields, order=order, limit=None, rollup=rollup, **printing())


def test_active_with_every_field_by_its_tag() -> None:
    names = [field.name for field in reports_pb2.ActiveSessionRow.DESCRIPTOR.fields if field.name != "level"]
    record = records_pb2.SessionRecord(session_id="a1", setup_time=Timestamp(seconds=SETUP_S))
    record.answer_time.seconds = SETUP_S + 10
    row = reports_pb2.ActiveSessionRow(
        session_id="a1",
        session_setup_time="2026-03-29T08:00:00Z",
        session_start_time="2026-03-29T08:00:10Z",
        quantity=1,
        duration=50,
    )
    for field in reports_pb2.ActiveSessionRow.DESCRIPTOR.fields:
        if field.name in names and not row.HasField(field.name):
            value: Any = f"text {field.number}" if field.type == field.TYPE_STRING else 1_000 + field.number
            setattr(record, field.name, value)
            setattr(row, field.name, value)
    assert len(names) == 33
    assert len(row.ListFields()) == 33
    expected = reports_pb2.QueryActiveSessionsResponse(rows=[row], row_count=1)
    check_bytes(active(engine_of(record), names), expected)
    # The order of `return_fields` makes the key; the message says the same.
    backwards = reports_pb2.QueryActiveSessionsResponse.FromString(active(engine_of(record), names[::-1]))
    assert backwards == expected


def test_active_with_a_rollup() -> None:
    setups = [("a1", "A", 1), ("a2", "A", 2), ("a3", "A", 1), ("b1", "B", 1), ("n1", None, 1)]
    engine = engine_of(
        *(call(name, answer_s=None, orig_clients_name=client, equipment_id=e) for name, client, e in setups)
    )
    fields = ("orig_clients_name", "equipment_id", "quantity")
    body = active(engine, fields, OrderTerm("quantity", descending=True), rollup=True)
    row = reports_pb2.ActiveSessionRow
    expected = reports_pb2.QueryActiveSessionsResponse(
        rows=[
            row(orig_clients_name="A", equipment_id=1, quantity=2),
            row(orig_clients_name="A", equipment_id=2, quantity=1),
            row(orig_clients_name="B", equipment_id=1, quantity=1),
            row(equipment_id=1, quantity=1),
        ],
        subtotals=[
            row(orig_clients_name="A", quantity=3, level=1),
            row(orig_clients_name="B", quantity=1, level=1),
            row(quantity=1, level=1),
        ],
        total=row(quantity=5),
        row_count=4,
    )
    check_bytes(body, expected)


def test_active_of_nothing() -> None:
    nothing = reports_pb2.ActiveSessionRow(quantity=0, duration=0)
    body = active(engine_of(), ["quantity", "duration"])
    check_bytes(body, reports_pb2.QueryActiveSessionsResponse(rows=[nothing], row_count=1))
    body = active(engine_of(), ["session_id", "quantity"])
    check_bytes(body, reports_pb2.QueryActiveSessionsResponse(row_count=0))


@pytest.mark.parametrize(
    "arguments",
    [
        {"measure": Measure("minutes")},
        {"keys": ("nothing",)},
        {"keys": ("level",)},
    ],
)
def test_names_that_the_core_does_not_know(arguments: dict[str, Any]) -> None:
    scan = replace(Scan(None, (), (), Measure("calls")), **arguments)
    with pytest.raises(ValueError, match="the core knows no"):
        engine_of(call("c1")).partials(scan, None, 1, core.CancelToken(None))


def native(columns: Sequence[tuple[str, Sequence[int] | Sequence[str]]]) -> bytes:
    """A block of ClickHouse's Native format, of short texts and integers of 64 bits."""

    def short(text: str) -> bytes:
        return bytes([len(text.encode())]) + text.encode()

    block = bytes([len(columns), len(columns[0][1])])
    for name, values in columns:
        texts = [value for value in values if isinstance(value, str)]
        block += short(name) + short("String" if texts else "Int64")
        block += b"".join(map(short, texts)) or np.array(values, np.int64).tobytes()
    return block


def sums_of(first: Sequence[int]) -> list[tuple[str, Sequence[int]]]:
    return [("first", first), ("second", [0] * len(first)), ("third", [7] * len(first))]


def cell_sums(**changes: Any) -> core.CellSums:
    options: dict[str, Any] = {"bin_count": 2, "keys": ["account_id"], "deck": None, "cell_count_max": 2}
    return core.CellSums(core.QueryResources(Config()), **(options | changes))


def test_cells_of_two_servers_add_up() -> None:
    cells = cell_sums()
    cells.add(native([("bin", [0, 1]), ("account_id", ["a", "b"]), *sums_of([1, 2])]))
    cells.add(b"")
    cells.add(native([("bin", [1]), ("account_id", ["b"]), *sums_of([3])]))
    partials = cells.partials()
    assert (partials.sums.tolist(), partials.bins.tolist()) == ([[1, 0, 7], [5, 0, 14]], [0, 1])
    codes, entries = partials.keys[0]
    assert [entries[code] for code in codes] == ["a", "b"]
    with pytest.raises(ValueError, match="taken already"):
        cells.partials()


def test_cells_without_keys_are_bins() -> None:
    assert cell_sums(keys=[]).partials().sums.tolist() == [[0, 0, 0], [0, 0, 0]]


def test_cells_have_the_names_of_a_deck() -> None:
    deck = core.CodeDeck.from_json(b'[["49","Germany","DE"],["4930","Berlin","DE"]]')
    cells = cell_sums(keys=["orig_rates_country"], deck=deck, cell_count_max=1)
    cells.add(native([("bin", [0, 0]), ("orig_rates_country", ["49", "4930"]), *sums_of([1, 2])]))
    partials = cells.partials()
    assert (partials.sums.tolist(), partials.keys[0][1]) == ([[3, 0, 14]], ["", "DE"])


def test_cells_beyond_the_limit_and_blocks_of_others_are_refused() -> None:
    cells = cell_sums()
    with pytest.raises(errors.CellLimitError) as caught:
        cells.add(native([("bin", [0, 0, 0]), ("account_id", ["a", "b", "c"]), *sums_of([1, 1, 1])]))
    assert (caught.value.metadata["asked"], caught.value.metadata["allowed"]) == ("3", "2")
    with pytest.raises(ValueError, match="an answer could not be added"):
        cells.add(b"")
    with pytest.raises(ValueError, match='the column "account_id" is missing'):
        cell_sums().add(native([("bin", [0]), *sums_of([1])]))
    with pytest.raises(ValueError, match="the core knows no column"):
        cell_sums(keys=["nothing"])
    with pytest.raises(errors.MemoryLimitError):
        cell_sums(keys=[], bin_count=2**31)


def traffic_cells(key: str = "text", measure: str = "count") -> core.TrafficCells:
    edge_us = np.array([0, 10, 20], np.int64)
    options: dict[str, Any] = {"edge_us": edge_us, "keys": [key], "measures": [measure], "deck": None}
    return core.TrafficCells(core.QueryResources(Config()), **options, cell_count_max=1)


def test_traffic_cells_of_two_servers_add_up() -> None:
    cells = traffic_cells()
    for _ in range(2):
        cells.add(native([("bin", [1]), ("key_0", ["a"]), ("records", [2]), ("count_0", [1])]))
    partials = cells.partials()
    assert (partials.bins.tolist(), partials.keys[0][1], partials.measure(0)) == ([1], ["", "a"], [2])
    with pytest.raises(ValueError, match="taken already"):
        cells.partials()
    for names in (("number", "count"), ("deck_name", "count"), ("text", "mean")):
        with pytest.raises(ValueError, match="the core knows no"):
            traffic_cells(*names)


def test_decimal_digits_of_all_scripts_are_those_of_a_number() -> None:
    """This Python may know fewer scripts than the core does."""
    every = [chr(code) for code in range(0x110000)]
    digits = [each for each in every if unicodedata.category(each) == "Nd"]
    assert len(digits) >= 600
    other = [each for each in digits if core.canonical_party(f"49{each}") != f"49{unicodedata.decimal(each)}"]
    assert other == []


LEDGER_RULES = core.LedgerRules(b"p" * 16, [], None, 4, [], [])
DAY = SETUP_S // 86_400


def ledger_group(*records: records_pb2.SessionRecord) -> core.LedgerGroup:
    """A group of one batch, for one shard."""
    batch = core.LedgerBatch(records_pb2.WriteRecordsRequest(records=records).SerializeToString(), Config())
    assert (batch.row_count, batch.rejected_bytes) == (len(records), 0)
    return core.LedgerGroup([(batch, None)], LEDGER_RULES, b"k" * 16, 1)


def planned(
    group: core.LedgerGroup, rows: bytes = b"", heads: dict[int, int] | None = None
) -> core.LedgerPlan:
    return group.plan(0, rows, {DAY: 0} if heads is None else heads, oldest_us=0, received_us=1, nonce=7)


def test_new_records_are_one_commit_of_their_day() -> None:
    group = ledger_group(call("a"), call("b"))
    lookup = group.lookup(0)
    assert (lookup.first_day, lookup.last_day, lookup.days) == (DAY - 1, DAY + 1, [DAY])
    assert len(lookup.key_hashes.strip("[]").split(",")) == 2
    assert planned(group, heads={}).unknown_days == [DAY]
    (commit,) = planned(group).commits
    assert (commit.day, commit.seq, commit.row_count) == (DAY, 1, 2)
    with pytest.raises(ValueError, match="unsettled"):
        group.responses()
    group.settle(0, DAY)
    with pytest.raises(ValueError, match="commit"):
        group.settle(0, DAY)
    (response,) = group.responses()
    assert records_pb2.WriteRecordsResponse.FromString(response).accepted == 2
    assert group.unsettled_shards == []


def test_rows_that_are_not_rows_of_the_ledger_are_refused() -> None:
    with pytest.raises(ValueError, match="the block is invalid"):
        planned(ledger_group(call("a")), b"nonsense")
    with pytest.raises(ValueError, match="16 bytes"):
        core.LedgerGroup([], LEDGER_RULES, b"short", 1)
