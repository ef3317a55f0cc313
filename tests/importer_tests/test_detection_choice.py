"""What becomes of a file that fits several formats, or none; and of several files."""

import gzip
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from pegcount.errors import ImportFileError
from pegcount.importers.detection import DetectedFiles, TooLittleError, UndetectedError
from pegcount.importers.detection import detected_files as all_detected
from pegcount.importers.mapping import FieldSource, MappingFile, read_mapping, shipped_mappings
from pegcount.importers.prepared_files import prepared_files
from pegcount.store.moving.archive_file import ArchiveWriter

from .detecting import found, refusal, table
from .reading import options
from .test_asterisk_csv import BASE
from .test_detection import sample
from .test_freeswitch_csv import row as freeswitch_row
from .test_shipped_mappings import FILES, PUBLIC
from .test_yeti_csv import ROW as YETI_ROW

CALLS = "Call ID;Started;Answered;Ended;Talk;From;To\n"
NEEDED = ("Call ID", "Started", "Answered", "Ended", "Talk")
FITTING = table(*NEEDED, "From", separator=";")


def test_a_mapping_whose_columns_the_header_has() -> None:
    detected = found(CALLS, {"other": table(*NEEDED, "End", separator=";"), "calls": FITTING})
    assert (detected.format_name, detected.mapping_name) == ("mapped", "calls")
    assert detected.reason == "its header has the 6 columns that the mapping needs"
    assert detected.name == "mapped (--mapping calls)"


def test_case_and_blanks_of_names_count_as_little_as_in_the_import() -> None:
    names = [name.upper().replace(" ", "_") for name in NEEDED]
    mappings = {"a": table(*names, "From", separator=";"), "b": table(*NEEDED, separator=";")}
    assert found(CALLS, mappings).mapping_name == "a"
    assert "lacks CALL_ID" in refusal(CALLS.replace("\n", ";CallId\n"), {"a": mappings["a"]})


@pytest.mark.parametrize(
    "mapping",
    [
        table(*NEEDED, separator=","),
        table(*NEEDED, "Call", separator=";"),
        table(*NEEDED, separator=";", skip_lines=1),
    ],
)
def test_a_mapping_of_another_table_is_not_found(mapping: MappingFile) -> None:
    refusal(CALLS, {"calls": mapping})


def test_a_mapping_of_files_without_a_header_is_near_if_it_reads_all_rows(tmp_path: Path) -> None:
    file = tmp_path / "plain.toml"
    file.write_text(
        'header = false\nseparator = ";"\nskip_lines = 1\n'
        '[columns]\n1 = "session_id"\n2 = "setup_time"\n3 = "call_seconds"\n4 = "talk_seconds"\n'
    )
    mappings = {"plain": read_mapping(file, lambda _: "")}
    rows = "Calls\na;2026-03-28 09:00:00;10;5\nb;2026-03-28 09:00:00;10;0\n"
    assert refusal(rows, mappings).endswith(
        "nearest: the mapping plain, but without a header, only you can tell; if it is that, give"
        " --format mapped --mapping plain"
    )
    assert "nearest" not in refusal(f"{rows}c;soon;1;1\n", mappings)
    assert "nearest" not in refusal("Calls\n", mappings)
    assert found(f"{BASE}\n", mappings).format_name == "asterisk-csv"


def test_columns_that_many_tables_have_do_not_tell_a_mapping() -> None:
    optional = FieldSource("caller", ("From",), ("columns", "From"), is_optional=True)
    also = FieldSource("called", ("To",), ("columns", "To"), is_optional=True)
    few = table("Call ID", "Started", "Talk", separator=";")
    mapping = replace(few, sources=(*few.sources, optional, also))
    assert found(CALLS, {"calls": mapping}).reason == (
        "its header has the 3 columns that the mapping needs and 2 more that it takes"
    )
    text = refusal(CALLS.replace(";From;To", ""), {"calls": mapping})
    assert text.endswith(
        "nearest: the mapping calls, but any table may have Call ID, Started, Talk; if it is that, give"
        " --format mapped --mapping calls"
    )


def test_lines_before_the_header_are_skipped() -> None:
    mapping = table(*NEEDED, separator=";", skip_lines=2)
    assert found(f"Calls of March\n\n{CALLS}", {"calls": mapping}).mapping_name == "calls"
    assert found(f"Calls of March\nof all\n{CALLS}", {"calls": mapping}).mapping_name == "calls"


def test_a_built_in_format_goes_before_a_mapping() -> None:
    header = sample("yeti-csv").splitlines(keepends=True)[0]
    few = ("id", "time_start", "time_end", "duration", "pdd")
    detected = found(header, {"yeti": table(*few), "other": table(*few, "time_begin")})
    assert (detected.format_name, detected.mapping_name) == ("yeti-csv", None)
    assert detected.reason.endswith("is_last_cdr; the mapping yeti would read it, too")
    names = {name: table(*few) for name in "abcdefg"}
    assert found(header, names).reason.endswith(", the mapping e and 2 more would read it, too")


def test_a_mapping_goes_before_a_built_in_format_that_would_refuse_the_file() -> None:
    header = "src,dst,channel,dstchannel,duration,billsec,disposition,calldate\n"
    needed = table("src", "dst", "billsec", "duration", "calldate")
    assert found(header, {"pbx": needed}).mapping_name == "pbx"
    header = ",".join(name for name in YETI_ROW if name != "is_last_cdr") + "\n"
    assert found(header).format_name == "yeti-csv"
    needed = table("id", "time_start", "time_connect", "time_end", "pdd")
    assert found(header, {"attempts": needed}).mapping_name == "attempts"


def test_of_two_mappings_the_one_that_needs_more_of_the_header() -> None:
    small = table(*NEEDED, separator=";")
    other = table(*NEEDED[1:], "From", separator=";")
    detected = found(CALLS, {"a": small, "b": FITTING, "c": other})
    assert detected.mapping_name == "b"
    assert detected.reason.endswith("; the mapping a, the mapping c would read it, too")


@pytest.mark.parametrize(
    "others",
    [
        {"b": FITTING},
        {"b": table(*NEEDED, "To", separator=";")},
        {"b": FITTING, "c": table(*NEEDED, separator=";")},
    ],
)
def test_mappings_that_nothing_tells_apart_are_named(others: Mapping[str, MappingFile]) -> None:
    text = refusal(CALLS, {"a": FITTING, **others})
    assert text.splitlines() == [
        "it fits 2 formats, and nothing tells which one it has:",
        "  the mapping a: its header has the 6 columns that the mapping needs",
        "  the mapping b: its header has the 6 columns that the mapping needs",
        "  give --format mapped --mapping NAME",
    ]


def test_rows_of_two_formats_are_named() -> None:
    text = refusal(freeswitch_row() * 30 + f"{BASE}\n" * 20)
    assert text.splitlines() == [
        "it fits 2 formats, and nothing tells which one it has:",
        "  asterisk-csv: 20 of the 50 rows have 16 cells with dates in columns 10 to 12 and a disposition in"
        " column 15",
        "  freeswitch-csv: 30 of the 50 rows have times and a hangup cause where the template example has"
        " them",
        "  give --format NAME",
    ]
    # A table with the rows of a log behind it.
    yeti = sample("yeti-csv").decode()
    assert "yeti-csv: its header has" in refusal(yeti + f"{BASE}\n" * 40)


def test_what_an_unknown_table_has_is_shown() -> None:
    mappings = {"pbx": table("Call ID", "Started", "Finished", "Caller", separator=";")}
    assert refusal(CALLS + "1;2;3;4;5;6;7\n", mappings).splitlines() == [
        "it fits no format",
        "  seen: 7 cells separated by semicolons; header: Call ID, Started, Answered, Ended, Talk, From, To",
        "  nearest: the mapping pbx, but the header lacks Caller, Finished",
    ]
    assert "nearest" not in refusal("code,name,country\n1,United States,United States\n")


def test_an_error_shows_no_number_and_no_name_of_a_party() -> None:
    rows = "Ann Example,+442079460001,28.03.2026 09:00,sip:ann@example.com,112\n" * 3
    assert refusal(rows).splitlines()[1] == (
        "  seen: 5 cells separated by commas; no header; first line: *** *******, +442*********,"
        " 28.0*.**** **:**, ***:***@*******.***, ***"
    )
    assert "no header; first line: * 442********* *, *, *" in refusal("a 442079460001 b,c,d\n1,2,3\n")


def test_an_error_shows_no_control_character_and_a_bounded_number_of_cells() -> None:
    text = refusal("a\x1b[2J,b\udcff,c\n1,2,3\n".encode(errors="surrogateescape"))
    assert "header: a\\x1b[2J, b\\xff, c" in text
    wide = ",".join(f"column {letter}{other}" for letter in "abcdef" for other in "ghijkl")
    assert refusal(f"{wide}\n").splitlines()[1].endswith("column bl and 24 more")


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (bytes(range(256)) * 20, "seen: bytes that are not text"),
        (sample("yeti-csv").decode().encode("utf-16-le"), "give --encoding utf-16-le"),
        (sample("yeti-csv").decode().encode("utf-16-be"), "give --encoding utf-16-be"),
        (b"a\n" * 10, "seen: lines that neither commas, semicolons, tabs nor vertical bars separate"),
        (b"x" * 3_000_000, "seen: lines of more than a row may have"),
    ],
)
def test_what_no_table_is(data: bytes, seen: str) -> None:
    assert seen in refusal(data)


def test_the_encoding_that_was_given_counts() -> None:
    raw = sample("yeti-csv").decode().encode("utf-16-le")
    assert found(raw, encoding="utf-16-le").format_name == "yeti-csv"


def test_shipped_mappings_are_told_apart() -> None:
    """A file that has the columns that one of them names, and no others, is found as that."""
    mappings = shipped_mappings()
    for name, mapping in mappings.items():
        cells = (f'"{column}"' for column in sorted(mapping.columns))
        header = "title\n" * mapping.skip_lines + mapping.separator.join(cells) + "\n"
        if mapping.has_header:
            assert (found(header, mappings).mapping_name or name) == name
        else:
            refusal(header, mappings)


@pytest.mark.parametrize("path", sorted(FILES.glob("*.csv")), ids=lambda path: path.stem)
def test_files_of_shipped_mappings(path: Path) -> None:
    name, data, mappings = path.stem, path.read_bytes(), shipped_mappings()
    if not mappings[name].has_header:
        assert f"nearest: the mapping {name}, but without a header" in refusal(data, mappings)
    elif name == "freepbx":
        assert found(data, mappings).format_name == "asterisk-csv"
        assert found(data, mappings).reason.endswith("; the mapping freepbx would read it, too")
    else:
        assert found(data, mappings).mapping_name == name
        assert found(data, mappings).reason.startswith("its header has the ")


@pytest.mark.parametrize("path", sorted(PUBLIC.glob("*.csv")), ids=lambda path: path.stem)
def test_other_tables_fit_no_shipped_mapping(path: Path) -> None:
    if path.stem == "pbxware":
        # It has the columns of Asterisk.
        assert found(path.read_bytes(), shipped_mappings()).format_name == "asterisk-csv"
    else:
        assert "nearest" not in refusal(path.read_bytes(), shipped_mappings())


# ---- Archives ----


def archive(path: Path) -> bytes:
    with path.open("wb") as file:
        ArchiveWriter(file, "test", 10).end({})
    return path.read_bytes()


def test_an_archive(tmp_path: Path) -> None:
    raw = archive(tmp_path / "archive")
    assert found(raw).format_name == "pegcount-archive"
    assert refusal(gzip.compress(raw)).startswith("it is an archive that was compressed once more")


# ---- Several files ----


def detected_of(directory: Path, **texts: str) -> DetectedFiles:
    paths = []
    for name, text in texts.items():
        paths.append(directory / name)
        paths[-1].write_text(text)
    with all_detected(paths, options(), {"calls": FITTING}) as files:
        return files


def test_files_of_one_format(tmp_path: Path) -> None:
    files = detected_of(tmp_path, a=f"{BASE}\n", b=f"{BASE}\n" * 2)
    assert (files.format_name, files.mapping_name, files.too_little) == ("asterisk-csv", None, {})
    assert [one.reason[:8] for one in files.found.values()] == ["the only", "the 2 ro"]
    assert detected_of(tmp_path, a=CALLS, b=CALLS).mapping_name == "calls"


def test_a_file_without_rows_goes_along(tmp_path: Path) -> None:
    files = detected_of(tmp_path, a="", b=f"{BASE}\n", c=BASE)
    assert files.format_name == "asterisk-csv"
    assert [path.name for path in files.too_little] == ["a", "c"]
    with pytest.raises(TooLittleError, match=r"a: nothing tells its format: it is empty \(and so for 1 more"):
        detected_of(tmp_path, a="", b="\n")


def test_files_of_several_formats_are_listed(tmp_path: Path) -> None:
    texts = {"a": f"{BASE}\n", "b": "x,y\n", "c": sample("yeti-csv").decode(), "d": CALLS, "e": ""}
    texts |= {f"f{number}": f"{BASE}\n" for number in range(5)}
    with pytest.raises(UndetectedError) as caught:
        detected_of(tmp_path, **texts)
    assert str(caught.value).replace(f"{tmp_path}/", "").splitlines() == [
        "the files are not all of one format, and nothing was imported; import them format by format:",
        "  asterisk-csv: a, f0, f1 and 3 more",
        "  yeti-csv: c",
        "  mapped (--mapping calls): d",
        "  it fits no format: b",
    ]


def test_the_only_file_that_fits_nothing_has_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(UndetectedError) as caught:
        detected_of(tmp_path, a="x,y\n")
    lines = str(caught.value).splitlines()
    assert lines[0] == f"{tmp_path}/a: it fits no format"
    assert lines[-1].endswith(
        f"write a mapping file (docs/mapping.md), and try it: pegcount mapping check FILE.toml {tmp_path}/a"
    )


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(ImportFileError, match=r"missing: No such file or directory$"),
        all_detected([tmp_path / "missing"], options(), {}),
    ):
        pass
    (tmp_path / "calls.zip").write_bytes(b"PK\x03\x04 and so on")
    with (
        pytest.raises(ImportFileError, match=r"calls.zip: the file is a ZIP archive"),
        all_detected([tmp_path / "calls.zip"], options(), {}),
    ):
        pass


@pytest.mark.parametrize("format_name", ["asterisk-csv", "freeswitch-csv", "freeswitch-json", "yeti-csv"])
def test_a_pipe_loses_nothing(format_name: str, tmp_path: Path) -> None:
    raw = sample(format_name) + b"".join(sample(format_name).splitlines(keepends=True)[1:] * 100)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(gzip.compress(raw),))
    writer.start()
    with (
        all_detected([pipe], options("Europe/Berlin"), {}) as files,
        prepared_files([pipe], files.format_name, options("Europe/Berlin"), files.spools) as (file,),
        file.opened(options()) as opened,
    ):
        assert (files.format_name, opened.file.read() == raw) == (format_name, True)
    writer.join(20)
