"""`pegcount import` of rows that are parts of calls: rules of sources, and what it prints."""

import csv
from pathlib import Path

from cli_tests.test_command_line import pegcount, printed_counts, serving

HEADER = "start,src,dst,channel,dstchannel,lastapp,duration,billsec,disposition,uniqueid,linkedid,sequence\n"
ROWS = [
    "2026-03-10 09:00:00,100,600,PJSIP/a-1,PJSIP/b-1,Dial,10,0,NO ANSWER,1773133200.1,1773133200.1,1",
    "2026-03-10 09:00:00,100,600,PJSIP/a-1,PJSIP/c-1,Dial,130,120,ANSWERED,1773133200.1,1773133200.1,2",
    "2026-03-10 09:10:00,100,200,PJSIP/a-2,PJSIP/b-2,Dial,5,0,BUSY,1773133800.2,1773133800.2,3",
]


def files(directory: Path) -> tuple[Path, Path]:
    """A file with linkedid, and one without."""
    linked, unlinked = directory / "linked.csv", directory / "unlinked.csv"
    linked.write_text(HEADER + "\n".join(ROWS) + "\n")
    cells = [line.split(",") for line in [HEADER.strip(), *ROWS]]
    unlinked.write_text("".join(",".join([*line[:10], line[11]]) + "\n" for line in cells))
    return linked, unlinked


def options(*more: str) -> list[str]:
    return ["--format", "asterisk-csv", "--source", "pbx", *more]


def test_rows_of_a_call_are_counted_once_and_shown(tmp_path: Path) -> None:
    linked, _ = files(tmp_path)
    done = pegcount("import", "--data", tmp_path / "d", *options("--report-calls", "1"), linked, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    call, first, second, counts, calls, _ = done.stdout.splitlines()
    assert "100 to 600" in call
    assert "120.000 s" in call
    assert ("line 2" in first, "class 2 party" in first, "NO ANSWER" in first) == (True, True, True)
    assert ("line 3" in second, "ANSWERED" in second) == (True, True)
    assert counts.endswith("3 rows, 2 accepted, 1 replaced, 0 identical, 0 outranked, 0 rejected, 0 skipped")
    assert calls.endswith("new calls: 2, from 3 rows by the rule 'asterisk linkedid'")


def test_another_rule_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    linked, unlinked = files(tmp_path)
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served") as (address, _):
        for target in (["--data", str(tmp_path / "d")], ["--server", address]):
            done = pegcount("import", *target, *options(), linked, cwd=tmp_path)
            assert (done.returncode, printed_counts(done.stdout)["accepted"]) == (0, 2)
            for more in (["--calls", "rows"], []):
                refused = pegcount("import", *target, *options(*more), unlinked, cwd=tmp_path)
                assert refused.returncode == 2
                assert "by the rule 'asterisk linkedid'" in refused.stderr
                assert "--calls linkedid" in refused.stderr
            again = pegcount("import", *target, *options("--calls", "linkedid"), unlinked, cwd=tmp_path)
            counts = printed_counts(again.stdout)
            # Both files have uniqueid and sequence of each row, and so the same parts.
            assert (again.returncode, counts["accepted"], counts["identical"]) == (0, 0, 3)


def test_files_of_different_kinds_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    refused = pegcount("import", "--data", tmp_path / "d", *options(), *files(tmp_path), cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--calls linkedid, uniqueid or rows" in refused.stderr
    done = pegcount(
        "import", "--data", tmp_path / "d", *options("--calls", "rows"), *files(tmp_path), cwd=tmp_path
    )
    assert (done.returncode, printed_counts(done.stdout)["accepted"]) == (0, 3)


def test_what_changed_nothing_is_named_with_its_remedy(tmp_path: Path) -> None:
    data = tmp_path / "d"
    linked, _ = files(tmp_path)
    pegcount("import", "--data", data, *options("--set", "revision=1"), linked, cwd=tmp_path)
    done = pegcount("import", "--data", data, *options("--set", "disconnect_cause=3"), linked, cwd=tmp_path)
    counts = printed_counts(done.stdout)
    assert (counts["identical"], counts["outranked"]) == (0, 3)
    assert (
        "3 rows rank below what is stored, and say something else; if this file is right, --correct"
        in done.stdout
    )


def test_the_remedy_corrects_an_answer_that_was_none(tmp_path: Path) -> None:
    data, log, exported = tmp_path / "d", tmp_path / "log.csv", tmp_path / "out.csv"
    for row, more in ((ROWS[1], []), (ROWS[1].replace("130,120,ANSWERED", "130,0,NO ANSWER"), ["--correct"])):
        log.write_text(f"{HEADER}{row}\n")
        assert pegcount("import", "--data", data, *options(*more), log, cwd=tmp_path).returncode == 0
    pegcount("export", "--data", data, "--format", "csv", exported, cwd=tmp_path)
    (stored,) = csv.DictReader(exported.read_text().splitlines())
    assert (stored["answer_time"], stored["disconnect_cause"]) == ("", "19")


def test_importing_answers_by_two_rules_is_refused(tmp_path: Path) -> None:
    linked, _ = files(tmp_path)
    data = tmp_path / "d"
    done = pegcount("import", "--data", data, *options("--answered", "switch"), linked, cwd=tmp_path)
    assert (done.returncode, "by the rule 'asterisk linkedid switch'" in done.stdout) == (0, True)
    refused = pegcount("import", "--data", data, *options(), linked, cwd=tmp_path)
    assert refused.returncode == 2
    assert "(--calls linkedid --answered switch)" in refused.stderr
    rows = pegcount("import", "--data", data, *options("--calls", "rows"), linked, cwd=tmp_path)
    assert rows.returncode == 2


def test_an_import_without_a_single_record_binds_no_source(tmp_path: Path) -> None:
    linked, unlinked = files(tmp_path)
    long_id = "1773133200." + "1" * 300
    rejected = tmp_path / "rejected.csv"
    rejected.write_text(HEADER + ROWS[2].replace("1773133800.2", long_id) + "\n")
    data = tmp_path / "d"
    done = pegcount("import", "--data", data, *options(), rejected, cwd=tmp_path)
    assert (done.returncode, printed_counts(done.stdout)["rejected"]) == (1, 1)
    done = pegcount("import", "--data", data, *options(), unlinked, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert pegcount("import", "--data", data, *options(), linked, cwd=tmp_path).returncode == 2


def test_reported_calls_are_what_the_store_makes_of_equal_parts(tmp_path: Path) -> None:
    """Two versions of one part: the store keeps the same one whatever comes last, and so does the report."""
    corrected = ROWS[1].replace("130,120,ANSWERED", "100,90,ANSWERED")
    long_party = ROWS[1].replace(",100,600,", f",100,{'6' * 257},").rsplit(",", 1)[0] + ",4"
    shown = []
    for number, rows in enumerate(([ROWS[0], ROWS[1], corrected], [ROWS[0], corrected, ROWS[1]])):
        log = tmp_path / f"{number}.csv"
        log.write_text("".join(f"{line}\n" for line in [HEADER.strip(), *rows, long_party]))
        data = tmp_path / f"d{number}"
        done = pegcount("import", "--data", data, *options("--report-calls", "1"), log, cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith(f"rejected rows: 1 of 4, in {number}.rejects.csv\n")
        call, *lines = done.stdout.splitlines()
        assert ["same part as line 3" in line for line in lines[:4]] == [False, False, True, False]
        assert "rejected: " in lines[3]
        exported = tmp_path / f"{number}.out.csv"
        pegcount("export", "--data", data, "--format", "csv", exported, cwd=tmp_path)
        (stored,) = csv.DictReader(exported.read_text().splitlines())
        assert f"end {stored['end_time'].replace('.000000', '')}, cause 16" in call
        shown.append(call)
    assert shown[0] == shown[1]
