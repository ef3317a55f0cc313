"""Mapped files that could give wrong figures without a word, refusals that must hold, and hostile files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pegcount.errors import ImportFileError
from pegcount.importers import ParsedRecord, UnreadableLine, check_mapping, read_mapping, shipped_path
from pegcount.importers.mapping.mapped_csv import call_rule
from pegcount.v1.records_pb2 import SessionRecord
from program import run_program

from .mappings import mapped, mapping_of, outlined
from .reading import only_record, options, parse

ID_AND_SETUP = '[columns]\nid = "session_id"\nstart = "setup_time"\n'
TIMES = f'{ID_AND_SETUP}talk = "talk_seconds"\n'
TIMES_WITHOUT_ID = '[columns]\nstart = "setup_time"\ntalk = "talk_seconds"\n'
ROW = "id,start,talk\na,2026-03-28 09:00:00,60\n"
SEEDS = ("1", "2", "3", "4")


def record(folder: Path, text: str, data: str, zone: str = "UTC") -> SessionRecord:
    return only_record(parse("mapped", data, mapped(folder, text, zone)))


def talk_s(found: SessionRecord) -> float:
    return float((found.end_time.ToMicroseconds() - found.answer_time.ToMicroseconds()) / 1_000_000)


def records_and_rejects(folder: Path, text: str, data: str) -> tuple[list[str], list[str]]:
    """The ids of the records of a text, and the reasons of its rejected rows."""
    found = parse("mapped", data, mapped(folder, text, "UTC"))
    return (
        [line.record.session_id for line in found if isinstance(line, ParsedRecord)],
        [line.reason for line in found if isinstance(line, UnreadableLine)],
    )


# The rule of a source.


def test_the_rule_of_calls_is_the_same_in_each_process(tmp_path: Path) -> None:
    """Else an import of the same file by the same mapping is refused."""
    path = tmp_path / "calls.toml"
    path.write_text(
        f'answered.when = {{ state = ["a", "b", "c", "d"] }}\n{TIMES}[parts]\nrow = ["leg"]\n',
        encoding="utf-8",
    )
    program = (
        "from pathlib import Path\n"
        "from pegcount.importers import read_mapping\n"
        "from pegcount.importers.mapping.mapped_csv import call_rule\n"
        f"print(call_rule(read_mapping(Path({str(path)!r}), lambda name: '')))\n"
    )
    rules = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in SEEDS
    }
    assert len(rules) == 1


JOINED = f'{TIMES_WITHOUT_ID}[joined]\nsession_id = ["id", "tag"]\n'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (TIMES, TIMES.replace('"session_id"', '{ field = "session_id", pattern = "^([^@]+)@" }')),
        (
            TIMES,
            TIMES.replace('"session_id"', '{ field = "session_id", values = { a = "b" }, otherwise = "c" }'),
        ),
        (JOINED, JOINED.replace('["id", "tag"]', '{ columns = ["id", "tag"], separator = "-" }')),
        (JOINED, JOINED.replace("[joined]", "[first]")),
    ],
)
def test_another_id_of_the_same_columns_is_another_rule(tmp_path: Path, one: str, other: str) -> None:
    """Else a second import with other ids counts each call twice."""
    assert call_rule(mapping_of(tmp_path, one)) != call_rule(mapping_of(tmp_path, other))


# Ids.


def test_joined_ids_of_different_cells_are_different(tmp_path: Path) -> None:
    data = "id,tag,start,talk\n5,,2026-03-28 09:00:00,60\n,5,2026-03-28 10:00:00,70\n"
    ids, _ = records_and_rejects(tmp_path, JOINED, data)
    assert len(set(ids)) == len(ids)


def test_a_rounded_number_in_a_joined_id_is_rejected(tmp_path: Path) -> None:
    """As in an id of one column: rows of several calls would become one."""
    data = "id,tag,start,talk\n1.77463E+09,1,2026-03-28 09:00:00,60\n1.77463E+09,1,2026-03-28 10:00:00,70\n"
    ids, reasons = records_and_rejects(tmp_path, JOINED, data)
    assert (len(ids), len(reasons)) == (0, 2)


def test_separators_at_the_end_of_a_row_do_not_change_its_id(tmp_path: Path) -> None:
    text = f"id_from_row = true\n{TIMES_WITHOUT_ID}"
    bare = record(tmp_path, text, "start,talk\n2026-03-28 09:00:00,60\n")
    ended = record(tmp_path, text, "start,talk\n2026-03-28 09:00:00,60,\n")
    assert bare.session_id == ended.session_id


# Answered calls.


def test_ring_time_alone_does_not_answer_a_call(tmp_path: Path) -> None:
    """A call that was not answered has rung, too."""
    with pytest.raises(ImportFileError, match="nothing tells which calls were answered"):
        mapping_of(tmp_path, f'{ID_AND_SETUP}dur = "call_seconds"\nring = "ring_seconds"\n')


def test_ring_time_alone_does_not_answer_a_call_either_if_the_file_lacks_its_talk(tmp_path: Path) -> None:
    text = f'{ID_AND_SETUP}dur = "call_seconds"\nring = "ring_seconds"\n'
    text += 'talk = { field = "talk_seconds", optional = true }\n'
    (line,) = outlined(tmp_path, text, "id,start,dur,ring\na,2026-03-28 09:00:00,20,20\n")
    assert line.startswith("2 ! nothing tells whether the call was answered")


@pytest.mark.parametrize(
    "rule", ["answered.when = { ok = true }", 'answered.unless = { channel = "NULL" }'], ids=["true", "NULL"]
)
def test_a_condition_that_no_cell_satisfies_is_refused(tmp_path: Path, rule: str) -> None:
    """Cells are texts, and those with NULL are empty before conditions look at them."""
    with pytest.raises(ImportFileError):
        mapping_of(tmp_path, f"{rule}\n{TIMES}")


@pytest.mark.parametrize("rule", ["answered = {}", "answered.when = {}", "swap = {}"])
def test_a_rule_without_a_condition_is_refused(tmp_path: Path, rule: str) -> None:
    """As a [[skip]] without one is."""
    with pytest.raises(ImportFileError):
        mapping_of(tmp_path, f'{rule}\n{TIMES}from = "caller"\nto = "called"\n')


@pytest.mark.parametrize("text", ["true", "t", "1"])
def test_the_mapping_wazo_knows_true_or_rejects_its_row(text: str) -> None:
    """Now, each call of a file that a database wrote is not answered, and nothing says so."""
    sample = Path(__file__).parent / "mapped_files" / "wazo.csv"
    data = sample.read_text(encoding="utf-8")
    mapping = read_mapping(shipped_path("wazo"), lambda name: "")
    found = parse("mapped", data.replace("True", text), options(mapping=mapping))
    said = [line.record for line in found if isinstance(line, ParsedRecord)]
    rejected = [line for line in found if isinstance(line, UnreadableLine)]
    assert rejected or any(each.HasField("answer_time") for each in said)


# Times.


@pytest.mark.parametrize(
    ("columns", "data", "expected"),
    [
        # Minutes of setup and end, seconds of talk.
        ('end = "end_time"\n', "id,start,end,talk\na,2026-03-28 13:26,2026-03-28 13:30,280\n", 280),
        (
            'answer = "answer_time"\nend = "end_time"\n',
            "id,start,answer,end,talk\na,2026-03-28 08:02,2026-03-28 08:02,2026-03-28 08:02,47\n",
            47,
        ),
        (
            'dur = { field = "call_seconds", unit = "min" }\n',
            "id,start,dur,talk\na,2026-03-28 13:26:00,2,150\n",
            150,
        ),
        # The ring time is finer than the answer time.
        (
            'ring = "ring_seconds"\nanswer = "answer_time"\n',
            "id,start,ring,answer,talk\na,2026-03-28 10:00:47,2,2026-03-28 10:00,70\n",
            70,
        ),
    ],
)
def test_stated_talk_seconds_are_the_talk(tmp_path: Path, columns: str, data: str, expected: int) -> None:
    """Times of minutes do not cut off what a column says to the second."""
    assert talk_s(record(tmp_path, TIMES + columns, data)) == pytest.approx(expected, abs=1)


def test_the_finer_of_answer_time_and_ring_seconds_counts(tmp_path: Path) -> None:
    """The page: "Where a time and a duration tell the same instant, the finer of both does"."""
    found = record(
        tmp_path,
        f'{ID_AND_SETUP}ring = "ring_seconds"\nanswer = "answer_time"\nend = "end_time"\n',
        "id,start,ring,answer,end\na,2026-03-28 10:00:00,47,2026-03-28 10:00,2026-03-28 10:05:00\n",
    )
    assert talk_s(found) == 253


@pytest.mark.parametrize(
    ("columns", "data"),
    [
        (
            'answer = "answer_time"\ndur = { field = "call_seconds", unit = "min" }\ntalk = "talk_seconds"\n',
            "id,start,answer,dur,talk\na,2026-03-28 10:00:00,2026-03-28 10:00:10,2,95\n",
        ),
        (
            'end = "end_time"\ndur = "call_seconds"\ntalk = "talk_seconds"\n',
            "id,start,end,dur,talk\na,2026-03-28 10:32,2026-03-28 10:33:27,37,0\n",
        ),
    ],
)
def test_what_agrees_within_the_coarsest_unit_is_no_contradiction(
    tmp_path: Path, columns: str, data: str
) -> None:
    (line,) = outlined(tmp_path, ID_AND_SETUP + columns, data)
    assert "!" not in line


def test_seconds_read_as_milliseconds_are_rejected(tmp_path: Path) -> None:
    """As milliseconds read as seconds are: no call was in January 1970."""
    (line,) = outlined(tmp_path, f'time_format = "epoch_ms"\n{TIMES}', "id,start,talk\na,1774627706,60\n")
    assert "!" in line


def test_epochs_of_two_units_are_told_apart_in_either_order(tmp_path: Path) -> None:
    text = 'time_format = ["epoch_ms", "epoch_s"]\n'
    found = record(tmp_path, text + TIMES, "id,start,talk\na,1774627706,60\n")
    assert found.setup_time.seconds == 1_774_627_706


@pytest.mark.parametrize(
    ("time_format", "text"),
    [
        ("%Y%m%d %H%M%S", "20260330 10500"),
        ("%Y%m%d %H%M%S", "20260330 500"),
        ("%d%m%Y %H:%M", "1112026 10:00"),
    ],
)
def test_numbers_without_their_leading_zero_are_rejected(tmp_path: Path, time_format: str, text: str) -> None:
    """A spreadsheet makes 10500 of 010500, five past one."""
    (line,) = outlined(tmp_path, f'time_format = "{time_format}"\n{TIMES}', f"id,start,talk\na,{text},60\n")
    assert "!" in line


def test_the_alert_is_in_the_same_reading_of_the_clock_as_the_setup(tmp_path: Path) -> None:
    """In the repeated hour, it is an hour before the setup, so that the store leaves it out."""
    found = record(
        tmp_path,
        f'{ID_AND_SETUP}alert = "alert_time"\nanswer = "answer_time"\nend = "end_time"\n',
        "id,start,alert,answer,end\n"
        "a,2026-10-25 02:50:00,2026-10-25 02:50:05,2026-10-25 02:50:09,2026-10-25 03:05:00\n",
        "Europe/Berlin",
    )
    assert found.alert_time.seconds - found.setup_time.seconds == 5


def test_a_call_that_begins_in_the_skipped_hour_is_not_cut(tmp_path: Path) -> None:
    """The row says 65 minutes. No clock of Berlin showed its setup."""
    found = parse(
        "mapped",
        "id,start,answer,end\na,2026-03-29 02:50:00,2026-03-29 02:50:00,2026-03-29 03:55:00\n",
        mapped(tmp_path, f'{ID_AND_SETUP}answer = "answer_time"\nend = "end_time"\n'),
    )
    assert [talk_s(line.record) for line in found if isinstance(line, ParsedRecord)] in ([], [3900])


# Numbers and columns.


def test_a_point_between_thousands_is_no_decimal_point(tmp_path: Path) -> None:
    """With a decimal comma, 1.234 is 1234, or no number."""
    found = parse(
        "mapped",
        "id;start;talk\na;2026-03-28 09:00:00;1.234\n",
        mapped(tmp_path, f'separator = ";"\ndecimal_comma = true\n{TIMES}'),
    )
    assert [talk_s(line.record) for line in found if isinstance(line, ParsedRecord)] in ([], [1234])


def test_two_names_of_a_mapping_are_not_one_column(tmp_path: Path) -> None:
    """The file lacks the column TALK, a call's whole duration."""
    with pytest.raises(ImportFileError):
        outlined(tmp_path, f'{TIMES}TALK = "call_seconds"\n', ROW)


def test_a_check_says_that_two_formats_read_a_date_in_two_ways(tmp_path: Path) -> None:
    """The one of these rows is in April, the other in March."""
    mapping, sample = tmp_path / "calls.toml", tmp_path / "calls.csv"
    mapping.write_text(f'time_format = ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"]\n{TIMES}', encoding="utf-8")
    sample.write_text("id,start,talk\na,3/4/2026 10:00,10\nb,3/14/2026 10:00,10\n", encoding="utf-8")
    with sample.open("rb") as file:
        found = check_mapping(mapping, file, options(), lambda name: "")
    assert [*found.notes, *found.problems]


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        # The store takes no year before 1970.
        ("a,1969-12-31 10:00:00,10\nb,2026-03-28 10:00:00,20\n", "2 answered, 30.000 s"),
        # Of two rows with one id, one counts, as no part tells them apart.
        ("a,2026-03-28 09:00:00,10\na,2026-03-28 10:00:00,20\n", "2 answered, 30.000 s"),
    ],
)
def test_a_check_adds_up_what_an_import_would_store(tmp_path: Path, rows: str, wrong: str) -> None:
    (tmp_path / "calls.toml").write_text(TIMES, encoding="utf-8")
    (tmp_path / "calls.csv").write_text(f"id,start,talk\n{rows}", encoding="utf-8")
    done = run_program("mapping", "check", "calls.toml", "calls.csv", cwd=tmp_path)
    assert "valid" in done.stdout + done.stderr
    assert wrong not in done.stdout + done.stderr


# Crashes.


@pytest.mark.parametrize("text", ["9" * 5_000, "9" * 5_000 + "h"])
def test_a_long_number_of_go_rejects_its_row_only(tmp_path: Path, text: str) -> None:
    found = outlined(
        tmp_path,
        f'{ID_AND_SETUP}talk = {{ field = "talk_seconds", unit = "go" }}\n',
        f"id,start,talk\na,2026-03-28 09:00:00,{text}\nb,2026-03-28 09:00:00,1m\n",
    )
    assert ["!" in line for line in found] == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        f"x = {'[' * 5_000}{']' * 5_000}\n{TIMES}",
        f"x = {'{a=' * 3_000}1{'}' * 3_000}\n{TIMES}",
        f"{'.'.join(['a'] * 1_200)} = 1\n{TIMES}",
        f"x = {'1' * 5_000}\n{TIMES}",
        f'header = false\n[columns]\n1 = "session_id"\n2 = "setup_time"\n{"9" * 5_000} = "talk_seconds"\n',
        f"{TIMES}[parts]\n[[parts.classes]]\nclass = 2.0\n",
    ],
    ids=["arrays", "tables", "dotted", "number", "column", "class"],
)
def test_a_mapping_file_is_refused_without_a_traceback(tmp_path: Path, text: str) -> None:
    with pytest.raises(ImportFileError):
        outlined(tmp_path, text, ROW)
