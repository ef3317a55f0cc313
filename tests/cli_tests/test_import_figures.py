"""Files as databases and spreadsheets write them, imported and reported; the figures are counted by hand."""

import csv
from contextlib import closing
from pathlib import Path

import pytest
from pegcount import core
from pegcount.cli import app
from pegcount.config import Config
from pegcount.server.call_clock import CallClock
from pegcount.store import EmbeddedStore
from pegcount.v1 import reports_pb2
from pegcount.zone import US_PER_SECOND
from store_reports import StoreReports
from typer.testing import CliRunner

from cli_tests.test_command_line import printed_counts

NOW_US = 1_780_000_000 * US_PER_SECOND
"""2026-05-28, after all calls."""
Figures = tuple[int, int, int]
"""Calls, answered calls and milliseconds from answer to end."""

_HOUR = "2026-04-02 08:"
# Of psql's `\copy`: prices of 20 and of 40 decimals, as billing leaves them when its rounding is off.
PRICED = f"""\
id,time_start,time_connect,time_end,duration,is_last_cdr,customer_acc_id,customer_price,auth_orig_ip
11,{_HOUR}00:00.4+00,{_HOUR}00:03.4+00,{_HOUR}00:43.4+00,40,t,31,0.02000000000000000000,192.0.2.31
12,{_HOUR}05:00.4+00,{_HOUR}05:03.4+00,{_HOUR}05:23.4+00,20,t,31,0.01{38 * "0"},192.0.2.31/32
13,{_HOUR}10:00.4+00,{_HOUR}10:03.4+00,{_HOUR}10:13.4+00,10,t,31,0.00333333333333333333,192.0.2.31/32
14,{_HOUR}15:00.4+00,,{_HOUR}15:30.4+00,0,t,31,0,192.0.2.32/32
15,{_HOUR}16:00.4+00,{_HOUR}16:01.4+00,{_HOUR}16:01.7+00,0,t,31,0.0025000000,192.0.2.32
16,{_HOUR}16:00.4+00,,{_HOUR}16:00.9+00,0,f,31,,192.0.2.32
"""
# As CDR Export writes it: titles, all cells quoted, the newest first; local times, if that was chosen.
EXPORTED = """\
ID,Time Start,Time Connect,Time End,Is Last Cdr,Customer Acc,Auth Orig Ip,Customer Price
"23","2026-04-02 00:30:00.5","2026-04-02 00:30:04.5","2026-04-02 00:31:34.5","t","32","192.0.2.10","0.75"
"22","2026-04-01 23:30:00.5",,"2026-04-01 23:30:09.5","t","32","192.0.2.10","0"
"21","2026-04-01 23:29:58.5",,"2026-04-01 23:30:00.5","f","32","192.0.2.10","0"
"""


def run(directory: Path, text: str, *options: str, status: int = 0) -> str:
    """Imports a text, and returns what was printed."""
    file = directory / "calls.csv"
    file.write_text(text)
    target = ["--data", str(directory / "data"), "--rejects", str(directory / "rejects.csv")]
    done = CliRunner().invoke(app, ["import", *target, "--source", "switch", *options, str(file)])
    assert done.exit_code == status, done.output
    return done.output


def figures(directory: Path, account: str, **filters: str) -> Figures:
    with closing(EmbeddedStore(directory / "data", Config())) as store:
        service, token = StoreReports(Config(), store, lambda: NOW_US), core.CancelToken(None)
        request = reports_pb2.QueryOriginationQualityRequest(
            account_id=account,
            sampling="GRANULARITY_DAY",
            **({"from_time": "2026-03-01", "to_time": "2026-05-01"} | filters),  # type: ignore[arg-type]
        )
        answer = (
            service.prepare("QueryOriginationQuality", request.SerializeToString(), token)
            .answer(token, CallClock())
            .data
        )
    totals = reports_pb2.QueryOriginationQualityResponse.FromString(answer).totals
    return totals.total_calls, totals.answered_calls, totals.duration_ms


def rejects(directory: Path) -> list[tuple[str, str]]:
    with (directory / "rejects.csv").open(newline="") as file:
        return [(row["line"], row["reason"]) for row in csv.DictReader(file)]


def test_prices_as_a_database_prints_them_cost_no_call(tmp_path: Path) -> None:
    printed = run(tmp_path, PRICED, "--format", "yeti-csv")
    assert printed_counts(printed)["accepted"] == 6
    assert "1 rows have a price with more than 9 decimals, which was rounded to 9, half to even" in printed
    # 40 s, 20 s, 10 s and 0.3 s; the attempt that another one followed is not a call.
    assert figures(tmp_path, "31") == (5, 4, 70_300)
    again = printed_counts(run(tmp_path, PRICED, "--format", "yeti-csv"))
    assert (again["accepted"], again["replaced"], again["identical"]) == (0, 0, 6)


def test_filters_find_addresses_with_a_prefix_length(tmp_path: Path) -> None:
    run(tmp_path, PRICED, "--format", "yeti-csv")
    assert figures(tmp_path, "31", auth_orig_ip="192.0.2.31") == (3, 3, 70_000)
    assert figures(tmp_path, "31", auth_orig_ip="192.0.2.32/31") == (2, 1, 300)


def test_an_export_of_the_web_interface_in_local_time(tmp_path: Path) -> None:
    run(tmp_path, EXPORTED, "--format", "yeti-csv", "--time-zone", "Europe/Berlin")
    assert figures(tmp_path, "32") == (2, 1, 90_000)
    # 00:30 in Berlin is 22:30 UTC of the day before.
    assert figures(tmp_path, "32", from_time="2026-04-01", to_time="2026-04-02") == (2, 1, 90_000)
    assert figures(tmp_path, "32", from_time="2026-04-01T22:30:00Z") == (1, 1, 90_000)


def test_an_export_of_the_customer_api_is_refused_in_one_sentence(tmp_path: Path) -> None:
    header = '"Time Start","Time Connect","Time End","Success","Duration","Orig Call","Local Tag"\n'
    row = '"2026-04-02 08:00:00.4+00",,"2026-04-02 08:00:09+00","f","0","c1@192.0.2.10","T1"\n'
    printed = run(tmp_path, header + row, "--format", "yeti-csv", status=2)
    assert len(printed.splitlines()) == 1
    assert "the header lacks ID, Is Last Cdr: without an id, a call that is imported twice" in printed
    assert "(the customer API exports none)" in printed
    assert not (tmp_path / "rejects.csv").exists()


def test_numbers_that_a_spreadsheet_rounded_are_rejected_with_their_lines(tmp_path: Path) -> None:
    header = "session_id,setup_time,end_time,account_id,orig_src_party_id,agent_id,folder\n"
    times = "2026-04-02T08:00:00Z,2026-04-02T08:00:30Z"
    rows = [f"a,{times},33,1.20255E+10,,", f"b,{times},33,12025550101,1E5,1E5", f"c,{times},3.3E+11,,,"]
    printed = run(tmp_path, header + "\n".join(rows) + "\n", "--format", "pegcount-csv", status=1)
    assert (printed_counts(printed)["accepted"], printed_counts(printed)["rejected"]) == (1, 2)
    assert rejects(tmp_path) == [
        ("2", "'1.20***E+**' is a number that a spreadsheet has rounded"),
        ("4", "'3.3E+1*' is a number that a spreadsheet has rounded"),
    ]
    assert figures(tmp_path, "33")[0] == 1


def test_an_id_that_is_used_again_is_named_with_its_remedy(tmp_path: Path) -> None:
    header = "session_id,setup_time,answer_time,end_time,account_id\n"
    day = "2026-04-02T"
    first = f"7,{day}08:00:00Z,{day}08:00:05Z,{day}08:01:05Z,34\n"
    second = f"7,{day}14:00:00Z,{day}14:00:05Z,{day}14:02:05Z,34\n"
    printed = run(tmp_path, header + first + second, "--format", "pegcount-csv")
    assert "1 rows look like other calls under ids that are stored already. If the same calls were" in printed
    assert figures(tmp_path, "34")[0] == 1


def test_only_an_export_of_a_directory_has_stored_texts(tmp_path: Path) -> None:
    printed = run(tmp_path, PRICED, "--format", "yeti-csv", "--accept-stored", status=2)
    assert "yeti-csv does not use --accept-stored; the formats that do: pegcount-csv" in printed


@pytest.mark.parametrize(
    ("setting", "shown"),
    [
        ("auth_orig_ip=pbx.example.com", "auth_orig_ip: '***.*******.***' is no"),
        ("account_id=4.4E+11", "'4.4E+1*' is a number that a spreadsheet has rounded"),
    ],
)
def test_bad_values_for_a_whole_file_are_refused(setting: str, shown: str, tmp_path: Path) -> None:
    printed = run(tmp_path, PRICED, "--format", "yeti-csv", "--set", setting, status=2)
    assert shown in printed
