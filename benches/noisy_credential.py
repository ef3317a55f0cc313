"""Latency of the reports of other credentials beside one that floods the server over many connections.

benches/noisy_credential.py [--seconds N] [--rounds N] [--connections N,...] [--records N] [--kinds KIND,...]

The server has one core, and the clients another one. The noisy credential offers, whatever the answers are,
three times the rate that the server answers without limits: of cheap reports, of dear reports, or of write
streams with one batch each. Or it has 64 callers, each of which begins a cheap report when its last one has
ended. Rounds alternate: the others alone, and beside it. The table has medians of the rounds. Needs Linux
and Go.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, Final

import machine
from google.protobuf.message import Message
from pegcount.auth import Credentials, Scope
from pegcount.config import Config
from pegcount.model import NewCredential
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest
from server_process import running_pegcount

P99_TIMES_MAX: Final = 2.0
_LOAD_CLIENT: Final = Path(__file__).parents[1] / "tests" / "load" / "go"
_CORES: Final = sorted(os.sched_getaffinity(0))
_RATE_TIMES: Final = 3
_CLOSED_P99_MS_MAX: Final = 100.0
_CALLER_COUNTS: Final = (1, 2, 4, 8, 16)
_CLOSED_SECONDS: Final = 2.0
_NOISY_CALLER_COUNT: Final = 64
_REST_SECONDS: Final = 2.0
_OTHER_COUNT: Final = 3
_OTHER_CALLS_PER_SECOND: Final = 90
_FLOOD_NICENESS: Final = 10
"""Leaves the core of the clients to the others, whose latency would else be that of their own core."""
_TRANSPORT_SECONDS_MAX: Final = 60.0
_DAY_S: Final = 1_773_100_800
"""2026-03-10T00:00:00Z."""
_DAY_COUNT: Final = 60
_SECONDS_PER_DAY: Final = 86_400
_ACCOUNT_COUNT: Final = 20
_BATCH_RECORDS: Final = 5_000
_STREAM_RECORDS: Final = 200
_REPORTS: Final = "/pegcount.v1.ReportService"


@dataclass(frozen=True, slots=True)
class Flood:
    """What the noisy credential asks for."""

    name: str
    method: str
    message: Message
    is_closed_loop: bool = False


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the noisy credential and of the others."""

    noisy: str
    others: Sequence[str]


@dataclass(frozen=True, slots=True)
class Load:
    """What became of the calls of one client."""

    rate: float
    """Calls per second, whatever their status."""
    p99_ms: float
    statuses: Mapping[str, int]

    def share(self, status: str) -> float:
        """Returns the share of the calls that ended with a status, as Go names it."""
        return self.statuses.get(status, 0) / max(1, sum(self.statuses.values()))


@dataclass(frozen=True, slots=True)
class Round:
    """The others alone, and then beside the noisy credential."""

    alone: Load
    beside: Load
    noisy: Load
    core_share: float
    """Share of its core that the server used beside the noisy credential."""


class Clients:
    """Runs the load client on its core."""

    def __init__(self, scratch: Path, niceness: int) -> None:
        self._scratch = scratch
        self.niceness = niceness
        command = ["go", "build", "-o", f"{scratch}/", "./overload"]
        subprocess.run(command, cwd=_LOAD_CLIENT, check=True)

    def started(
        self, address: str, flood: Flood, seconds: float, *options: str, niceness: int = 0
    ) -> "subprocess.Popen[str]":
        """Starts a load; `options` are those of the client."""
        request = self._scratch / flood.name.replace(" ", "-")
        request.write_bytes(flood.message.SerializeToString())
        command = [
            *("taskset", "--cpu-list", str(_CORES[-1]), "nice", f"--adjustment={self.niceness + niceness}"),
            *(f"{self._scratch}/overload", f"--address={address}", f"--length={seconds}s"),
            *(f"--request={flood.method}:{request}", *options),
        ]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def ended(self, process: "subprocess.Popen[str]", seconds: float) -> Load:
        """Waits for the end of a load."""
        try:
            printed, _ = process.communicate(timeout=seconds + _TRANSPORT_SECONDS_MAX)
        finally:
            process.kill()
        assert process.returncode == 0, printed
        figures: dict[str, Any] = json.loads(printed)
        statuses = {name: one["calls"] for name, one in figures["statuses"].items()}
        return Load(figures["calls"] / figures["seconds"], figures["p99_ms"], statuses)

    def run(self, address: str, flood: Flood, seconds: float, *options: str) -> Load:
        """Runs a load from its begin to its end."""
        return self.ended(self.started(address, flood, seconds, *options), seconds)


def main() -> None:
    """Measures each kind of flood, prints a table, and asserts the limit."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="noisy-") as name:
        scratch = Path(name)
        directory = scratch / "data"
        keys = _filled(directory, options.records)
        print(machine.facts(scratch))
        clients = Clients(scratch, options.niceness)
        floods = [flood for flood in _floods() if options.kinds is None or flood.name in options.kinds]
        rates = {flood.name: _offered_rate(clients, directory, flood) for flood in floods}
        print(f"medians of {options.rounds} rounds")
        print(_HEADER)
        times = []
        for flood, connections in product(floods, options.connections):
            rate = rates[flood.name]
            load = f"--rate={rate}" if rate else f"--callers={_NOISY_CALLER_COUNT}"
            noisy = [load, f"--connections={connections}", f"--key={keys.noisy}"]
            rounds = _rounds(options, clients, directory, keys, flood, noisy)
            times.append(_times(rounds))
            print(_line(flood, connections, rate, rounds), flush=True)
        assert not options.check or max(times) < P99_TIMES_MAX, times


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each load")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--connections", type=_counts, default=[1, 16, 100], help="numbers of those of the noisy credential"
    )
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--kinds", type=lambda text: text.split(","), help="names of floods; all by default")
    parser.add_argument(
        "--niceness", type=int, default=0, help="of server and clients; below 0 beside other work, as root"
    )
    parser.add_argument("--no-check", dest="check", action="store_false", help="accept any latency")
    return parser.parse_args()


def _counts(text: str) -> list[int]:
    return [int(count) for count in text.split(",")]


def _floods() -> list[Flood]:
    # Midnight in this zone is not on a UTC hour, so that no rollup answers it.
    dear = reports_pb2.QueryFolderStatsRequest(
        company="acme",
        organization="north",
        from_date="2026-01-12",
        to_date="2026-03-09",
        time_zone="Asia/Kathmandu",
    )
    records = [
        SessionRecord(
            source="flood",
            session_id=str(number),
            account_id="flood",
            setup_time={"seconds": _DAY_S + number},
            end_time={"seconds": _DAY_S + number + 60},
        )
        for number in range(_STREAM_RECORDS)
    ]
    return [
        _small_report("cheap reports", 0),
        Flood("dear reports", f"{_REPORTS}/QueryFolderStats", dear),
        Flood(
            "write streams",
            "/pegcount.v1.RecordService/WriteRecords",
            WriteRecordsRequest(batch_id="1", records=records),
        ),
        _small_report("closed loop", 0, is_closed_loop=True),
    ]


def _small_report(name: str, account: int, *, is_closed_loop: bool = False) -> Flood:
    """One day of one account by the hour."""
    request = reports_pb2.QueryOriginationQualityRequest(
        account_id=f"account {account}",
        from_time="2026-03-09",
        to_time="2026-03-10",
        sampling=reports_pb2.GRANULARITY_HOUR,
    )
    return Flood(name, f"{_REPORTS}/QueryOriginationQuality", request, is_closed_loop)


def _filled(directory: Path, count: int) -> Keys:
    """Makes a data directory with records and credentials."""
    store = EmbeddedStore(directory, Config(), create=True)
    for first in range(0, count, _BATCH_RECORDS):
        records = [_record(number) for number in range(first, min(count, first + _BATCH_RECORDS))]
        store.write(WriteRecordsRequest(records=records).SerializeToString())
    store.flush()
    credentials = Credentials(Config(), store, lambda: time.time_ns() // 1_000)

    def new_key(name: str, *scopes: Scope) -> str:
        new = NewCredential(name, tuple(map(int, scopes)), None, ())
        return credentials.create(lambda _: new).key.text

    noisy = new_key("noisy", Scope.READ_REPORTS, Scope.WRITE_RECORDS)
    others = [new_key(f"other {number}", Scope.READ_REPORTS) for number in range(_OTHER_COUNT)]
    store.close()
    return Keys(noisy, others)


def _record(number: int) -> SessionRecord:
    day = number % _DAY_COUNT
    # A prime step spreads the calls over the day.
    setup_s = _DAY_S - (day + 1) * _SECONDS_PER_DAY + number * 7_919 % 86_000
    return SessionRecord(
        source="bench",
        session_id=str(number),
        account_id=f"account {number // _DAY_COUNT % _ACCOUNT_COUNT}",
        company="acme",
        organization="north",
        folder=f"folder {number % 20}",
        agent_id=f"agent {number // _DAY_COUNT % 50}",
        is_last_attempt=True,
        setup_time={"seconds": setup_s},
        answer_time={"seconds": setup_s + 5},
        end_time={"seconds": setup_s + 65},
    )


def _offered_rate(clients: Clients, directory: Path, flood: Flood) -> float:
    """Returns the calls per second of an open loop: three times the answers of a server without limits, at a
    p99 below the limit."""
    if flood.is_closed_loop:
        return 0.0
    with _serving(directory, clients.niceness, "--no-auth") as (address, _):
        clients.run(address, flood, _CLOSED_SECONDS, "--callers=1")
        loads = [
            clients.run(address, flood, _CLOSED_SECONDS, f"--callers={callers}", "--timeout=20s")
            for callers in _CALLER_COUNTS
        ]
    fast = [load for load in loads if load.p99_ms < _CLOSED_P99_MS_MAX] or loads[:1]
    return _RATE_TIMES * max(load.rate * load.share("OK") for load in fast)


@contextmanager
def _serving(directory: Path, niceness: int, *options: str) -> Iterator[tuple[str, int]]:
    """Runs a server on its core; yields its address and its process id."""
    os.sched_setaffinity(0, {_CORES[0]})
    try:
        with running_pegcount(directory, options=options) as running:
            os.sched_setaffinity(0, set(_CORES))
            _set_niceness(running.pid, niceness)
            yield running.address, running.pid
    finally:
        os.sched_setaffinity(0, set(_CORES))


def _set_niceness(pid: int, niceness: int) -> None:
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.setpriority(os.PRIO_PROCESS, int(thread), niceness)


def _rounds(
    options: argparse.Namespace,
    clients: Clients,
    directory: Path,
    keys: Keys,
    flood: Flood,
    noisy: Sequence[str],
) -> list[Round]:
    other = _small_report("others", 1)
    others = [f"--rate={_OTHER_CALLS_PER_SECOND}", f"--connections={_OTHER_COUNT}"]
    others += [f"--key={key}" for key in keys.others]
    rounds = []
    with _serving(directory, clients.niceness) as (address, pid):
        clients.run(address, other, _REST_SECONDS, *others)
        for _ in range(options.rounds):
            alone = clients.run(address, other, options.seconds, *others)
            # The burst that a credential has saved up is over when the others are measured.
            flooding = clients.started(
                address, flood, options.seconds + 2 * _REST_SECONDS, *noisy, niceness=_FLOOD_NICENESS
            )
            time.sleep(_REST_SECONDS)
            before_s = _cpu_seconds(pid)
            beside = clients.run(address, other, options.seconds, *others)
            core_share = (_cpu_seconds(pid) - before_s) / options.seconds
            rounds.append(Round(alone, beside, clients.ended(flooding, options.seconds), core_share))
            time.sleep(_REST_SECONDS)
    return rounds


def _cpu_seconds(pid: int) -> float:
    _, _, fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")
    user, system = fields.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _times(rounds: Sequence[Round]) -> float:
    return median(each.beside.p99_ms for each in rounds) / median(each.alone.p99_ms for each in rounds)


_HEADER: Final = (
    f"{'flood':<16}{'connections':>12}{'offered/s':>10}{'answered/s':>12}{'p99 alone':>11}{'p99 beside':>12}"
    f"{'ratio':>7}{'others OK':>11}{'core':>7}"
)


def _line(flood: Flood, connections: int, rate: float, rounds: Sequence[Round]) -> str:
    alone, beside = (
        median(load.p99_ms for load in loads)
        for loads in ([each.alone for each in rounds], [each.beside for each in rounds])
    )
    answered = median(each.noisy.rate * each.noisy.share("OK") for each in rounds)
    served = min(load.share("OK") for each in rounds for load in (each.alone, each.beside))
    core = median(each.core_share for each in rounds)
    statuses: Counter[str] = Counter()
    for each in rounds:
        statuses.update(each.noisy.statuses)
    ended = ", ".join(f"{name} {count:,}" for name, count in statuses.most_common())
    return (
        f"{flood.name:<16}{connections:>12}{rate:>10,.0f}{answered:>12,.0f}{alone:>11.2f}{beside:>12.2f}"
        f"{beside / alone:>7.2f}{served:>11.1%}{core:>7.0%}  {ended}"
    )


if __name__ == "__main__":
    main()
