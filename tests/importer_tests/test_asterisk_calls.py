"""asterisk-csv: which rows are one call, and what the call is.

The shapes of calls and their values stand in docs/formats.md, where each has been worked out by hand.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import parts
from pegcount import core
from pegcount.config import Config
from pegcount.errors import ImportFileError
from pegcount.importers import ParsedRecord
from pegcount.model import Measure, OneOf, Scan
from pegcount.store import EmbeddedStore
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest

from .reading import csv_line, options, outline, parse
from .test_asterisk_csv import BASE, CUSTOM, NEW_COLUMNS, UNIQUEID, USERFIELD, custom_row

SHAPES = Path(__file__).with_name("asterisk_shapes")
FORMATS_PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
_SHAPE_LINE = re.compile(r"^\| `(\w+)` \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| ([\d, ]+) \|", re.MULTILINE)

Figures = tuple[int, int, int, int]
"""Rows, calls, answered calls and their seconds."""


def documented() -> dict[str, tuple[Figures, set[int]]]:
    """The figures of each shape, and the causes of its calls."""
    return {
        name: ((int(rows), int(calls), int(answered), int(seconds)), {int(one) for one in causes.split(",")})
        for name, rows, calls, answered, seconds, causes in _SHAPE_LINE.findall(FORMATS_PAGE.read_text())
    }


def records_of(text: str | bytes, **more: Any) -> list[SessionRecord]:
    parsed = parse("asterisk-csv", text, options(**more))
    assert [line for line in parsed if not isinstance(line, ParsedRecord)] == []
    return [line.record for line in parsed if isinstance(line, ParsedRecord)]


def shape(name: str, **more: Any) -> list[SessionRecord]:
    return records_of((SHAPES / f"{name}.csv").read_bytes(), **more)


def joined(records: Iterable[SessionRecord]) -> list[SessionRecord]:
    """The calls, each with its parts joined."""
    calls: dict[str, dict[int, SessionRecord]] = {}
    for record in records:
        calls.setdefault(record.session_id, {})[record.part] = record
    return [_joined(list(parts_of_call.values())) for parts_of_call in calls.values()]


def _joined(records: Sequence[SessionRecord]) -> SessionRecord:
    values = [{field.name: value for field, value in record.ListFields()} for record in records]
    return SessionRecord(**parts.join(values))


def figures(records: Sequence[SessionRecord]) -> Figures:
    calls = joined(records)
    answered = [call for call in calls if call.HasField("answer_time")]
    talk_ns = sum(call.end_time.ToNanoseconds() - call.answer_time.ToNanoseconds() for call in answered)
    return len(records), len(calls), len(answered), talk_ns // 10**9


class Places:
    """A store, and a source of its own in it for each log."""

    def __init__(self, directory: Path) -> None:
        self.store = EmbeddedStore(directory, Config(seal_row_count=40), create=True)
        self._source_count = 0

    def figures_of(self, batches: Iterable[Sequence[SessionRecord]]) -> tuple[tuple[Any, ...], ...]:
        """Writes batches under a new source; returns id, cause, sums and terminating leg of each call."""
        self._source_count += 1
        source = f"s{self._source_count}"
        for batch in batches:
            records = [SessionRecord() for _ in batch]
            for record, given_record in zip(records, batch, strict=True):
                record.CopyFrom(given_record)
                record.source = source
            assert self.store.write(WriteRecordsRequest(records=records).SerializeToString()).rejected == ()
        keys = (
            "session_id",
            "setup_time",
            "end_time",
            "disconnect_cause",
            "term_leg_id",
            "orig_src_party_id",
        )
        scan = Scan(None, (OneOf("source", (source,)),), keys, Measure("calls"))
        found = self.store.partials(scan, 1_000, core.CancelToken(None))
        columns = [
            [key[1][code] for code in key[0]] if isinstance(key, tuple) else key.tolist()
            for key in found.keys
        ]
        return tuple(sorted(zip(*columns, map(tuple, found.sums.tolist()), strict=True)))


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    opened = Places(tmp_path_factory.mktemp("calls"))
    yield opened
    opened.store.close()


def expected_of(records: Sequence[SessionRecord]) -> tuple[tuple[Any, ...], ...]:
    """What `Places.figures_of` returns of calls that are joined in Python."""
    return tuple(sorted(_cells(call) for call in joined(records)))


def _cells(call: SessionRecord) -> tuple[Any, ...]:
    setup, answer, end = (
        time.ToMicroseconds() for time in (call.setup_time, call.answer_time, call.end_time)
    )
    is_answered = call.HasField("answer_time")
    sums = (1, int(is_answered), (end - answer) // 1_000 if is_answered else 0)
    parties = (call.term_leg_id, call.orig_src_party_id)
    return (call.session_id, setup, end, call.disconnect_cause, *parties, sums)


def test_each_shape_is_documented() -> None:
    assert set(documented()) == {path.stem for path in SHAPES.glob("*.csv")}


@pytest.mark.parametrize("name", documented())
def test_shapes_of_calls(name: str, places: Places) -> None:
    expected, causes = documented()[name]
    records = shape(name)
    assert figures(records) == expected
    assert {call.disconnect_cause for call in joined(records)} == causes
    assert places.figures_of([records]) == expected_of(records)


@given(data=st.data())
def test_order_and_cuts_of_a_log_change_nothing(places: Places, data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(documented())), min_size=1, max_size=3))
    records = []
    for number, name in enumerate(names):
        for record in shape(name):
            record.session_id = f"{record.session_id}{number}"
            records.append(record)
    order = data.draw(st.permutations([*records, *records[:2]]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=4)))
    pieces = [order[start:end] for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    assert places.figures_of(pieces) == expected_of(records)


@pytest.mark.parametrize(
    ("name", "by_switch"),
    [
        ("voicemail_after_no_answer", (2, 1, 1, 30)),
        ("answer_before_dial_in_vain", (2, 1, 1, 1)),
        ("queue_without_phone", (1, 1, 1, 60)),
        ("click_to_dial_far_side_silent", (2, 1, 1, 35)),
        ("ring_all_unanswered", (5, 1, 0, 0)),
    ],
)
def test_the_answer_of_the_switch_counts_if_it_is_asked_for(name: str, by_switch: Figures) -> None:
    assert figures(shape(name, asterisk_answered="switch")) == by_switch


@pytest.mark.parametrize(
    ("name", "by_uniqueid", "by_rows"),
    [
        ("ring_all_answered", (5, 1, 1, 120), (5, 5, 1, 120)),
        ("local_channel_kept", (2, 2, 2, 356), (2, 2, 2, 356)),
        ("attended_transfer_by_feature_code", (3, 2, 2, 110), (3, 3, 3, 110)),
        ("conference_of_ten", (10, 10, 10, 5530), (10, 10, 10, 5530)),
    ],
)
def test_other_rules_of_calls(name: str, by_uniqueid: Figures, by_rows: Figures) -> None:
    assert figures(shape(name, asterisk_calls="uniqueid")) == by_uniqueid
    rows = shape(name, asterisk_calls="rows")
    assert figures(rows) == by_rows
    assert not any(row.HasField("part") or row.HasField("part_class") for row in rows)


def call_row(**cells: str) -> str:
    """A row of `cdr_custom` with the linkedid at its end."""
    return csv_line((CUSTOM | {"linkedid": CUSTOM["uniqueid"]} | cells).values())


@pytest.mark.parametrize(
    ("cells", "part_class", "is_answered"),
    [
        ({}, 2, True),
        ({"dstchannel": "Local/1@a-1;1"}, 1, True),
        ({"dstchannel": "Local/1@a-1;1", "disposition": "BUSY"}, 2, False),
        ({"dstchannel": ""}, 2, False),
        ({"dstchannel": "", "lastapp": "FollowMe"}, 2, False),
        ({"dstchannel": "", "lastapp": "RetryDial"}, 2, False),
        ({"dstchannel": "", "lastapp": "Playback"}, 1, True),
        ({"dstchannel": "", "lastapp": ""}, 1, True),
        ({"lastapp": "Playback"}, 2, True),
        ({"dstchannel": "", "lastapp": "ConfBridge"}, 2, True),
        ({"dstchannel": "", "lastapp": "MeetMe"}, 2, True),
        ({"channel": "Local/1@a-1;1"}, 3, True),
        ({"channel": "Local/1@a-1;1", "linkedid": "1774688399.1"}, 2, True),
        ({"channel": "Local/1@a-1;2"}, 2, True),
        ({"channel": "Local/1@a-1;1", "dstchannel": "Local/2@b-1;1"}, 1, True),
    ],
    ids=str,
)
def test_classes(cells: dict[str, str], part_class: int, is_answered: bool) -> None:
    (record,) = records_of(call_row(**cells))
    assert (record.part_class, record.HasField("answer_time")) == (part_class, is_answered)


def test_without_a_linkedid_the_other_half_of_a_local_channel_is_another_call() -> None:
    unanswered = custom_row(dstchannel="Local/1@a-1;1", disposition="NO ANSWER")
    answered = custom_row(dstchannel="Local/2@a-1;1", sequence="8")
    assert figures(records_of(unanswered + answered)) == (2, 1, 1, 120)


@pytest.mark.parametrize(
    ("row", "session_id"),
    [
        (BASE + UNIQUEID, "1774688400.42"),
        (BASE + UNIQUEID + USERFIELD, "1774688400.42"),
        (BASE + NEW_COLUMNS, "1774688400.41"),
        (BASE + UNIQUEID + NEW_COLUMNS, "1774688400.41"),
        (BASE + USERFIELD + NEW_COLUMNS, "1774688400.41"),
        (BASE + UNIQUEID + USERFIELD + NEW_COLUMNS, "1774688400.41"),
        (custom_row(), "1774688400.42"),
        (csv_line([*CUSTOM.values()][:-1]), "1774688400.42"),
        (call_row(linkedid="1774688400.41"), "1774688400.41"),
        (csv_line([*[*CUSTOM.values()][:-1], "1774688400.41"]), "1774688400.41"),
        (csv_line([*[*CUSTOM.values()][:-1], "1774688400.41", "7"]), "1774688400.41"),
        (csv_line([*[*CUSTOM.values()][:-1], "peer", "1774688400.41", "7"]), "1774688400.41"),
        (csv_line([*[*CUSTOM.values()][:-1], "55", "1774688400.41", "7"]), "1774688400.41"),
    ],
)
def test_the_call_of_a_row_in_all_column_orders(row: str, session_id: str) -> None:
    (record,) = records_of(row)
    assert record.session_id == session_id
    assert (record.part_class, record.HasField("part")) == (2, True)


@pytest.mark.parametrize("rounded", ["1774688400", "1.77469E+09", "1,77469E+09", "2E+09"])
def test_ids_that_a_spreadsheet_has_rounded_are_refused(rounded: str) -> None:
    """Regression: 200 independent calls became one."""
    for name in ("uniqueid", "linkedid"):
        table = csv_line(CELLS) + csv_line({**CELLS, name: rounded}.values())
        refusal = f"{rounded!r} is a number that a spreadsheet has rounded; import the original file"
        assert outline(parse("asterisk-csv", table)) == [f"2 ! {name}: {refusal}"]


def test_rows_without_ids_are_calls_by_themselves() -> None:
    first, second = records_of(f"{BASE}\n{BASE}\n")
    assert [first.session_id[-2:], second.session_id[-2:]] == ["/1", "/2"]
    assert not first.HasField("part")
    assert not first.HasField("part_class")


def test_the_part_depends_on_the_row_alone() -> None:
    (found,) = records_of(call_row())
    for more in ({"asterisk_answered": "switch"}, {"asterisk_calls": "uniqueid"}, {"source": "other"}):
        assert [record.part for record in records_of(call_row(), **more)] == [found.part]
    assert [record.part for record in records_of(call_row(userfield="x", accountcode="y"))] == [found.part]
    corrections = [
        {"billsec": "119", "answer": "2026-03-28 09:00:06"},
        {"start": "2026-03-28 09:00:01", "duration": "124"},
        {"disposition": "BUSY"},
    ]
    for cells in corrections:
        (corrected,) = records_of(call_row(**cells))
        assert corrected.part == found.part
    (other,) = records_of(call_row(sequence="8"))
    assert other.part != found.part


@pytest.mark.parametrize(
    "added",
    [
        ("55",),
        ("sales",),
        ("sales", "55"),
        ("55", "sales"),
        ("55", "66"),
        (CUSTOM["uniqueid"], "55"),
        (CUSTOM["uniqueid"], "sales"),
        ("sales", CUSTOM["uniqueid"], "west"),
        ("0", CUSTOM["uniqueid"], "55"),
        ("9" * 5_000,),
    ],
    ids=lambda added: "-".join(cell[:20] for cell in added),
)
def test_what_people_add_to_cdr_custom_does_not_make_one_part_of_several_rows(
    added: tuple[str, ...], places: Places
) -> None:
    """Five phones ring, and the last one answers; the added cells are the same in all rows."""
    phones = [CUSTOM | {"dstchannel": f"PJSIP/p{number}-1"} for number in range(5)]
    for cells in phones[:4]:
        cells |= {"disposition": "NO ANSWER", "duration": "10", "billsec": "0", "answer": ""}
        cells["end"] = "2026-03-28 09:00:10"
    rows = [csv_line([*[*cells.values()][:-1], *added]) for cells in phones]
    records = records_of("".join(rows))
    assert len({record.part for record in records}) == 5
    assert figures(records) == (5, 1, 1, 120)
    assert places.figures_of([records]) == expected_of(records)


def test_a_busy_trunk_and_the_voicemail_after_it_are_two_parts() -> None:
    """Neither row has a dstchannel, and an account stands where the sequence would."""
    in_vain = call_row(dstchannel="", sequence="55", disposition="BUSY")
    voicemail = call_row(dstchannel="", sequence="55", lastapp="VoiceMail")
    assert figures(records_of(in_vain + voicemail)) == (2, 1, 0, 0)


@pytest.mark.parametrize("sequence", ["7", "0"])
def test_both_logs_of_a_switch_give_the_same_part(sequence: str) -> None:
    master = BASE + UNIQUEID + USERFIELD + f',"peer","1774688400.42","{sequence}"\n'
    for custom in (call_row(sequence=sequence), custom_row(sequence=sequence)):
        assert len({record.part for record in records_of(master + custom)}) == 1


CELLS = {**CUSTOM, "sequence": "0", "linkedid": CUSTOM["uniqueid"]}
TABLE = (
    *("calldate", "clid", "src", "dst", "channel", "dstchannel", "lastapp", "duration", "billsec"),
    *("disposition", "amaflags", "uniqueid", "linkedid", "sequence"),
)


def test_all_logs_of_one_switch_give_the_same_parts() -> None:
    cells = {**CELLS, "calldate": CELLS["start"]}
    table = csv_line(TABLE) + csv_line([cells[name] for name in TABLE])
    master = BASE.replace("442079460001@trunk,60", "cut") + UNIQUEID + USERFIELD
    master += ',"peer","1774688400.42","0"'
    (from_table,), (from_master,), (from_custom,) = map(records_of, (table, master, call_row(sequence="0")))
    assert from_table.part == from_master.part == from_custom.part
    assert figures([from_table, from_master, from_custom]) == (3, 1, 1, 120)


def test_a_table_names_its_columns_in_any_order() -> None:
    cells = {**CELLS, "calldate": CELLS["start"]}
    names = sorted(TABLE)
    table = csv_line([name.upper() for name in names]) + csv_line([cells[name] for name in names])
    (record,) = records_of(table)
    assert figures([record]) == (1, 1, 1, 120)
    assert (record.orig_src_party_id, record.orig_dst_party_id) == (CELLS["src"], CELLS["dst"])


@pytest.mark.parametrize("null", ["NULL", "\\N", ""])
def test_old_rows_of_a_table_lack_linkedid_and_sequence(null: str) -> None:
    names = ["start", *TABLE[1:]]
    row = csv_line([(CELLS | {"linkedid": null, "sequence": "0"})[name] for name in names])
    busy = csv_line([(CELLS | {"linkedid": null, "disposition": "BUSY"})[name] for name in names])
    records = records_of(csv_line(names) + row + busy)
    assert {record.session_id for record in records} == {CELLS["uniqueid"]}
    assert figures(records) == (2, 1, 1, 120)
    assert len({record.part for record in records}) == 2


def test_a_table_may_have_offsets_and_bare_quotes() -> None:
    header = "calldate,clid,src,dst,channel,dstchannel,lastapp,lastdata,duration,billsec,disposition,uniqueid"
    row = '2026-03-10 11:00:00+02,"Ann" <100>,100,200,SIP/1-1,SIP/2-1,Dial,"SIP/2,60",65,60,ANSWERED,'
    row += "1773133200.1"
    (line,) = outline(parse("asterisk-csv", f"{header}\n{row}\n"))
    assert line == "2 1773133200.1 2026-03-10T09:00:00Z 2026-03-10T09:00:05Z 2026-03-10T09:01:05Z"
    unclosed = row.replace("<100>,100", '<100>,"100')
    (line,) = outline(parse("asterisk-csv", f"{header}\n{unclosed}\n"))
    assert line.startswith("2 ! the row has ")


def test_fractions_of_seconds() -> None:
    times = {"start": "2026-03-10 09:00:00.123", "answer": "2026-03-10 09:00:05.123"}
    times |= {"end": "2026-03-10 09:01:05.500", "duration": "65.377", "billsec": "60.377"}
    (line,) = outline(parse("asterisk-csv", custom_row(**times, uniqueid="1773133200.1")))
    assert line.split()[2:] == [
        "2026-03-10T09:00:00.123000Z",
        "2026-03-10T09:00:05.123000Z",
        "2026-03-10T09:01:05.500000Z",
    ]


def test_the_header_of_a_file_that_was_appended_is_skipped() -> None:
    cells = {**CELLS, "calldate": CELLS["start"]}
    table = csv_line(TABLE) + csv_line([cells[name] for name in TABLE])
    lines = outline(parse("asterisk-csv", table + table.replace('"calldate"', '"start"')))
    assert [line.split()[1] for line in lines] == ["1774688400.42", "skipped", "1774688400.42"]


def test_a_second_header_with_other_columns_is_refused() -> None:
    cells = {**CELLS, "calldate": CELLS["start"]}
    tables = [csv_line(names) + csv_line([cells[name] for name in names]) for names in (TABLE, TABLE[::-1])]
    with pytest.raises(ImportFileError, match="a second header names other columns"):
        parse("asterisk-csv", "".join(tables))


@pytest.mark.parametrize("cell", ['"x" ' + "y" * 140_000, 'a\rb "c"'])
def test_a_cell_that_cannot_be_read_costs_its_line(cell: str) -> None:
    """Regression: the import ended with the error of the csv module."""
    bad = csv_line({**CELLS, "clid": "CLID"}.values()).replace('"CLID"', cell)
    good = csv_line(CELLS.values())
    found = outline(parse("asterisk-csv", csv_line(CELLS) + bad + good))
    assert found[0].startswith("2 ! no row of CSV")
    assert found[-1].startswith("3 ")
    assert "!" not in found[-1]
