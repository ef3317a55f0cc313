"""The rule by which calls are made, found before anything is written."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pegcount.errors import ImportFileError
from pegcount.importers import prepared_files

from .reading import options
from .test_asterisk_calls import call_row
from .test_asterisk_csv import BASE, custom_row

LINKED, UNLINKED, WITHOUT_ID = call_row(), custom_row(), f"{BASE}\n"


def rules(directory: Path, *texts: str, format_name: str = "asterisk-csv", **more: Any) -> list[str | None]:
    paths = []
    for number, text in enumerate(texts):
        paths.append(directory / f"{number}.csv")
        paths[-1].write_text(text)
    return rules_of(paths, format_name, **more)


def rules_of(paths: Sequence[Path], format_name: str = "asterisk-csv", **more: Any) -> list[str | None]:
    with prepared_files(paths, format_name, options(**more)) as files:
        return [file.rule for file in files]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (LINKED, "asterisk linkedid"),
        (UNLINKED, "asterisk uniqueid"),
        (WITHOUT_ID, None),
        (WITHOUT_ID + LINKED, "asterisk linkedid"),
        (UNLINKED + WITHOUT_ID, "asterisk uniqueid"),
        ("1,2,3\n" + LINKED, "asterisk linkedid"),
        ("", None),
        ("1,2,3\n", None),
    ],
)
def test_the_rows_show_the_rule(text: str, rule: str | None, tmp_path: Path) -> None:
    assert rules(tmp_path, text) == [rule]


@pytest.mark.parametrize("calls", ["linkedid", "uniqueid", "rows"])
def test_an_option_sets_the_rule_of_any_file(calls: str, tmp_path: Path) -> None:
    assert rules(tmp_path, LINKED + UNLINKED, asterisk_calls=calls) == [f"asterisk {calls}"]


@pytest.mark.parametrize(
    ("calls", "rule"),
    [
        ("auto", "asterisk linkedid switch"),
        ("uniqueid", "asterisk uniqueid switch"),
        ("rows", "asterisk rows"),
    ],
)
def test_whose_answer_counts_is_part_of_the_rule(calls: str, rule: str, tmp_path: Path) -> None:
    assert rules(tmp_path, LINKED, asterisk_calls=calls, asterisk_answered="switch") == [rule]
    assert rules(tmp_path, WITHOUT_ID, asterisk_answered="switch") == [None]


def test_a_file_of_both_kinds_is_refused(tmp_path: Path) -> None:
    for text in (LINKED * 3 + UNLINKED, UNLINKED * 3 + LINKED, LINKED + WITHOUT_ID + UNLINKED + LINKED):
        with pytest.raises(
            ImportFileError, match=r"0\.csv: line \d has a linkedid, line \d has none.*--calls"
        ):
            rules(tmp_path, text)


def test_old_rows_of_a_table_have_an_empty_linkedid(tmp_path: Path) -> None:
    names = "start,src,dst,channel,dstchannel,lastapp,duration,billsec,disposition,uniqueid,linkedid\n"
    row = "2026-03-10 09:00:00,1,2,SIP/1,SIP/2,Dial,1,0,NO ANSWER,1773133200.1,"
    assert rules(tmp_path, f"{names}{row}1773133200.1\n") == ["asterisk linkedid"]
    assert rules(tmp_path, f"{names}{row}NULL\n") == ["asterisk uniqueid"]
    with pytest.raises(ImportFileError, match="line 3 has a linkedid, line 2 has none"):
        rules(tmp_path, f"{names}{row}\\N\n{row}1773133200.1\n")


def test_a_repeated_header_shows_no_rule(tmp_path: Path) -> None:
    names = "start,src,dst,channel,dstchannel,lastapp,duration,billsec,disposition,uniqueid,linkedid\n"
    row = "2026-03-10 09:00:00,1,2,SIP/1,SIP/2,Dial,1,0,NO ANSWER,1773133200.1,NULL\n"
    assert rules(tmp_path, names + row + names + row) == ["asterisk uniqueid"]
    assert rules(tmp_path, names + names) == [None]
    other = names.replace("src,dst", "dst,src")
    with pytest.raises(ImportFileError, match=r"0\.csv: a second header names other columns"):
        rules(tmp_path, names + row + other + row)


def test_rows_without_any_id_go_with_each_rule(tmp_path: Path) -> None:
    assert rules(tmp_path, WITHOUT_ID, UNLINKED) == [None, "asterisk uniqueid"]


def test_files_of_different_kinds_are_refused_together(tmp_path: Path) -> None:
    assert rules(tmp_path, LINKED, "", LINKED) == ["asterisk linkedid", None, "asterisk linkedid"]
    with pytest.raises(ImportFileError, match=r"'asterisk linkedid', those of .*'asterisk uniqueid'"):
        rules(tmp_path, LINKED, "", UNLINKED)


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(LINKED * 2,))
    writer.start()
    with prepared_files([pipe], "asterisk-csv", options()) as (file,), file.opened(options()) as opened:
        assert (file.rule, opened.file.read()) == ("asterisk linkedid", (LINKED * 2).encode())
    writer.join(20)


def test_other_formats_have_no_rule(tmp_path: Path) -> None:
    assert rules(tmp_path, LINKED, format_name="yeti-csv") == [None]
    assert rules_of([tmp_path / "missing"], "yeti-csv") == [None]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("asterisk_calls", "--calls: 'x' is not one of auto, linkedid"),
        ("asterisk_answered", "--answered: 'x' is"),
    ],
)
def test_unknown_options_are_refused(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match=message):
        rules(tmp_path, LINKED, **{name: "x"})


def test_a_header_without_needed_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match=r"the header lacks start \(or calldate\), channel, lastapp$"):
        rules(tmp_path, "src,dst,dstchannel,duration,billsec,disposition\n")
    with pytest.raises(ImportFileError, match="the header repeats src"):
        rules(tmp_path, "src,src,dst,channel,dstchannel,lastapp,start,duration,billsec,disposition\n")
