"""Durable ingest rate in records per second: Pegcount embedded and over gRPC, DuckDB, and ClickHouse.

Every subject writes the same full records in the same batches; a batch counts once it is durable.
Rounds alternate between the subjects, each in a new directory. `--help` lists the options.
"""

import argparse
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import machine
from ingest_feed import Feed, make_feed
from ingest_pegcount import InProcess, OverGrpc
from subject import Run, Subject

SEED = 20_260_301
ROOT = Path(__file__).parents[1]
AIM_OVER_GRPC = 150_000
"""Records per second, in batches of 1,000."""


HEADER = f"{'':<40} {'records/s':>10} {'slowest':>10} {'fastest':>10} {'p50 ms':>8} {'p99 ms':>8}"


TARGETS = {
    ("ours, in process", "DuckDB"): 3.0,
    ("ours, in process", "ClickHouse"): 4.0,
    ("ours, gRPC", "DuckDB"): 1.5,
    ("ours, gRPC", "ClickHouse"): 2.0,
}
"""Minimum ratio of our rate to a peer's. Peers with duplicate detection have no target."""


def main() -> None:
    """Runs the rounds, prints the medians and appends them to the record file."""
    options = _options()
    options.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ingest-", dir=options.scratch) as name:
        scratch = Path(name)
        feed = make_feed(options.records, options.batch, SEED)
        heading = _heading(options, feed, scratch)
        print(heading)
        runs = _rounds(_subjects(options, feed, scratch), options.rounds, scratch)
    table = "\n".join(["```", *_lines(runs, options.records), "```"])
    print(table)
    options.record.mkdir(parents=True, exist_ok=True)
    with (options.record / f"{machine.today()}-ingest.md").open("a", encoding="utf-8") as file:
        file.write(f"{heading}\n\n{table}\n\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=100_000, help="records per round")
    parser.add_argument("--batch", type=int, default=1_000, help="records per batch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--streams", type=int, default=2, help="streams over gRPC, threads of the embedded store"
    )
    parser.add_argument("--in-flight", type=int, default=4, help="batches in flight per stream")
    parser.add_argument(
        "--writers",
        type=int,
        default=4,
        help="connections of DuckDB and ClickHouse, in addition to runs with one",
    )
    parser.add_argument("--ours-only", action="store_true", help="without DuckDB and ClickHouse")
    # The system's temporary directory may be a tmpfs, where a flush costs nothing.
    parser.add_argument("--scratch", type=Path, default=ROOT / ".cache", help="directory for the data")
    parser.add_argument(
        "--record", type=Path, default=ROOT / "benches" / "record", help="directory of the record files"
    )
    return parser.parse_args()


def _subjects(options: argparse.Namespace, feed: Feed, scratch: Path) -> list[Subject]:
    ours: list[Subject] = [
        InProcess(feed, 1, 1),
        InProcess(feed, options.streams, options.in_flight),
        OverGrpc(feed, options.streams, options.in_flight, scratch),
    ]
    if options.ours_only:
        return ours
    # Imported here, so that the bench also runs without the peers installed.
    from ingest_peers import DUCKDB_CHECKS, ClickHouse, DuckDb  # noqa: PLC0415

    at_once = (1, options.writers)
    return [
        *ours,
        *(DuckDb(feed, writers) for writers in at_once),
        *(DuckDb(feed, 1, check) for check in DUCKDB_CHECKS),
        *(ClickHouse(feed, writers) for writers in at_once),
    ]


def _rounds(subjects: Sequence[Subject], count: int, scratch: Path) -> dict[str, list[Run]]:
    runs: dict[str, list[Run]] = {subject.name: [] for subject in subjects}
    for _ in range(count):
        for subject in subjects:
            with tempfile.TemporaryDirectory(dir=scratch) as directory:
                runs[subject.name].append(subject.run(Path(directory)))
    return runs


def _heading(options: argparse.Namespace, feed: Feed, scratch: Path) -> str:
    wire_bytes = sum(map(len, feed.batches)) // feed.record_count
    return (
        f"## {machine.today()}: {feed.record_count:,} records in batches of {options.batch:,},"
        f" {options.rounds} rounds\n\n"
        f"{machine.facts(scratch)}; {wire_bytes} bytes a record on the wire,"
        f" {feed.record_count - feed.distinct_count:,} records sent twice."
    )


def _lines(runs: dict[str, list[Run]], record_count: int) -> list[str]:
    speeds = {
        name: statistics.median(record_count / run.seconds for run in subject_runs)
        for name, subject_runs in runs.items()
    }
    lines = [HEADER, *(_line(name, runs[name], record_count) for name in runs), ""]
    lines += [_verdict(*pair, speeds) for pair in product(runs, runs) if _target(*pair)]
    over_grpc = next(speed for name, speed in speeds.items() if name.startswith("ours, gRPC"))
    return [*lines, f"{'ours, gRPC':<61} {over_grpc:>9,.0f} records/s, aim {AIM_OVER_GRPC:,}"]


def _line(name: str, runs: Sequence[Run], record_count: int) -> str:
    """Formats one subject; the last two columns are the latency until a batch is durable."""
    speeds = sorted(record_count / run.seconds for run in runs)
    waits_ms = sorted(seconds * 1_000 for run in runs for seconds in run.acknowledged_seconds)
    return (
        f"{name:<40} {statistics.median(speeds):>10,.0f} {speeds[0]:>10,.0f} {speeds[-1]:>10,.0f}"
        f" {waits_ms[len(waits_ms) // 2]:>8.1f} {waits_ms[len(waits_ms) * 99 // 100]:>8.1f}"
    )


def _target(ours: str, peer: str) -> float | None:
    if peer.endswith("at once"):
        for (ours_start, peer_start), times in TARGETS.items():
            if ours.startswith(ours_start) and peer.startswith(peer_start):
                return times
    return None


def _verdict(ours: str, peer: str, speeds: Mapping[str, float]) -> str:
    times, target = speeds[ours] / speeds[peer], _target(ours, peer)
    assert target is not None
    verdict = "met" if times >= target else "MISSED"
    return f"{f'{ours} / {peer}':<64} {times:>6.2f} x, target {target} x: {verdict}"


if __name__ == "__main__":
    main()
