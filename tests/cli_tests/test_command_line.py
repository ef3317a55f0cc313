"""The command line, run in processes of its own."""

import csv
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pegcount.importers import FORMATS
from program import Program, run_program
from waiting import wait_until

from cli_tests.journals import journal_bytes

SAMPLES = Path(__file__).parents[2] / "samples"
IMPORTS = [
    ("asterisk-csv", "asterisk-master.csv"),
    ("freeswitch-csv", "freeswitch.csv"),
    ("freeswitch-json", "freeswitch.jsonl"),
    ("freeswitch-xml", "freeswitch.xml"),
    ("yeti-csv", "yeti.csv"),
    ("pegcount-csv", "pegcount.csv"),
]


ERROR_LENGTH_MAX = 300
"""Characters of an error that a terminal shows well."""


def pegcount(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    process = run_program(*arguments, cwd=cwd)
    # Folders of tests have names that are longer than those of people.
    stderr = re.sub(r"(/[^/' ]+)+/", "", process.stderr)
    errors = [line for line in stderr.splitlines() if line.startswith("pegcount: ")]
    assert all(len(line) <= ERROR_LENGTH_MAX for line in errors), errors
    return process


def import_into(data: Path, format_name: str, *files: Path) -> subprocess.CompletedProcess[str]:
    return pegcount("import", "--data", data, *options_of(format_name), *files, cwd=data.parent)


def import_over(address: str, format_name: str, *files: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return pegcount("import", "--server", address, *options_of(format_name), *files, cwd=cwd)


def options_of(format_name: str) -> tuple[str, ...]:
    zone = ("--time-zone", "Europe/Berlin") if "--time-zone" in FORMATS[format_name].options else ()
    return ("--format", format_name, "--source", "test", *zone)


def printed_counts(output: str) -> dict[str, int]:
    """Parses the counts that an import prints for its first file."""
    first_line, _, _ = output.partition("\n")
    counts = re.findall(r"(\d[\d,]*) ([a-z]+)", first_line)
    return {name: int(number.replace(",", "")) for number, name in counts}


@contextmanager
def serving(data: Path, listen: str = "127.0.0.1:0", *options: str) -> Iterator[tuple[str, Program]]:
    with Program("serve", "--create", "--data", data, "--listen", listen, *options) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line.startswith("listening on "), line
            yield line.removeprefix("listening on ").strip(), process
        finally:
            process.terminate()
            process.wait(30)


@pytest.mark.parametrize(("format_name", "sample"), IMPORTS)
def test_importing_a_file_twice_adds_no_records(format_name: str, sample: str, tmp_path: Path) -> None:
    first = import_into(tmp_path / "data", format_name, SAMPLES / sample)
    assert first.returncode == 0, first.stderr
    counts = printed_counts(first.stdout)
    known = counts["accepted"] + counts["replaced"] + counts["identical"]
    assert counts["rows"] == known + counts["skipped"] > 0
    second_counts = printed_counts(import_into(tmp_path / "data", format_name, SAMPLES / sample).stdout)
    assert (second_counts["accepted"], second_counts["replaced"]) == (0, 0)
    assert second_counts["identical"] == known


def test_a_damaged_line_is_rejected_and_sets_the_exit_status(tmp_path: Path) -> None:
    lines = (SAMPLES / "yeti.csv").read_text().splitlines()
    damaged = tmp_path / "damaged.csv"
    damaged.write_text("\n".join([*lines[:3], '"never closed', *lines[3:]]) + "\n")
    process = import_into(tmp_path / "data", "yeti-csv", damaged)
    assert process.returncode == 1
    assert printed_counts(process.stdout)["accepted"] == len(lines) - 1
    with (tmp_path / "damaged.rejects.csv").open(newline="") as rejects:
        (row,) = csv.DictReader(rejects)
    assert (row["line"], row["text"]) == ("4", '"never closed')


def test_a_killed_import_can_be_repeated(tmp_path: Path) -> None:
    header = "session_id,setup_time,end_time,account_id"
    rows = (f"s{i},2026-03-01T00:00:{i % 60:02}Z,2026-03-01T00:01:00Z,1001" for i in range(60_000))
    file = tmp_path / "many.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    command = [sys.executable, "-m", "pegcount", "import", "--data", str(tmp_path / "data")]
    command += ["--format", "pegcount-csv", "--source", "test", str(file)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: journal_bytes(tmp_path / "data") > 200_000, "a write of the import")
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    counts = printed_counts(import_into(tmp_path / "data", "pegcount-csv", file).stdout)
    assert counts["accepted"] + counts["identical"] == counts["rows"] == 60_000
    assert counts["identical"] > 0
    with serving(tmp_path / "data") as (address, _):
        assert "records: 60,000" in pegcount("info", "--server", address).stdout


def test_an_address_that_others_reach_must_be_accepted(tmp_path: Path) -> None:
    import_into(tmp_path / "data", "yeti-csv", SAMPLES / "yeti.csv")
    with serving(tmp_path / "data", "0.0.0.0:0", "--insecure-listen") as (address, _):
        port = address.rpartition(":")[2]
        assert "records: " in pegcount("info", "--server", f"127.0.0.1:{port}").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("serve", "--data", "missing"), "data directory missing does not exist"),
        (("import", "--format", "yeti-csv", "--source", "s", "f"), "needs one of --store DIR|URL"),
        (
            ("import", "--data", "d", "--server", "h", "--format", "yeti-csv", "--source", "s", "f"),
            "give one of --store DIR|URL and --server",
        ),
        (
            ("import", "--data", "d", "--format", "nonsense", "--source", "s", "f"),
            "there is no format 'nonsense'; the formats are",
        ),
        (
            ("import", "--data", "d", "--format", "kamailio", "f"),
            "there is no format 'kamailio'; did you mean \"mapped --mapping kamailio\"?",
        ),
        (("import", "--data", "d", "--format", "yeti-csv", "--source", "s", "f"), "f: No such file"),
        (
            ("import", "--data", "d", "--format", "yeti-csv", "--source", "s", "--time-zone", "Mars", "f"),
            "'Mars' is not an IANA time zone",
        ),
        (
            ("report", "usage", "--from", "2026-03-01", "--server", "127.0.0.1:1"),
            "no server answers at 127.0.0.1:1",
        ),
        (
            ("report", "usage", "--from", "2026-03-01", "--granularity", "EON"),
            "'EON' is not one of MINUTE, FIVE_MINUTES,",
        ),
        (
            ("report", "usage", "--from", "2026-03-01", "--granularity", "hours"),
            'WEEK, MONTH; did you mean "HOUR"?',
        ),
    ],
)
def test_errors_are_reported_in_one_line(arguments: tuple[str, ...], sentence: str, tmp_path: Path) -> None:
    process = pegcount(*arguments, cwd=tmp_path)
    assert process.returncode == 2
    assert sentence in process.stderr
    assert len(process.stderr.splitlines()) == 1


def test_reports_and_code_decks_over_a_served_directory(tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert import_into(data, "pegcount-csv", SAMPLES / "pegcount.csv").returncode == 0
    with serving(data) as (address, _):

        def run_command(*arguments: str | Path) -> str:
            process = pegcount(*arguments, "--server", address)
            assert process.returncode == 0, process.stderr
            return process.stdout

        assert "8 entries" in run_command("deck", "import", "--id", "1", SAMPLES / "deck.csv")
        assert "code deck 1: 8 entries" in run_command("deck", "list")
        assert "with 5 sessions" in run_command(
            "report", "usage", "--from", "2026-03-28", "--to", "2026-03-31", "--kind", "ASR"
        )
        assert "total" in run_command(
            "report", "active", "orig_clients_name", "quantity", "--rollup", "--code-deck", "1"
        )
        assert "billing" in run_command(
            "report", "folders", "acme", "support", "--from", "2026-03-28", "--to", "2026-03-30"
        )
        assert "with 18 calls" in run_command(
            "report", "quality", "--account", "1001", "--from", "2026-03-30", "--to", "2026-03-31"
        )
        for arguments, title, calls in QUALITY_OF_ACCOUNTS:
            printed = run_command(
                "report", "quality", *arguments, "--from", "2026-03-28", "--to", "2026-03-31"
            )
            total = re.search(r"^total +(\d+) ", printed, re.MULTILINE)
            assert total is not None
            assert (printed.startswith(f"{title} per HOUR"), int(total[1])) == (True, calls)
        without_app = ("--absent", "app_id", "--absent", "tenant_id")
        no_asr = run_command("report", "usage", "--kind", "ASR", "--from", "2026-03-28", *without_app)
        assert re.search(r"^total +0 ", no_asr, re.MULTILINE)
        assert 'notice: no record held carries account_id "10001"' in run_command(
            "report", "quality", "--account", "10001", "--from", "2026-03-30", "--to", "2026-03-31"
        )
        assert "records: 65" in run_command("info")
        refused_import = import_into(data, "pegcount-csv", SAMPLES / "pegcount.csv")
        assert (refused_import.returncode, "is in use by process" in refused_import.stderr) == (2, True)
        assert refused_import.stderr.endswith("; import through a server that owns it with --server\n")


QUALITY_OF_ACCOUNTS = [
    (["--account", "1001"], "Calls of account 1001", 18),
    (["--account", "1001", "--account", "1002"], "Calls of accounts 1001, 1002", 18),
    (["--account", "1001", "--absent", "account_id"], "Calls of account 1001 or without one", 37),
    (["--all-accounts"], "Calls of all accounts", 37),
    (["--absent", "account_id"], "Calls without an account", 19),
]


def test_sigterm_ends_a_server_and_releases_its_directory(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for _ in range(2):
        with serving(tmp_path / "data") as (_, process):
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(30) == 0
