"""`pegcount import --format auto`."""

import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from pegcount.cli import app
from pegcount.importers import MappingFile, read_mapping
from typer.testing import CliRunner

from cli_tests.test_archive import Done
from cli_tests.test_command_line import IMPORTS, SAMPLES, import_into, options_of, pegcount, serving
from cli_tests.test_import_inputs import run

AUTO = ("--format", "auto", "--source", "test")


def auto(format_name: str, *more: str | Path) -> tuple[str | Path, ...]:
    """The options of an import by which the tests of other formats give their own."""
    return "import", *AUTO, *options_of(format_name)[4:], *more


@pytest.mark.parametrize(("format_name", "sample"), IMPORTS)
def test_it_imports_as_the_format_that_it_names(format_name: str, sample: str, tmp_path: Path) -> None:
    done = pegcount(*auto(format_name, "--data", "data", SAMPLES / sample), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found, _, rest = done.stdout.partition("\n")
    assert found.startswith(f"{SAMPLES / sample}: {format_name}: ")
    told = import_into(tmp_path / "other", format_name, SAMPLES / sample)
    assert rest.splitlines()[:-1] == told.stdout.splitlines()[:-1]


@pytest.mark.parametrize(("format_name", "sample"), IMPORTS)
def test_a_pipe_loses_nothing(format_name: str, sample: str, tmp_path: Path) -> None:
    known = import_into(tmp_path / "other", format_name, SAMPLES / sample).stdout.partition(": ")[2]
    raw = gzip.compress((SAMPLES / sample).read_bytes())
    done = run(tmp_path, *AUTO, *options_of(format_name)[4:], "-", stdin=raw)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith(f"-: {format_name}: ")
    assert lines[1] == f"-: {known.splitlines()[0]}"


def test_a_substituted_process_is_a_pipe_too(tmp_path: Path) -> None:
    command = (
        f"{sys.executable} -m pegcount import --data data --format auto --source s <(cat {SAMPLES}/yeti.csv)"
    )
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert ": 21 rows, 21 accepted, " in done.stdout


def test_over_a_server(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served") as (address, _):
        done = pegcount("import", "--server", address, *AUTO, SAMPLES / "yeti.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{SAMPLES / 'yeti.csv'}: yeti-csv: its header has 31 columns")
    assert ": 21 rows, 21 accepted, " in done.stdout


def test_a_dry_run(tmp_path: Path) -> None:
    done = pegcount("import", *AUTO, "--dry-run", SAMPLES / "freeswitch.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = done.stdout.splitlines()[:2]
    assert first.endswith(
        "freeswitch.csv: freeswitch-csv: the 24 rows have times and a hangup cause where the template"
        " example has them"
    )
    assert second.endswith("freeswitch.csv: 24 rows, 22 valid, 0 rejected, 2 skipped")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_has_a_line_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "logs" / name).write_bytes((SAMPLES / "yeti.csv").read_bytes())
    (tmp_path / "logs" / "c.csv").touch()
    done = pegcount("import", *AUTO, "--dry-run", "logs", SAMPLES / "yeti.csv", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("logs: yeti-csv: 2 files, such as a.csv: its header has 31 columns")
    assert lines[1] == (
        "logs/c.csv: taken as yeti-csv, like the others; nothing tells its format: it is empty"
    )
    assert lines[2].startswith(f"{SAMPLES / 'yeti.csv'}: yeti-csv: its header")
    # As with --format yeti-csv, an empty file that needs a header does not keep back the others.
    assert done.returncode == 1
    assert "logs/c.csv: its import stopped: the file is empty" in done.stderr


def test_a_directory_of_two_formats_is_refused(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name in ("yeti.csv", "freeswitch.csv"):
        (tmp_path / "logs" / name).write_bytes((SAMPLES / name).read_bytes())
    done = pegcount("import", *AUTO, "--data", "data", "logs", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "pegcount: the files are not all of one format, and nothing was imported; import them format by"
        " format:",
        "  freeswitch-csv: logs/freeswitch.csv",
        "  yeti-csv: logs/yeti.csv",
    ]
    assert not (tmp_path / "data").exists()


def test_a_file_of_no_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "calls.csv").write_text("Call ID;Started;Talk;From 1234567\n1;2;3;4\n")
    done = pegcount("import", *AUTO, "--data", "data", "calls.csv", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        "pegcount: calls.csv: it fits no format",
        "  seen: 4 cells separated by semicolons; no header; first line: **** **, *******, ****, ****"
        " 123****",
        "  if you know its format, give --format NAME; otherwise write a mapping file (docs/mapping.md), and"
        " try it: pegcount mapping check FILE.toml calls.csv",
    ]
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--calls", "rows"), "yeti-csv does not use --calls; the formats that do: asterisk-csv"),
        (("--mapping", "calls.toml"), "--format auto looks for a mapping by itself; with --mapping, give"),
        (("--encoding", "utf-7"), "--encoding: 'utf-7' does not have the characters of ASCII"),
    ],
)
def test_options_are_those_of_the_format(options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = pegcount("import", *AUTO, *options, "--data", "data", SAMPLES / "yeti.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"pegcount: {message}")


def test_rows_need_a_source(tmp_path: Path) -> None:
    done = pegcount("import", "--format", "auto", "--data", "data", SAMPLES / "yeti.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "pegcount: --format yeti-csv needs --source, the switch or feed of the records\n"


def test_an_export_of_yeti_that_lacks_a_column_is_refused_as_one(tmp_path: Path) -> None:
    header, _, rows = (SAMPLES / "yeti.csv").read_text().partition("\n")
    (tmp_path / "cdrs.csv").write_text(f"{header.replace('is_last_cdr', 'last')}\n{rows}")
    command = ("import", *AUTO, "--data", "data", "cdrs.csv")
    done = pegcount(*command, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout.endswith("but lacks is_last_cdr\n")
    assert done.stderr.startswith("pegcount: cdrs.csv: the header lacks is_last_cdr: a rerouted call would")
    done = pegcount(*command, "--set", "is_last_attempt=true", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_archive_is_joined(tmp_path: Path) -> None:
    data, archive = tmp_path / "data", tmp_path / "archive"
    assert import_into(data, "yeti-csv", SAMPLES / "yeti.csv").returncode == 0
    assert pegcount("export", "--format", "archive", "--store", data, archive).returncode == 0
    target = ("--store", tmp_path / "again")
    refused = pegcount("import", *AUTO, *target, archive)
    assert "pegcount-archive does not use --source" in refused.stderr
    done = pegcount("import", "--format", "auto", *target, archive)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{archive}: pegcount-archive: it begins with PEGARCH\n" in done.stdout
    assert ": 21 records: 21 added" in done.stdout
    both = pegcount("import", *AUTO, *target, archive, SAMPLES / "yeti.csv")
    assert "  pegcount-archive: " in both.stderr


CALLS = (
    "Call ID;Started;Talk;From;To\n"
    "a;28.03.2026 09:00:00;10;442079460001;442079460002\n"
    "b;28.03.2026 10:00:00;0;442079460001;442079460003\n"
)
MAPPING = """
separator = ";"
time_format = "%d.%m.%Y %H:%M:%S"
zone = "Europe/Berlin"
[columns]
"Call ID" = "session_id"
Started = "setup_time"
Talk = ["talk_seconds", "call_seconds"]
From = "caller"
To = "called"
"""


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns the folder of the mappings that come with Pegcount, which are others in this test."""
    folder = tmp_path / "shipped"
    folder.mkdir()

    def names() -> list[str]:
        return sorted(path.stem for path in folder.glob("*.toml"))

    def path_of(name: str) -> Path:
        return folder / f"{name}.toml"

    def mappings() -> dict[str, MappingFile]:
        return {name: read_mapping(path_of(name), lambda _: "") for name in names()}

    monkeypatch.setattr("pegcount.cli.import_format.shipped_mappings", mappings)
    monkeypatch.setattr("pegcount.cli.mapping_option.shipped_names", names)
    monkeypatch.setattr("pegcount.cli.mapping_option.shipped_path", path_of)
    return folder


def in_process(*arguments: str | Path) -> Done:
    done = CliRunner().invoke(app, list(map(str, ["import", *AUTO, *arguments])))
    return Done(done.exit_code, done.stdout, done.stderr)


def test_a_table_of_a_shipped_mapping(shipped: Path, tmp_path: Path) -> None:
    (shipped / "calls.toml").write_text(MAPPING)
    (tmp_path / "calls.csv").write_text(CALLS)
    done = in_process("--data", tmp_path / "data", tmp_path / "calls.csv")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == (
        f"{tmp_path}/calls.csv: mapped (--mapping calls): its header has the 5 columns that the mapping needs"
    )
    assert ": 2 rows, 2 accepted, " in done.stdout
    # The zone is that of the mapping.
    assert "local times were read as" not in done.stdout
    dry = in_process("--dry-run", tmp_path / "calls.csv")
    assert "setup_time: 2026-03-28T09:00:00+01:00" in dry.stdout


def test_mappings_that_nothing_tells_apart_are_named(shipped: Path, tmp_path: Path) -> None:
    for name in ("calls", "others"):
        (shipped / f"{name}.toml").write_text(MAPPING)
    (tmp_path / "calls.csv").write_text(CALLS)
    done = in_process("--data", tmp_path / "data", tmp_path / "calls.csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [
        f"pegcount: {tmp_path}/calls.csv: it fits 2 formats, and nothing tells which one it has:",
        "  the mapping calls: its header has the 5 columns that the mapping needs",
        "  the mapping others: its header has the 5 columns that the mapping needs",
        "  give --format mapped --mapping NAME",
    ]
    assert not (tmp_path / "data").exists()


def test_the_names_of_files_and_columns_cannot_move_the_cursor(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[2J.csv").write_text("session_id,setup_time\n")
    done = pegcount("import", *AUTO, "--dry-run", "a\x1b[2J.csv", cwd=tmp_path)
    assert done.stdout.startswith("a\\x1b[2J.csv: pegcount-csv: its 2 columns")


def test_the_rejects_file_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.csv").write_text("session_id,setup_time\n")
    (tmp_path / "logs" / "old.rejects.csv").write_text("file,line,reason,text\n")
    (tmp_path / "logs" / "named.csv").write_text("file,line,reason,text\n")
    done = pegcount("import", *AUTO, "--dry-run", "--rejects", "logs/named.csv", "logs", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("logs: pegcount-csv: 1 file a.csv: its 2 columns")
