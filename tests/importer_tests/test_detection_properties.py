"""A file is found as what it is or refused, whatever becomes of its rows; never as something else."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pegcount.importers import ImportOptions, shipped_mappings
from pegcount.importers.detection import (
    DETECTORS,
    Detected,
    TooLittleError,
    UndetectedError,
    detected,
    read_head,
)

from .detecting import found, table
from .reading import csv_line, options
from .test_asterisk_calls import SHAPES
from .test_asterisk_csv import BASE
from .test_detection import sample
from .test_formats import PIECES
from .test_freeswitch_csv import row as freeswitch_row

MAPPINGS = {
    "calls": table("Call ID", "Started", "Talk", "From", "To", separator=";"),
    "yeti": table("id", "uuid", "time_start", "time_end", "pdd"),
    **shipped_mappings(),
}
SHAPE_TEXTS = [path.read_bytes() for path in sorted(SHAPES.glob("*.csv"))]


def found_or_refused(data: bytes, given: ImportOptions | None = None) -> Detected | None:
    try:
        return detected(read_head(io.BytesIO(data), given or options()), MAPPINGS)
    except (TooLittleError, UndetectedError):
        return None


@pytest.mark.parametrize("format_name", DETECTORS)
@given(data=st.data())
def test_shuffled_and_cut(format_name: str, data: st.DataObject) -> None:
    lines = sample(format_name).splitlines(keepends=True)
    rows = data.draw(st.permutations(lines))[: data.draw(st.integers(0, len(lines)))]
    text = b"".join(rows)
    cut = text[: data.draw(st.integers(0, len(text)))] if data.draw(st.booleans()) else text
    detected_one = found_or_refused(cut, options(takes_final_line=data.draw(st.booleans())))
    # A header that is cut may be one of a mapping that needs fewer columns.
    by_mapping = ("mapped", "yeti") if format_name == "yeti-csv" else None
    assert detected_one is None or (
        detected_one.format_name == format_name
        or (detected_one.format_name, detected_one.mapping_name) == by_mapping
    )


@pytest.mark.parametrize("format_name", ["asterisk-csv", "freeswitch-csv"])
@given(data=st.data())
def test_whole_rows_in_any_order_are_found(format_name: str, data: st.DataObject) -> None:
    lines = sample(format_name).splitlines(keepends=True)
    rows = data.draw(st.lists(st.sampled_from(lines), min_size=1))
    assert found(b"".join(rows)).format_name == format_name


@pytest.mark.parametrize("format_name", ["pegcount-csv", "yeti-csv"])
@given(data=st.data())
def test_columns_in_any_order(format_name: str, data: st.DataObject) -> None:
    rows = list(csv.reader(io.StringIO(sample(format_name).decode())))
    order = data.draw(st.permutations(range(len(rows[0]))))[: data.draw(st.integers(1, len(rows[0])))]
    text = "".join(csv_line(row[place] for place in order) for row in rows[:5])
    detected_one = found_or_refused(text.encode())
    allowed = {format_name, "mapped"} if format_name == "yeti-csv" else {format_name}
    assert detected_one is None or detected_one.format_name in allowed


@given(st.sampled_from(SHAPE_TEXTS), st.data())
def test_tables_of_asterisk_in_any_order(text: bytes, data: st.DataObject) -> None:
    rows = list(csv.reader(io.StringIO(text.decode())))
    order = data.draw(st.permutations(range(len(rows[0]))))
    shuffled = csv_line(rows[0][place] for place in order)
    shuffled += "".join(
        csv_line(row[place] for place in order) for row in data.draw(st.permutations(rows[1:]))
    )
    assert found(shuffled).format_name == "asterisk-csv"


@given(st.lists(PIECES | st.binary(max_size=8), max_size=12))
def test_any_bytes_are_found_or_refused(pieces: list[bytes]) -> None:
    found_or_refused(b"".join(pieces))


@given(st.text(max_size=40), st.integers(1, 30))
def test_a_name_does_not_make_rows_of_asterisk_others(name: str, count: int) -> None:
    """Asterisk doubles quotes in names, and so does this."""
    cell = name.replace("\n", " ").replace("\r", " ").replace("\0", " ").replace('"', '""')
    line = BASE.replace("""Alice A.""", cell)
    for text in (f"{line}\n" * count, freeswitch_row().replace("Alice", cell) * count):
        detected_one = found_or_refused(text.encode(errors="replace"))
        expected = "asterisk-csv" if text.startswith(line) else "freeswitch-csv"
        assert detected_one is None or detected_one.format_name == expected
