"""Report latency compared with DuckDB, ClickHouse and Polars over the same records, all in this process.

Every subject is warm, uses both cores and returns its native result: Pegcount a response message, the
others Arrow tables. Rounds alternate, and every answer is compared with Pegcount's. A peer has two
tables, sorted by account (a) or by time (t); the faster one counts. Loaded data is reused. `--help`
lists the options.
"""

import argparse
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

# Polars reads this variable when it is imported.
os.environ.setdefault("POLARS_MAX_THREADS", "2")

import machine
from peers import calls, isolated, memory, questions, timing, wire
from peers.dataset import Dataset
from peers.pegcount_engine import CONFIG, WITHOUT_ROLLUPS, LoadTimes, Pegcount
from peers.timing import Subject, Times

ROOT = Path(__file__).parents[1]
SEED = 20_260_301
PEERS = ("DuckDB", "ClickHouse", "Polars")
CHECKED_ROWS = 2_000
COLD_STARTS = 3
READ_BYTES_PER_RECORD = 2_000
"""Bounds the memory of short runs with few records, whose figures do not matter."""
SCAN_BYTES_PER_ROW = 7
"""Bytes per record that S1 reads: cause (1), setup minute (2) and call duration (4). Kind and last attempt
are constant within a segment, as its summary says."""


def main() -> None:
    """Runs the rounds, prints the medians and appends them to the record file."""
    options = _options()
    _check_bytes(options)
    data = _data(options, options.records)
    if options.isolated:
        print(isolated.measure(data.pegcount, options.only, options.rounds).as_json())
        return
    if options.growth:
        _record(options, _heading(options, data), _growth_lines(options))
        return
    loaded = data.load_pegcount(fresh=options.fresh is not None)
    if not options.no_peers:
        data.load_peers(fresh=options.fresh == "all")
    heading = _heading(options, data)
    print(heading, flush=True)
    _record(options, heading, _measured(data, loaded, options))


def _measured(data: Dataset, loaded: LoadTimes, options: argparse.Namespace) -> list[str]:
    read = memory.read_bytes_per_second(min(memory.READ_BYTES, READ_BYTES_PER_RECORD * data.record_count))
    # Before this process opens the data directory.
    found = _run_isolated(options, data.record_count, options.only, 1)
    cold = _cold_lines(options) if options.cold else []
    pegcount = Pegcount(data.pegcount, WITHOUT_ROLLUPS if options.no_rollups else CONFIG)
    lines = [_load_line(loaded), _isolated_line(found, pegcount.bytes_per_record())]
    peers = () if options.no_peers else PEERS
    times = timing.run([pegcount, *_subjects(data, options)], options.only, options.rounds)
    lines += ["", *timing.lines(times, peers), "", *_bandwidth_lines(times, read, data.record_count)]
    lines += _peak_lines(times)
    pegcount.close()
    return [*lines, *cold]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=20_000_000, help="finished calls")
    parser.add_argument("--active", type=int, default=500_000, help="active sessions")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", type=_names, default=questions.NAMES, help="questions, such as Q1,S1")
    parser.add_argument("--no-peers", action="store_true", help="measures Pegcount alone")
    parser.add_argument(
        "--no-rollups", action="store_true", help="ours reads rows, as for a question that is asked first"
    )
    parser.add_argument(
        "--cold", action="store_true", help="also the first Q1 with an empty page cache (root)"
    )
    parser.add_argument(
        "--fresh", nargs="?", const="all", choices=("all", "ours"), help="loads existing data sets anew"
    )
    parser.add_argument(
        "--growth",
        action="store_true",
        help="compares Pegcount with RECORDS and five times as many, both loaded before",
    )
    parser.add_argument("--isolated", action="store_true", help=argparse.SUPPRESS)
    # The system's temporary directory may be a tmpfs.
    parser.add_argument(
        "--scratch", type=Path, default=ROOT / ".cache" / "bench", help="directory of the data sets"
    )
    parser.add_argument(
        "--record", type=Path, default=ROOT / "benches" / "record", help="directory of the record files"
    )
    return parser.parse_args()


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = set(names) - set(questions.NAMES)
    if unknown:
        raise argparse.ArgumentTypeError(f"no question is called {', '.join(sorted(unknown))}")
    return names


def _check_bytes(options: argparse.Namespace) -> None:
    """Asserts that protobuf decodes the prepared bytes of some records as intended."""
    wire.check(next(calls.chunks(min(CHECKED_ROWS, options.records), SEED)))
    wire.check(calls.active(min(CHECKED_ROWS, options.active), SEED))


def _data(options: argparse.Namespace, record_count: int) -> Dataset:
    return Dataset(record_count, options.active, SEED, options.scratch.resolve())


def _subjects(data: Dataset, options: argparse.Namespace) -> Sequence[Subject]:
    if options.no_peers:
        return []
    # Imported here, so that the bench also runs without the peers installed.
    from peers import clickhouse_engine, duckdb_engine, polars_engine  # noqa: PLC0415

    duckdb_tables = duckdb_engine.open_tables(data.directory / "duckdb.db")
    clickhouse_tables = clickhouse_engine.open_tables(data.directory / "clickhouse")
    return [*duckdb_tables, *clickhouse_tables, polars_engine.Polars(data.directory / "parquet")]


def _run_isolated(
    options: argparse.Namespace, record_count: int, names: Sequence[str], round_count: int
) -> isolated.IsolatedRun:
    arguments = ["--rounds", str(round_count), "--active", str(options.active)]
    arguments += ["--only", ",".join(names), "--scratch", str(options.scratch)]
    return isolated.run(Path(__file__), record_count, arguments)


def _growth_lines(options: argparse.Namespace) -> list[str]:
    """Compares two record counts: memory in a process each, times alternately in this process."""
    counts = (options.records, isolated.GROWTH * options.records)
    data = [_data(options, count) for count in counts]
    missing = [run.record_count for run in data if not run.is_pegcount_loaded()]
    if missing:
        raise SystemExit(f"not loaded yet: run --no-peers --records {missing[0]} first")
    found = [_run_isolated(options, count, options.only, options.rounds) for count in counts]
    stores = [Pegcount(run.pegcount) for run in data]
    medians = timing.medians_in_turn(stores, options.only, options.rounds)
    for store in stores:
        store.close()
    return isolated.growth_lines(counts, found, medians)


def _heading(options: argparse.Namespace, data: Dataset) -> str:
    data.directory.mkdir(parents=True, exist_ok=True)
    return (
        f"## {machine.today()}: {options.records:,} calls, {options.active:,} active sessions,"
        f" {options.rounds} rounds{', without rollups' if options.no_rollups else ''}"
        f"\n\n{machine.facts(data.directory)};"
        f" load average before {os.getloadavg()[0]:.1f}."
    )


def _load_line(loaded: LoadTimes) -> str:
    making = 1 - loaded.writing_seconds / loaded.seconds
    return (
        f"{loaded.sent:,} records loaded at {loaded.sent / loaded.seconds:,.0f} a second, of which making"
        f" them took {making:.0%}; {loaded.upkeep_seconds:.1f} s more until sealed and merged"
    )


def _isolated_line(found: isolated.IsolatedRun, bytes_per_record: float) -> str:
    return (
        f"{bytes_per_record:.1f} bytes a finished record on disk; opened in {found.open_seconds:.2f} s;"
        f" memory beyond mapped files {found.open_bytes / 1e6:,.0f} MB when open,"
        f" {found.asked_bytes / 1e6:,.0f} MB when asked"
    )


def _bandwidth_lines(times: Times, read: float, record_count: int) -> list[str]:
    lines = [f"memory is read at {read / 1e9:.1f} GB/s by {memory.THREADS} threads"]
    if "S1" in times:
        size = SCAN_BYTES_PER_ROW * record_count
        least_ms, median_ms = size / read * 1_000, timing.medians(times)["S1"]
        lines[0] += (
            f"; S1 reads {SCAN_BYTES_PER_ROW} bytes a record, which takes {least_ms:.2f} ms:"
            f" ours takes {median_ms / least_ms:.1f} times that"
        )
    return lines


def _peak_lines(times: Times) -> list[str]:
    """Compares peaks with a count of the same calls."""
    if not {"T4", "T5"} <= times.keys():
        return []
    medians = timing.medians(times)
    return [f"T4 takes {medians['T4'] / medians['T5']:.1f} times T5: peaks against a count of the same calls"]


def _cold_lines(options: argparse.Namespace) -> list[str]:
    """Measures in new processes with an empty page cache."""
    found = []
    for _ in range(COLD_STARTS):
        if not memory.drop_page_cache():
            return ["cold: only root can drop the page cache"]
        found.append(_run_isolated(options, options.records, ("Q1",), 1))
    open_ms = statistics.median(run.open_seconds for run in found) * 1_000
    first_ms = statistics.median(run.first_ms for run in found)
    return [f"cold, median of {COLD_STARTS}: opened in {open_ms:,.1f} ms, first Q1 in {first_ms:.2f} ms"]


def _record(options: argparse.Namespace, heading: str, lines: Sequence[str]) -> None:
    table = "\n".join(["```", *lines, "```"])
    print(table)
    options.record.mkdir(parents=True, exist_ok=True)
    with (options.record / f"{machine.today()}-peers.md").open("a", encoding="utf-8") as file:
        file.write(f"{heading}\n\n{table}\n\n")


if __name__ == "__main__":
    main()
