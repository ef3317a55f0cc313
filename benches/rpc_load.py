"""Cost of an origination-quality answer over gRPC, compared with a canned answer of the same bytes.

ghz loads `pegcount serve` and a server with canned answers (`canned_server.py`) in turn on the same
cores: one day of minutes and one year of five minutes. `--beside CHECKOUT` adds the server of another
commit, built in its checkout, to every round. `--help` lists the options.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import grpc
import machine
from ghz import Ghz, Load
from pegcount.config import Config
from pegcount.store import EmbeddedStore
from pegcount.v1 import admin_pb2, admin_pb2_grpc, reports_pb2, reports_pb2_grpc
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.v1.reports_pb2 import QueryOriginationQualityRequest, QueryOriginationQualityResponse
from server_process import ServerProcess, running_pegcount, running_program
from traffic import batches

SEED = 20_260_301
ROOT = Path(__file__).parents[1]
METHOD = "pegcount.v1.ReportService/QueryOriginationQuality"
CANNED_SERVER = Path(__file__).with_name("canned_server.py")
OURS, CANNED, BESIDE = "ours", "canned", "beside"
YEAR_DAYS = 365
DAY_BINS, YEAR_BINS = 1_440, YEAR_DAYS * 288
HEADER = f"{'':<40} {'p50 ms':>8} {'p99 ms':>8} {'requests/s':>11} {'CPU ms/answer':>14}"

P50_TIMES_MAX = 1.5
RATE_TIMES_MIN = 0.6
DAY_CPU_MS_MAX = 1.0
YEAR_CPU_MS_MAX = 25.0
BESIDE_P50_TIMES_MAX = 1.3
BESIDE_CPU_TIMES_MAX = 1.35
BESIDE_RATE_TIMES_MIN = 0.8


@dataclass(frozen=True, slots=True)
class Case:
    """A number of equal requests from a number of concurrent callers."""

    name: str
    question: QueryOriginationQualityRequest
    callers: int
    count: int


@dataclass(frozen=True, slots=True)
class Run:
    """One round of one case on one server."""

    load: Load
    cpu_ms: float
    """Processor time of the server per answer."""


@dataclass(frozen=True, slots=True)
class CaseRuns:
    """The rounds of one case, by the name of the server."""

    case: Case
    runs: dict[str, list[Run]]


def main() -> None:
    """Runs the rounds, prints the medians and appends them to the record file."""
    options = _options()
    questions = [_day(options), _year(options)]
    with tempfile.TemporaryDirectory(prefix="rpc-") as name, ExitStack() as servers:
        scratch = Path(name)
        calls = None if options.data else _fill(scratch / "data", questions, options.records)
        pegcount = servers.enter_context(running_pegcount(options.data or scratch / "data"))
        heading = _heading(pegcount, options, scratch)
        print(heading)
        answers = _save_answers(pegcount, questions, calls, scratch)
        subjects = {
            OURS: pegcount,
            CANNED: servers.enter_context(running_program(str(CANNED_SERVER), *answers)),
        }
        if options.beside:
            copy = shutil.copytree(options.data or scratch / "data", scratch / "beside")
            subjects[BESIDE] = servers.enter_context(running_pegcount(copy, options.beside))
        cases = [CaseRuns(case, {name: [] for name in subjects}) for case in _cases(questions, options)]
        for _ in range(options.rounds):
            _round(cases, subjects, Ghz(options.ghz, METHOD, scratch))
        _save_answers(pegcount, questions, calls, scratch)
    table = "\n".join(["```", *_lines(cases), "```"])
    print(table)
    options.record.mkdir(parents=True, exist_ok=True)
    with (options.record / f"{machine.today()}-rpc.md").open("a", encoding="utf-8") as file:
        file.write(f"{heading}\n\n{table}\n\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="an existing data directory")
    parser.add_argument("--records", type=int, default=200_000, help="records of a new data directory")
    parser.add_argument("--account", default="1001")
    parser.add_argument("--prefix", default="4420", help="prefix of the called numbers in the day report")
    parser.add_argument("--day", type=date.fromisoformat, default=date(2026, 3, 10))
    parser.add_argument(
        "--year-to", type=date.fromisoformat, default=date(2026, 4, 1), help="the day after the year"
    )
    parser.add_argument(
        "--callers", type=int, default=8, help="concurrent callers, in addition to runs with one"
    )
    parser.add_argument("--requests", type=int, default=1_000, help="day reports per round")
    parser.add_argument("--year-requests", type=int, default=20, help="year reports per round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--ghz", type=Path, default=Path(sys.executable).with_name("ghz"))
    parser.add_argument("--beside", type=Path, help="a checkout of another commit, after make build in it")
    parser.add_argument(
        "--record", type=Path, default=ROOT / "benches" / "record", help="directory of the record files"
    )
    return parser.parse_args()


def _day(options: argparse.Namespace) -> QueryOriginationQualityRequest:
    return QueryOriginationQualityRequest(
        account_id=options.account,
        from_time=str(options.day),
        to_time=str(options.day + timedelta(days=1)),
        sampling=reports_pb2.GRANULARITY_MINUTE,
        dst_prefix_routing=reports_pb2.TextFilter(starts_with=options.prefix),
    )


def _year(options: argparse.Namespace) -> QueryOriginationQualityRequest:
    return QueryOriginationQualityRequest(
        account_id=options.account,
        from_time=str(options.year_to - timedelta(days=YEAR_DAYS)),
        to_time=str(options.year_to),
        sampling=reports_pb2.GRANULARITY_FIVE_MINUTES,
    )


def _fill(
    directory: Path, questions: Sequence[QueryOriginationQualityRequest], record_count: int
) -> list[int]:
    """Fills a data directory and returns the expected number of calls in the answer to each question."""
    calls = [0] * len(questions)
    store = EmbeddedStore(directory, Config(), create=True)
    for batch in batches(record_count, SEED):
        store.write(batch.SerializeToString())
        for i, question in enumerate(questions):
            calls[i] += sum(_matches(record, question) for record in batch.records)
    store.flush()
    store.close()
    return calls


def _matches(record: SessionRecord, question: QueryOriginationQualityRequest) -> bool:
    return (
        record.account_id == question.account_id
        and record.dst_prefix_routing.startswith(question.dst_prefix_routing.starts_with)
        and question.from_time <= str(record.setup_time.ToDatetime().date()) < question.to_time
    )


def _heading(pegcount: ServerProcess, options: argparse.Namespace, scratch: Path) -> str:
    with grpc.insecure_channel(pegcount.address) as channel:
        info = admin_pb2_grpc.AdminServiceStub(channel).GetStoreInfo(admin_pb2.GetStoreInfoRequest())
    return (
        f"## {machine.today()}: {info.records:,} records, {options.rounds} rounds of {options.requests:,}"
        f" requests\n\n{machine.facts(scratch)}."
    )


def _save_answers(
    pegcount: ServerProcess,
    questions: Sequence[QueryOriginationQualityRequest],
    calls: Sequence[int] | None,
    scratch: Path,
) -> list[str]:
    """Runs each question once, asserts the answer, and saves it to a file."""
    files = []
    with grpc.insecure_channel(pegcount.address, [("grpc.max_receive_message_length", -1)]) as channel:
        reports = reports_pb2_grpc.ReportServiceStub(channel)
        for i, (question, bins) in enumerate(zip(questions, (DAY_BINS, YEAR_BINS), strict=True)):
            answer = reports.QueryOriginationQuality(question)
            expected = _calls_by_day(reports, question) if calls is None else calls[i]
            _check(answer, bins, expected)
            (scratch / f"answer-{i}").write_bytes(answer.SerializeToString())
            files.append(str(scratch / f"answer-{i}"))
    return files


def _calls_by_day(
    reports: reports_pb2_grpc.ReportServiceStub, question: QueryOriginationQualityRequest
) -> int:
    """Returns the calls in DAY bins, the only cross-check available for external data."""
    by_day = QueryOriginationQualityRequest.FromString(question.SerializeToString())
    by_day.sampling = reports_pb2.GRANULARITY_DAY
    return int(reports.QueryOriginationQuality(by_day).totals.total_calls)


def _check(answer: QueryOriginationQualityResponse, bins: int, calls: int) -> None:
    assert answer.rows == len(answer.data.t) == len(answer.data.cps) == bins, answer.rows
    assert answer.totals.total_calls == sum(answer.data.total_calls) == calls > 0, answer.totals


def _cases(
    questions: Sequence[QueryOriginationQualityRequest], options: argparse.Namespace
) -> Iterator[Case]:
    day, year = questions
    yield Case(f"{DAY_BINS:,} bins, 1 at once", day, 1, options.requests)
    yield Case(f"{DAY_BINS:,} bins, {options.callers} at once", day, options.callers, options.requests)
    yield Case(f"{YEAR_BINS:,} bins, 1 at once", year, 1, options.year_requests)


def _round(cases: Sequence[CaseRuns], subjects: Mapping[str, ServerProcess], ghz: Ghz) -> None:
    for each in cases:
        question, callers, count = each.case.question, each.case.callers, each.case.count
        for name, server in subjects.items():
            before = server.cpu_seconds()
            load = ghz.load(server.address, question.SerializeToString(), callers, count)
            each.runs[name].append(Run(load, (server.cpu_seconds() - before) * 1e3 / count))


def _lines(cases: Sequence[CaseRuns]) -> Iterator[str]:
    yield HEADER
    for each in cases:
        for name, runs in each.runs.items():
            yield _line(f"{each.case.name}, {name}", runs)
    yield ""
    one, several, year = cases
    yield _at_most(f"{one.case.name}: p50", "x canned", _times(one, CANNED, _p50_ms), P50_TIMES_MAX)
    yield _at_least(
        f"{several.case.name}: requests/s", "x canned", _times(several, CANNED, _rate), RATE_TIMES_MIN
    )
    for each, limit in ((one, DAY_CPU_MS_MAX), (year, YEAR_CPU_MS_MAX)):
        yield _at_most(f"{each.case.name}: CPU an answer", "ms", _cpu_ms(each.runs[OURS]), limit)
    if BESIDE in one.runs:
        yield _at_most(
            f"{one.case.name}: p50", "x beside", _times(one, BESIDE, _p50_ms), BESIDE_P50_TIMES_MAX
        )
        yield _at_most(
            f"{one.case.name}: CPU", "x beside", _times(one, BESIDE, _cpu_ms), BESIDE_CPU_TIMES_MAX
        )
        times = _times(several, BESIDE, _rate)
        yield _at_least(f"{several.case.name}: requests/s", "x beside", times, BESIDE_RATE_TIMES_MIN)


def _times(each: CaseRuns, other: str, figure: Callable[[Sequence[Run]], float]) -> float:
    return figure(each.runs[OURS]) / figure(each.runs[other])


def _at_most(what: str, unit: str, figure: float, target: float) -> str:
    return _verdict(what, unit, figure, target, figure <= target)


def _at_least(what: str, unit: str, figure: float, target: float) -> str:
    return _verdict(what, unit, figure, target, figure >= target)


def _line(name: str, runs: Sequence[Run]) -> str:
    p99_ms = median(run.load.p99_ms for run in runs)
    return f"{name:<40} {_p50_ms(runs):>8.2f} {p99_ms:>8.2f} {_rate(runs):>11,.0f} {_cpu_ms(runs):>14.2f}"


def _verdict(what: str, unit: str, figure: float, target: float, met: bool) -> str:
    return f"{what:<48} {figure:>7.2f} {unit}, target {target:g} {unit}: {'met' if met else 'MISSED'}"


def _p50_ms(runs: Sequence[Run]) -> float:
    return median(run.load.p50_ms for run in runs)


def _rate(runs: Sequence[Run]) -> float:
    return median(run.load.requests_per_second for run in runs)


def _cpu_ms(runs: Sequence[Run]) -> float:
    return median(run.cpu_ms for run in runs)


if __name__ == "__main__":
    main()
