"""However the rows of a switch arrive, all reports are the same, byte for byte."""

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pegcount import core
from pegcount.config import Config
from pegcount.server.call_clock import CallClock
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2
from pegcount.zone import US_PER_SECOND
from seeds import chance
from store_reports import StoreReports
from waiting import wait_until

from cli_tests.journals import journal_bytes
from cli_tests.test_command_line import pegcount, serving

CALL_COUNT = 6_000
START_S = 1_773_100_800
"""2026-03-10T00:00:00Z."""
NOW_US = (START_S + 200_000) * US_PER_SECOND
HEADER = "start,src,dst,channel,dstchannel,lastapp,duration,billsec,disposition,uniqueid,linkedid,sequence"
HEADER += ",accountcode"
OPTIONS = (
    *("--format", "asterisk-csv", "--source", "pbx"),
    *("--set", "company=c", "--set", "organization=o", "--set", "folder=f"),
)
RANGE: dict[str, Any] = {"from_time": "2026-03-09", "to_time": "2026-03-12"}
REQUESTS = {
    "QueryAsrUsage": reports_pb2.QueryAsrUsageRequest(
        granularity="GRANULARITY_MINUTE", kind="SESSION_KIND_CALL", **RANGE
    ),
    "QueryActiveSessions": reports_pb2.QueryActiveSessionsRequest(return_fields=["quantity"]),
    "QueryFolderStats": reports_pb2.QueryFolderStatsRequest(
        company="c", organization="o", from_date="2026-03-09", to_date="2026-03-12"
    ),
    "QueryOriginationQuality": reports_pb2.QueryOriginationQualityRequest(
        account_id="7", sampling="GRANULARITY_MINUTE", **RANGE
    ),
}


def rows_of(call: int) -> list[str]:
    """A menu, a phone that is busy, and for two of three calls a phone that answers."""
    linkedid = f"{START_S + call}.{call}"
    hour, minute, second = call // 3_600, call // 60 % 60, call % 60
    start = f"2026-03-10 {hour:02}:{minute:02}:{second:02}"
    paths = [
        ("PJSIP/a-1,", "Playback,30,30,ANSWERED"),
        ("PJSIP/a-1,PJSIP/b-1", "Dial,40,0,BUSY"),
        ("PJSIP/a-1,PJSIP/c-1", f"Dial,{100 + call % 7},{60 + call % 7},ANSWERED"),
    ]
    return [
        f"{start},100,600,{channels},{outcome},{linkedid},{linkedid},{3 * call + number},7"
        for number, (channels, outcome) in enumerate(paths[: 2 + (call % 3 > 0)])
    ]


ROWS = [row for call in range(CALL_COUNT) for row in rows_of(call)]
ANSWERED_COUNT = sum(call % 3 > 0 for call in range(CALL_COUNT))


def write_log(path: Path, rows: Sequence[str]) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def import_into(directory: Path, *files: Path) -> None:
    done = pegcount("import", "--data", directory / "data", *OPTIONS, *files, cwd=directory)
    assert (done.returncode, done.stderr) == (0, "")


def whole(directory: Path) -> None:
    import_into(directory, write_log(directory / "log.csv", ROWS))


def twice(directory: Path) -> None:
    whole(directory)
    whole(directory)


def in_two_halves_cut_inside_a_call(directory: Path) -> None:
    # The middle row of a call of three.
    cut = len(rows_of(0)) + 1
    import_into(directory, write_log(directory / "second.csv", ROWS[cut:]))
    import_into(directory, write_log(directory / "first.csv", ROWS[:cut]))


def reversed_rows(directory: Path) -> None:
    import_into(directory, write_log(directory / "log.csv", ROWS[::-1]))


def shuffled(directory: Path) -> None:
    rows = list(ROWS)
    chance("rows of a log").shuffle(rows)
    import_into(directory, write_log(directory / "log.csv", rows))


def through_a_server(directory: Path) -> None:
    log = write_log(directory / "log.csv", ROWS)
    with serving(directory / "data") as (address, _):
        done = pegcount("import", "--server", address, *OPTIONS, log, cwd=directory)
        assert (done.returncode, done.stderr) == (0, "")


def killed_in_the_middle(directory: Path) -> None:
    log = write_log(directory / "log.csv", ROWS)
    command = [sys.executable, "-m", "pegcount", "import", "--data", str(directory / "data"), *OPTIONS]
    with subprocess.Popen(
        [*command, str(log)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory
    ) as process:
        wait_until(lambda: journal_bytes(directory / "data") > 200_000, "a write of the import")
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    whole(directory)


def reports_of(data: Path) -> dict[str, bytes]:
    """The answers to all requests, and whether they count what the rows say."""
    with closing(EmbeddedStore(data, Config())) as store:
        assert store.info().records == CALL_COUNT
        service, token = StoreReports(Config(), store, lambda: NOW_US), core.CancelToken(None)
        answers = {
            method: service.prepare(method, request.SerializeToString(), token)
            .answer(token, CallClock())
            .data
            for method, request in REQUESTS.items()
        }
    quality = reports_pb2.QueryOriginationQualityResponse.FromString(answers["QueryOriginationQuality"])
    assert (quality.totals.total_calls, quality.totals.answered_calls) == (CALL_COUNT, ANSWERED_COUNT)
    return answers


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    directory = tmp_path_factory.mktemp("whole")
    whole(directory)
    return reports_of(directory / "data")


@pytest.mark.parametrize(
    "arrive",
    [
        twice,
        in_two_halves_cut_inside_a_call,
        reversed_rows,
        shuffled,
        through_a_server,
        killed_in_the_middle,
    ],
)
def test_the_arrival_of_rows_changes_no_report(
    arrive: Callable[[Path], None], tmp_path: Path, expected: dict[str, bytes]
) -> None:
    arrive(tmp_path)
    assert reports_of(tmp_path / "data") == expected
