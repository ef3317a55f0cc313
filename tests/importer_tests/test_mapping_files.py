"""Mapping files: what is wrong with one, all at once, each with line and key."""

from pathlib import Path

import pytest
from pegcount.errors import ImportFileError
from pegcount.importers.mapping.toml_file import read_toml

from .mappings import mapping_of

SOUND = '[columns]\nid = "session_id"\nstart = "setup_time"\ntalk = "talk_seconds"\n'


def problems(folder: Path, text: str) -> list[str]:
    """What is wrong with a mapping, without the name of its file."""
    with pytest.raises(ImportFileError) as caught:
        mapping_of(folder, text)
    return [
        line.removeprefix(f"{folder / 'calls.toml'}").lstrip(": ") for line in str(caught.value).split("\n")
    ]


def test_a_mapping_needs_four_lines(tmp_path: Path) -> None:
    found = mapping_of(tmp_path, SOUND)
    assert found.needed_columns == {"id", "start", "talk"}
    assert (found.has_header, found.separator, found.zone) == (True, ",", None)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = """separtor = ";"
time_format = "%d.%m.%Y %H"
zone = "Europe/Kiew"
[columns]
# a comment, and a blank line

Started = "setup_tme"
Talk = "talk_seconds"
From = ["caller",
  "account"]
To = "orig_src_party_id"
X = { field = "answer_time", format = "%Q" }
[[skip]]
when = { A = 3 }
reson = "x"
"""
    found = problems(tmp_path, text)
    assert found[:2] == [
        "session_id is missing: map the column that identifies a call, join several by [joined], or give"
        " id_from_row = true if rows have nothing that does",
        "nothing tells when calls began: map setup_time, or end_time and call_seconds, or answer_time and"
        " ring_seconds",
    ]
    assert [line.partition(": ")[0] for line in found[2:]] == [
        "line 1, separtor",
        "line 2, time_format",
        "line 3, zone",
        "line 7, columns.Started",
        "line 11, columns.To",
        "line 12, columns.X.format",
        "line 15, skip[1].reson",
    ]
    assert found[2].endswith('unknown key; did you mean "separator"?')
    assert found[5].endswith("no field is called 'setup_tme'; did you mean \"setup_time\"?")
    assert "orig_src_party_id already comes from columns.From[1]" in found[6]


@pytest.mark.parametrize(
    ("added", "expected"),
    [
        ('separator = ";;"', "line 1, separator: one character is needed"),
        ("separator = 1", "line 1, separator: a text is needed"),
        ("skip_lines = -1", "line 1, skip_lines: a number from 0 to 1000 is needed"),
        ("skip_lines = true", "line 1, skip_lines: a whole number is needed"),
        ("header = 1", "line 1, header: true or false is needed"),
        ('time_format = "iso8601"', "line 1, time_format: 'iso8601' is neither one of iso, epoch_s"),
        ('time_format = "%Y-%m-%d"', "line 1, time_format: the format lacks an hour, minutes"),
        ('time_format = "%d.%m. %H:%M"', "the format lacks a year"),
        ('time_format = "%Y %H:%M"', "the format lacks a month and a day"),
        ('time_format = "%Y-%m-%d %I:%M"', "%I, hours from 1 to 12, goes with %p"),
        ('time_format = "%Y-%m-%d %H:%M %p"', "%I, hours from 1 to 12, goes with %p"),
        ('time_format = "%Y-%m-%d %H:%M %Z"', "names of zones are ambiguous"),
        ('time_format = "%Y-%m-%d %d %H:%M"', "the format has %d twice"),
        ("answered.when = 3", "line 1, answered.when: a table of columns is needed"),
        ('answered.wen = { a = "b" }', 'line 1, answered.wen: unknown key; did you mean "when"?'),
        ('answered.when = { a = { pattern = "(" } }', "answered.when.a.pattern: not a regular expression"),
        ('answered.when = { a = { pattern = "(b)" } }', "no group is needed here; write (?:…)"),
        ("answered = {}", "line 1, answered: a table with `when` is needed"),
        ("answered.unless = {}", "line 1, answered.unless: a table of columns is needed"),
        ("answered.when = { a = [] }", "line 1, answered.when.a: a text, a list of texts"),
        ("answered.when = { a = true }", "line 1, answered.when.a: a text, a list of texts"),
        (
            'answered.when = { a = ["x", "NULL"] }',
            'answered.when.a: \\N and NULL are read as empty cells: write ""',
        ),
        ("skip = [{ when = {} }]", "line 1, skip[1].when: a table of columns is needed"),
        ('skip = [{ reason = "x" }]', "line 1, skip[1]: a table with `when` or `unless` is needed"),
        ("parts.classes = [{ class = 4 }]", "parts.classes[1]: a table with `class`, from 1 to 3"),
        ("parts.classes = [{ class = 2.0 }]", "parts.classes[1]: a table with `class`, from 1 to 3"),
        ("parts.classes = [{ class = true }]", "parts.classes[1]: a table with `class`, from 1 to 3"),
        ('swap.when = { a = "b" }', "line 1, swap: exchanges caller and called: map both"),
        ("id_from_row = true", "line 1, id_from_row: session_id is mapped as well"),
        ('constants.kind = "CAL"', "line 1, constants.kind: kind: 'CAL' is not one of "),
        ('constants.session_id = "x"', "constants.session_id: no field that all rows may have alike"),
        ('constants.source = "x"', "line 1, constants.source: no field that all rows may have alike"),
        ('constants.tenant_id = ""', "line 1, constants.tenant_id: a value is needed"),
        ("constants.company = [1]", "line 1, constants.company: a text or a number is needed"),
        ('first.called = "did"', "line 1, first.called: a list of columns is needed"),
        ("joined.account = []", "line 1, joined.account: a list of columns is needed"),
    ],
)
def test_a_problem_is_told_with_line_and_key(tmp_path: Path, added: str, expected: str) -> None:
    found = problems(tmp_path, f"{added}\n{SOUND}")
    assert any(expected in line for line in found), found
    assert len(found) == 1 or "session_id" in added


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("3", "the name of a field is needed"),
        ('"source"', "no field is called 'source'"),
        ('"part"', "no field is called 'part'"),
        ('{ field = "caller", unit = "s" }', "columns.x.unit: unknown key; the keys are field"),
        (
            '{ field = "ring_seconds", unit = "h" }',
            "columns.x.unit: 'h' is not one of s, min, ms, us, ns, mm:ss, go",
        ),
        ('{ field = "caller", pattern = "(a)(b)" }', "one group is allowed, which is the text; write (?:…)"),
        ('{ field = "caller", optional = "yes" }', "columns.x.optional: true or false is needed"),
        ('{ field = "disconnect_cause", values = "q931" }', "columns.x.values: 'q931' is not one of q850"),
        ('{ field = "disconnect_cause", otherwise = 31 }', "needs `values` or `pattern`"),
        (
            '{ field = "company", values = { a = [1] } }',
            "columns.x.values: a table of texts and what they mean is needed",
        ),
        (
            '{ field = "disconnect_cause", values = { BUSY = "busy" } }',
            "columns.x.values.BUSY: disconnect_cause: 'busy' is not a whole number",
        ),
        (
            '{ field = "disconnect_cause", values = { BUSY = 17 }, otherwise = "other" }',
            "columns.x.otherwise: disconnect_cause: 'other' is not a whole number",
        ),
        (
            '{ field = "disconnect_cause", values = { "" = 31 } }',
            "columns.x.values: '' is read as an empty cell, which has no value",
        ),
        (
            '{ field = "company", values = { a = 1 }, otherwise = [1] }',
            "columns.x.otherwise: a text or a number is needed",
        ),
        ('["caller", "src_prefix_routing"]', "src_prefix_routing already comes from columns.x[1]"),
    ],
)
def test_a_target_is_checked(tmp_path: Path, target: str, expected: str) -> None:
    (found,) = problems(tmp_path, f"{SOUND}x = {target}\n")
    assert found.startswith("line 5, columns.x")
    assert expected in found


def test_without_a_header_columns_are_numbers(tmp_path: Path) -> None:
    assert mapping_of(
        tmp_path, 'header = false\n[columns]\n1 = "session_id"\n2 = "setup_time"\n4 = "talk_seconds"\n'
    ).needed_columns == {"1", "2", "4"}
    found = problems(tmp_path, f"header = false\n{SOUND}")
    assert [line.partition(": ")[0] for line in found] == [
        f"line {n}, columns.{c}" for n, c in ((3, "id"), (4, "start"), (5, "talk"))
    ]
    rules = 'zone_evidence = "a"\nparts.row = ["b"]\nskip = [{ when = { c = "d" } }]\n'
    numbered = '[columns]\n1 = "session_id"\n2 = "setup_time"\n3 = "talk_seconds"\n'
    found = problems(tmp_path, f"header = false\n{rules}{numbered}")
    assert [line.partition(": ")[0] for line in found] == [
        "line 2, zone_evidence",
        "line 3, parts.row",
        "line 4, skip[1].when.c",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Call ID = 1", "a name with blanks or other signs than letters, digits, - and _ needs quotes"),
        ('[columns]\na = "caller"\na = "called"', "a column is named once: a list gives it several fields"),
        ("a = ", "not TOML"),
        ("x = 1\n" * 1_001, "a mapping file has at most 65,536 bytes and 1,000 lines"),
        ("#" * 65_537, "a mapping file has at most 65,536 bytes and 1,000 lines"),
    ],
)
def test_what_is_no_toml_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in problems(tmp_path, text)[0]


def test_a_key_is_found_on_its_line(tmp_path: Path) -> None:
    path = tmp_path / "calls.toml"
    path.write_text(
        'a = """\nb = 1\n"""\n\n# c\n[t]\nc = [\n 1,\n 2 ]\n[[u]]\n[[u]]\nd = 4\n', encoding="utf-8"
    )
    lines = read_toml(path).key_lines()
    assert {key: lines[key] for key in [("a",), ("t",), ("t", "c"), ("u", 0), ("u", 1), ("u", 1, "d")]} == {
        ("a",): 1,
        ("t",): 6,
        ("t", "c"): 7,
        ("u", 0): 10,
        ("u", 1): 11,
        ("u", 1, "d"): 12,
    }
    assert ("b",) not in lines
