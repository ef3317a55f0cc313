"""`pegcount import` of compressed files, directories and standard input."""

import gzip
import subprocess
import sys
from pathlib import Path

import zstandard
from importer_tests.test_zone_evidence import HOUR_S, east_rows

from cli_tests.test_command_line import SAMPLES, pegcount, printed_counts

YETI = ("--format", "yeti-csv", "--source", "s")
ASTERISK = ("--format", "asterisk-csv", "--source", "s")


def run(directory: Path, *arguments: str | Path, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "pegcount", "import", "--data", "data", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=120, cwd=directory, check=False)


def test_compressed_files_and_pipes_bring_the_same_records(tmp_path: Path) -> None:
    sample = (SAMPLES / "yeti.csv").read_bytes()
    (tmp_path / "calls.bin").write_bytes(gzip.compress(sample))
    # Its name does not say so.
    (tmp_path / "calls.csv").write_bytes(zstandard.compress(sample))
    first = pegcount("import", "--data", "data", *YETI, "calls.bin", cwd=tmp_path)
    assert (first.returncode, printed_counts(first.stdout)["accepted"]) == (0, 21)
    second = pegcount("import", "--data", "data", *YETI, "calls.csv", cwd=tmp_path)
    assert (second.returncode, printed_counts(second.stdout)["identical"]) == (0, 21)
    for stdin in (sample, gzip.compress(sample)):
        done = run(tmp_path, *YETI, "-", stdin=stdin)
        assert (done.returncode, printed_counts(done.stdout.decode())["identical"]) == (0, 21)


def test_standard_input_goes_on_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("a line for somebody else\n" + east_rows(0))
    with (tmp_path / "log.csv").open("rb", buffering=0) as stdin:
        stdin.seek(len("a line for somebody else\n"))
        command = [sys.executable, "-m", "pegcount", "import", "--data", "data", *ASTERISK, "-"]
        done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr, printed_counts(done.stdout)["rows"]) == (0, "", 3)


def test_a_pipe_is_read_twice_where_that_is_needed(tmp_path: Path) -> None:
    zone = ("--time-zone", "Europe/Berlin")
    for format_name, sample in (
        ("asterisk-csv", "asterisk-master.csv"),
        ("freeswitch-csv", "freeswitch.csv"),
    ):
        common = ("--format", format_name, "--source", format_name, *zone)
        file = pegcount("import", "--data", "data", *common, SAMPLES / sample, cwd=tmp_path)
        known = printed_counts(file.stdout)
        again = run(tmp_path, *common, "-", stdin=zstandard.compress((SAMPLES / sample).read_bytes()))
        counts = printed_counts(again.stdout.decode())
        assert again.returncode == 0
        assert (counts["rows"], counts["identical"]) == (known["rows"], known["rows"] - known["skipped"])


def test_a_truncated_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    sample = (SAMPLES / "yeti.csv").read_bytes()
    members = gzip.compress(sample[: sample.index(b"\n", 3000) + 1]) + gzip.compress(sample[3000:])[:100]
    (tmp_path / "cut.csv.gz").write_bytes(members)
    done = pegcount("import", "--data", "data", *YETI, "cut.csv.gz", cwd=tmp_path)
    assert done.returncode == 1
    assert 0 < printed_counts(done.stdout)["accepted"] < 21
    assert done.stderr.startswith("cut.csv.gz: its rest is missing: the compressed data stops before its end")


def test_the_rows_of_a_pipe_and_why_they_were_rejected(tmp_path: Path) -> None:
    time = "2026-03-10T09:00:00Z"
    rows = [f"a,{time},,1", "b,soon,,1", "c,2026-13-01,,1", f"d,{time},2026-03-10T08:00:00Z,1"]
    rows += [f"e,{time},,1E+11", f",{time},,1", f"f,{time},,{'1' * 300}", f'g,{time},,"1', f"h,{time},,1,1"]
    (tmp_path / "calls.csv").write_text(
        "session_id,setup_time,end_time,account_id\n" + "\n".join(rows) + "\n"
    )
    command = f"cat calls.csv | {sys.executable} -m pegcount import --data data"
    done = subprocess.run(
        ["bash", "-c", f"{command} --format pegcount-csv --source s -"],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, printed_counts(done.stdout)["accepted"]) == (1, 1)
    first, *kinds = done.stderr.splitlines()
    assert first == "rejected rows: 8 of 9, in stdin.rejects.csv"
    assert kinds[0] == "  2 rows: setup_time: … is not a date and time; first - line 3"
    assert kinds[-1] == "  2 rows: 2 more kinds"
    assert len(kinds) == 6
    assert (tmp_path / "stdin.rejects.csv").read_text().count("\n") == 9


def test_a_directory_of_rotated_logs(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "cdr-2.csv").write_text(east_rows(0, "{}.2"))
    (logs / "cdr-1.csv.gz").write_bytes(gzip.compress(east_rows(0, "{}.1").encode()))
    (logs / "Master.csv").touch()
    (logs / ".Master.csv.swp").write_text("x")
    (logs / "rejects.csv").write_text("x")
    (logs / "cdr-3.csv").write_text("damaged\n" + east_rows(0, "{}.3"))
    done = pegcount(
        "import", "--data", "data", *ASTERISK, "--rejects", "logs/rejects.csv", "logs", cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "rejected rows: 1 of 10, in logs/rejects.csv",
        "  1 row: no dates in columns 10 to 12 (cdr_csv) or 9 to 11 (cdr_custom);"
        " first logs/cdr-3.csv line 1",
    ]
    # The calls of all files have the linkedid of one call.
    assert done.stdout.splitlines()[:-1] == [
        "logs: 4 files",
        "logs: 10 rows, 1 accepted, 8 replaced, 0 identical, 0 outranked, 1 rejected, 0 skipped",
        "logs: new calls: 1, from 9 rows by the rule 'asterisk linkedid'",
        "logs/cdr-3.csv: 1 of 4 rows rejected",
    ]


def test_a_file_that_cannot_be_imported_does_not_keep_back_the_others(tmp_path: Path) -> None:
    """Regression: the import ended there, without the counts of the files before."""
    files = tmp_path / "files"
    files.mkdir()
    for name in ("a", "c"):
        (files / name).write_text(f"session_id,setup_time\n{name},2026-03-10T09:00:00Z\n")
    (files / "b").touch()
    common = ("--data", "data", "--format", "pegcount-csv", "--source", "s")
    done = pegcount("import", *common, "files", cwd=tmp_path)
    assert (done.returncode, "files: 2 rows, 2 accepted" in done.stdout) == (1, True)
    assert done.stderr == "files/b: its import stopped: the file is empty; a header was expected\n"
    only = pegcount("import", *common, "files/b", cwd=tmp_path)
    assert (only.returncode, "the file is empty" in only.stderr) == (2, True)


def test_bytes_of_another_encoding_are_named_with_their_remedy(tmp_path: Path) -> None:
    log = tmp_path / "calls.csv"
    log.write_bytes("session_id,setup_time,folder\na,2026-03-10T09:00:00Z,Büro\n".encode("latin-1"))
    common = ("--data", "data", "--format", "pegcount-csv", "--source", "s")
    done = pegcount("import", *common, "calls.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "calls.csv: 1 rows had bytes that are not UTF-8, replaced by U+FFFD; " in done.stdout
    assert "give --encoding, such as latin-1" in done.stdout
    again = ("--encoding", "latin-1", "--set", "revision=1")
    done = pegcount("import", *common, *again, "calls.csv", cwd=tmp_path)
    assert (printed_counts(done.stdout)["replaced"], "had bytes" in done.stdout) == (1, False)


def test_a_log_of_another_zone_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "east.csv").write_text(east_rows(3 * HOUR_S))
    refused = pegcount("import", "--data", "data", *ASTERISK, "east.csv", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "UTC+03:00, as in Europe/Istanbul" in refused.stderr
    assert not (tmp_path / "data").exists()
    done = pegcount(
        "import", "--data", "data", *ASTERISK, "--time-zone", "Asia/Riyadh", "east.csv", cwd=tmp_path
    )
    assert (done.returncode, done.stderr, printed_counts(done.stdout)["accepted"]) == (0, "", 1)
    assert "local times" not in done.stdout


def test_a_log_that_is_still_written(tmp_path: Path) -> None:
    rows = east_rows(0)
    log = tmp_path / "Master.csv"
    log.write_text(rows[:-3])
    done = pegcount("import", "--data", "data", *ASTERISK, "Master.csv", cwd=tmp_path)
    assert (done.returncode, done.stderr, printed_counts(done.stdout)["rows"]) == (0, "", 2)
    assert "Master.csv: line 3 was held back: it has no line end" in done.stdout
    log.write_text(rows)
    done = pegcount("import", "--data", "data", *ASTERISK, "Master.csv", cwd=tmp_path)
    assert printed_counts(done.stdout)["rows"] == 3
    assert "held back" not in done.stdout
