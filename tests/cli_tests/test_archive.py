"""`pegcount export --format archive` and the import of an archive."""

import re
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from moved_stores import HELD
from pegcount.cli import app
from pegcount.config import Config
from pegcount.store import EmbeddedStore
from store_tests.store_fixtures import MANUAL_MAINTENANCE, StoreHarness, active, finished, write
from typer.testing import CliRunner

from cli_tests.test_command_line import SAMPLES, import_into, serving
from cli_tests.test_export import awkward_records


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    returncode: int
    stdout: str
    stderr: str


def pegcount(*arguments: str | Path) -> Done:
    """Runs a command in this process, which takes less time than to start one."""
    done = CliRunner().invoke(app, list(map(str, arguments)))
    return Done(done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Returns a closed directory with records in files, in the journal, and active, and a key."""
    with StoreHarness(tmp_path / "data", MANUAL_MAINTENANCE) as harness:
        records = awkward_records()
        write(harness.store, *records[:-8], active("merged", company="from the start"))
        harness.flush()
        write(harness.store, *records[-8:], finished("merged", event=3, organization="from the end"))
        harness.store.put_credentials([HELD])
    return tmp_path / "data"


def test_a_store_moves_with_all_it_has(data: Path, tmp_path: Path) -> None:
    archive, again = tmp_path / "data.pegcount", tmp_path / "again"
    count = len(awkward_records()) + 1
    made = pegcount("export", "--format", "archive", "--store", data, archive)
    assert (made.returncode, made.stderr) == (0, "")
    assert f"{count} records with all their versions, and the settings" in made.stdout
    assert archive.stat().st_mode & 0o777 == 0o600
    taken = _import(archive, again)
    assert f"{count} records: {count} added, 0 joined with one of the store, 0 there already" in taken
    assert "credentials: 1 taken" in taken
    assert f"0 added, 0 joined with one of the store, {count} there already" in _import(archive, again)
    for directory in (data, again):
        out = directory.with_suffix(".csv")
        assert pegcount("export", "--format", "csv", "--store", directory, out).returncode == 0
    assert sorted((tmp_path / "data.csv").read_bytes().split(b"\n")) == sorted(
        (tmp_path / "again.csv").read_bytes().split(b"\n")
    )
    with closing(EmbeddedStore(again, Config())) as store:
        assert store.credentials() == [HELD]


def test_a_server_goes_on_beside_an_export_and_keeps_an_import_out(tmp_path: Path) -> None:
    data, archive = tmp_path / "data", tmp_path / "archive"
    assert import_into(data, "pegcount-csv", SAMPLES / "pegcount.csv").returncode == 0
    with serving(data):
        assert pegcount("export", "--format", "archive", "--store", data, archive).returncode == 0
        refused = pegcount("import", "--format", "pegcount-archive", "--store", data, archive)
        assert refused.returncode == 2
        assert "stop that server, and start it again after the import" in refused.stderr
    assert "0 added, 0 joined" in _import(archive, data)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--source", "switch"), "pegcount-archive does not use --source"),
        (("--dry-run", "--time-zone", "UTC"), "does not use --time-zone, --dry-run"),
        (("--server", "127.0.0.1:1"), "an archive is joined with the store itself: give --store DIR"),
    ],
)
def test_options_that_an_archive_does_not_use_are_refused(
    options: tuple[str, ...], problem: str, tmp_path: Path
) -> None:
    target = () if "--server" in options else ("--store", tmp_path / "new")
    refused = pegcount("import", "--format", "pegcount-archive", *target, *options, tmp_path / "archive")
    assert (refused.returncode, problem in refused.stderr) == (2, True), refused.stderr
    assert not (tmp_path / "new").exists()


def test_what_an_archive_cannot_be_is_refused(data: Path, tmp_path: Path) -> None:
    def refused(*arguments: str | Path) -> str:
        done = pegcount("export", "--format", "archive", "--store", data, *arguments)
        assert done.returncode == 2
        return done.stderr

    assert "an archive has the whole store" in refused("--from", "2026-03-28", tmp_path / "archive")
    assert "and not to standard output" in refused("-")
    assert "is in the data directory" in refused(data / "archive")
    text = tmp_path / "calls.csv"
    text.write_text("session_id\n")
    wrong = pegcount("import", "--format", "pegcount-archive", "--store", tmp_path / "new", text)
    assert "is not an archive of `pegcount export --format archive`" in wrong.stderr
    assert not (tmp_path / "new").exists()
    piped = pegcount("import", "--format", "pegcount-archive", "--store", tmp_path / "new", "-")
    assert "name its file in place of -" in piped.stderr
    rows = pegcount("import", "--format", "pegcount-csv", "--store", tmp_path / "new", text)
    assert "--format pegcount-csv needs --source" in rows.stderr


def _import(archive: Path, target: Path) -> str:
    done = pegcount("import", "--format", "pegcount-archive", "--store", target, archive)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"\d records in [\d.]+ s", done.stdout)
    return done.stdout
