"""An installation without pyarrow: only exports and files of reports need it, and they say so."""

import os
import pkgutil
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pegcount
import pytest

SAMPLE = Path(__file__).parents[2] / "samples" / "pegcount.csv"
WITHOUT_PYARROW = "import sys; sys.modules['pyarrow'] = None"
COMMAND = f"{WITHOUT_PYARROW}; from pegcount.cli import main; main()"
NEED_PYARROW = ("pegcount.export", "pegcount.cli.export_file", "pegcount.cli.report.arrow_output")
USAGE = ("report", "usage", "--from", "2026-03-28", "--to", "2026-03-31", "--granularity", "DAY")


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a command in a process that cannot import pyarrow."""
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def output(*arguments: str | Path) -> str:
    process = command(*arguments)
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with the sample, which was imported without pyarrow."""
    options = ("--format", "pegcount-csv", "--source", "demo", "--data", tmp_path / "data")
    output("import", *options, "--rejects", tmp_path / "rejects.csv", SAMPLE)
    return tmp_path / "data"


@contextmanager
def served(data: Path) -> Iterator[str]:
    """Yields the address of `pegcount serve`, which must end as after SIGTERM."""
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, "serve", "--data", data, "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        try:
            lines = iter(process.stdout)
            address = next(match[1] for line in lines if (match := re.match(r"listening on (\S+)", line)))
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.close()
    assert process.returncode == 0


def test_only_exports_import_pyarrow() -> None:
    names = [
        module.name
        for module in pkgutil.walk_packages(pegcount.__path__, "pegcount.")
        if not module.name.startswith(NEED_PYARROW) and module.name != "pegcount.__main__"
    ]
    assert {"pegcount.cli.serve", "pegcount.store", "pegcount.core"} <= set(names)
    imports = "; ".join(f"import {name}" for name in names)
    process = subprocess.run(
        [sys.executable, "-c", f"{WITHOUT_PYARROW}; {imports}"], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr


def test_directory_commands_work(data: Path, tmp_path: Path) -> None:
    output("backup", "--data", data, tmp_path / "backup")
    output("check", "--data", tmp_path / "backup")
    assert "65 identical" in output(
        *("import", "--format", "pegcount-csv", "--source", "demo", "--data", tmp_path / "backup"),
        *("--rejects", tmp_path / "more.csv", SAMPLE),
    )


def test_reports_work(data: Path) -> None:
    with served(data) as address:
        assert "2026-03-29" in output(*USAGE, "--server", address)
        assert "start_time" in output(*USAGE, "--csv", "--server", address)


def test_an_archive_needs_no_extra(data: Path, tmp_path: Path) -> None:
    archive, again = tmp_path / "archive", tmp_path / "again"
    output("export", "--format", "archive", "--data", data, archive)
    output("import", "--format", "pegcount-archive", "--data", again, archive)


@pytest.mark.parametrize("format_name", ["parquet", "csv"])
def test_an_export_names_the_extra(format_name: str, data: Path, tmp_path: Path) -> None:
    process = command("export", "--data", data, "--format", format_name, tmp_path / "out")
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == (
        "pegcount: pegcount export needs pyarrow, which is not installed: pip install 'pegcount[export]'\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--parquet", "--arrow"])
def test_a_file_of_a_report_names_the_extra(option: str, tmp_path: Path) -> None:
    # Port 9 has no server: the command fails before it asks one.
    process = command(*USAGE, option, tmp_path / "out", "--server", "127.0.0.1:9")
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == (
        f"pegcount: {option} needs pyarrow, which is not installed: pip install 'pegcount[export]'\n"
    )


def test_another_module_that_is_missing_is_a_fault() -> None:
    """Only what an extra installs is explained by the extra."""
    broken = "\n".join(
        [
            "import sys",
            "sys.modules['pegcount.export.parquet_sink'] = None",
            "from pegcount.cli.extras import required_by",
            "with required_by('it'): import pegcount.export",
        ]
    )
    process = subprocess.run([sys.executable, "-c", broken], capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert "ModuleNotFoundError" in process.stderr.splitlines()[-1]
