"""`pegcount mapping`, and imports by a mapping."""

import os
import re
import threading
from itertools import takewhile
from pathlib import Path

import pytest
from program import run_program

PAGE = Path(__file__).parents[2] / "docs" / "mapping.md"


def indented_block(page: str, first: str) -> str:
    """The block of an example that begins with a line, without its indent."""
    lines = page[page.index(f"    {first}") :].splitlines(keepends=True)
    block = takewhile(lambda line: line.startswith("    "), lines)
    return "".join(line.removeprefix("    ") for line in block)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A folder with the files of the example of the page."""
    page = PAGE.read_text(encoding="utf-8")
    (tmp_path / "calls.csv").write_text(indented_block(page, "Call ID;Started"), encoding="utf-8")
    example = page[page.index("Seven lines") :]
    (tmp_path / "calls.toml").write_text(indented_block(example, 'separator = ";"'), encoding="utf-8")
    return tmp_path


def printed(*arguments: str, cwd: Path, status: int = 0) -> str:
    done = run_program(*arguments, cwd=cwd)
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def test_the_example_of_the_page_prints_what_the_page_says(example: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    check = printed("mapping", "check", "calls.toml", "calls.csv", cwd=example)
    into = ("--format", "mapped", "--mapping", "calls.toml", "--source", "pbx", "--data", "data")
    imported = printed("import", *into, "calls.csv", cwd=example)
    found = re.findall(r"^    ((?:calls\.csv|columns|3 records|2 answered).*)$", page, re.MULTILINE)
    assert len(found) == 7
    assert [line for line in found if line not in check + imported] == []


def test_a_check_tells_all_that_is_wrong_with_mapping_and_sample(example: Path) -> None:
    mapping = example / "calls.toml"
    text = mapping.read_text(encoding="utf-8").replace("%d.%m.%Y", "%Y-%m-%d").replace("To =", "Too =")
    mapping.write_text(text.replace('"Call ID"', '"Call Id"') + 'Note = "callr"\n', encoding="utf-8")
    done = printed("mapping", "check", "calls.toml", "calls.csv", cwd=example, status=2)
    assert [line.partition(" of ")[0] for line in done.splitlines() if line.startswith("calls.toml")] == [
        "calls.toml line 6, columns.Started: none",
        "calls.toml line 9, columns.Too: the file has no column 'Too'; did you mean \"To\"?",
        "calls.toml line 11, columns.Note: no field is called 'callr'; did you mean \"caller\"?",
    ]
    assert (
        "the first, of line 2: Started (setup_time): '30.03.2026 09:00:00' does not have the format"
    ) in done
    assert done.endswith("the rows are read once the mapping has none of these problems\n")


def test_a_check_tells_where_a_rule_names_a_column_that_the_sample_lacks(example: Path) -> None:
    mapping = example / "calls.toml"
    rules = 'zone_evidence = "Tlak"\nparts.row = ["Resullt"]\n'
    mapping.write_text(rules + mapping.read_text(encoding="utf-8"), encoding="utf-8")
    done = printed("mapping", "check", "calls.toml", "calls.csv", cwd=example, status=2)
    assert "calls.toml line 1, zone_evidence: the file has no column 'Tlak'" in done
    assert "calls.toml line 2, parts.row: the file has no column 'Resullt'" in done


def test_a_sample_may_be_a_pipe(example: Path) -> None:
    """It is read twice: beside the mapping, and by it."""
    pipe = example / "pipe"
    os.mkfifo(pipe)
    text = (example / "calls.csv").read_text(encoding="utf-8")
    writer = threading.Thread(target=pipe.write_text, args=(text, "utf-8"))
    writer.start()
    done = printed("mapping", "check", "calls.toml", "pipe", cwd=example)
    writer.join()
    assert "pipe: 3 rows, 3 valid, 0 rejected, 0 skipped" in done


def test_a_check_names_rows_that_cannot_be_read(example: Path) -> None:
    with (example / "calls.csv").open("a") as file:
        file.write("a4;30.03.2026 18:00:00;many;1;2;busy;\na5;x;0;1;2;busy;\n")
    done = printed("mapping", "check", "calls.toml", "calls.csv", cwd=example, status=1)
    assert "calls.csv: 5 rows, 3 valid, 2 rejected, 0 skipped" in done
    assert (
        "Talk (talk_seconds): 'many' is not a duration (s), nor of the form H:MM:SS; first calls.csv line 5"
    ) in done
    assert sorted(path.name for path in example.iterdir()) == ["calls.csv", "calls.toml"]


def test_a_check_says_that_day_and_month_may_be_swapped(example: Path) -> None:
    file = example / "calls.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("30.03.", "05.03."), encoding="utf-8")
    done = printed("mapping", "check", "calls.toml", "calls.csv", cwd=example)
    assert "note: Started (setup_time): '%m.%d.%Y %H:%M:%S' reads every time as well as" in done


def test_mappings_that_come_with_it_are_listed_and_shown(tmp_path: Path) -> None:
    names = [line.split()[0] for line in printed("mapping", "list", cwd=tmp_path).splitlines()]
    assert "cisco-cucm" in names
    for name in names:
        (tmp_path / "own.toml").write_text(printed("mapping", "show", name, cwd=tmp_path), encoding="utf-8")
    shown = printed("mapping", "show", "freepxb", cwd=tmp_path, status=2)
    assert "'freepxb' is not one of 3cx, " in shown
    assert 'did you mean "freepbx"?' in shown


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--format", "mapped"), "mapped needs --mapping, a mapping file or the name of one"),
        (("--format", "mapped", "--mapping", "cisco-cum"), 'did you mean "cisco-cucm"?'),
        (("--format", "pegcount-csv", "--mapping", "calls.toml"), "pegcount-csv does not use --mapping"),
        (("--format", "mapped", "--mapping", "calls.csv"), "calls.csv: not TOML"),
    ],
)
def test_mappings_that_are_none_are_refused(example: Path, options: tuple[str, ...], expected: str) -> None:
    done = printed(
        "import", *options, "--source", "pbx", "--data", "data", "calls.csv", cwd=example, status=2
    )
    assert expected in done
    assert not (example / "data").exists()


def test_another_id_of_the_same_source_is_refused(example: Path) -> None:
    into = ("--format", "mapped", "--mapping", "calls.toml", "--source", "pbx", "--data", "data")
    printed("import", *into, "calls.csv", cwd=example)
    mapping = example / "calls.toml"
    text = mapping.read_text(encoding="utf-8").replace('"Call ID" = "session_id"\n', "")
    mapping.write_text("id_from_row = true\n" + text, encoding="utf-8")
    done = printed("import", *into, "calls.csv", cwd=example, status=2)
    assert "mapped by Call ID" in done
    assert "mapped by the row" in done
