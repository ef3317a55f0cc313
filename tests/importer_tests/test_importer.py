"""The loop of an import, with a store that only remembers what it got."""

import csv
import dataclasses
from pathlib import Path

import pytest
from pegcount.config import Config
from pegcount.errors import ImportFileError, OverloadedError
from pegcount.importers import ImportCounts, ImportOptions, RejectsFile, import_file
from pegcount.model import RejectedRecord, WriteOutcome
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest

from .reading import options

HEADER = "session_id,setup_time,folder\n"
TIME = "2026-03-28T09:00:00Z"


@dataclasses.dataclass(frozen=True)
class Written:
    store: "Store"
    outcome: WriteOutcome

    def wait(self) -> WriteOutcome:
        self.store.in_flight -= 1
        return self.outcome


class Store:
    """Takes a key once; rejects a record without a session id."""

    def __init__(self, room: int | None = None) -> None:
        """`room`: batches that may be on their way at once; one more is refused."""
        self.batches: list[list[SessionRecord]] = []
        self.in_flight = self.in_flight_peak = 0
        self._room = room
        self._known: set[str] = set()

    def submit(self, data: bytes) -> Written:
        if self.in_flight == self._room:
            raise OverloadedError("too many bytes are on their way", 1.0)
        self.in_flight += 1
        self.in_flight_peak = max(self.in_flight, self.in_flight_peak)
        batch = list(WriteRecordsRequest.FromString(data).records)
        self.batches.append(batch)
        rejected = tuple(
            RejectedRecord(index, 1, "session_id is missing")
            for index, record in enumerate(batch)
            if not record.session_id
        )
        ids = [record.session_id for record in batch if record.session_id]
        new = set(ids) - self._known
        self._known |= new
        return Written(self, WriteOutcome(len(new), 0, len(ids) - len(new), rejected))


@dataclasses.dataclass(frozen=True)
class Ran:
    counts: ImportCounts
    rejects: list[list[str]]
    batches: list[list[SessionRecord]]
    progress: list[int]
    size: int


def run(
    directory: Path, data: str, given: ImportOptions | None = None, batch: int = 2, name: str = "pegcount-csv"
) -> Ran:
    path = directory / "calls.csv"
    path.write_bytes(data.encode())
    store, progress = Store(), list[int]()
    config = Config(import_batch_row_count=batch)
    with RejectsFile(directory / "rejects.csv") as rejects:
        counts = import_file(
            path,
            name,
            given or options(),
            store.submit,
            rejects,
            lambda bytes_done, _: progress.append(bytes_done),
            config,
        )
    found = []
    if rejects.path.exists():
        with rejects.path.open(newline="") as file:
            found = list(csv.reader(file))[1:]
    return Ran(counts, found, store.batches, progress, len(data.encode()))


def test_rows_are_written_in_batches(tmp_path: Path) -> None:
    ran = run(tmp_path, HEADER + "".join(f"s{index},{TIME},\n" for index in range(5)))
    assert [[record.session_id for record in batch] for batch in ran.batches] == [
        ["s0", "s1"],
        ["s2", "s3"],
        ["s4"],
    ]
    assert ran.counts == ImportCounts(rows=5, accepted=5, replaced=0, duplicates=0, rejected=0, skipped=0)
    assert ran.rejects == []
    assert ran.progress == sorted(ran.progress)
    assert ran.progress[-1] == ran.size


def test_what_the_store_rejects_is_traced_to_its_line(tmp_path: Path) -> None:
    rows = [f"s1,{TIME},a", f"s1,{TIME},a", "s2,soon,a", f",{TIME},a", "", f"s3,{TIME},a", f",{TIME},b"]
    ran = run(tmp_path, HEADER + "\n".join(rows))
    assert ran.counts == ImportCounts(rows=6, accepted=2, replaced=0, duplicates=1, rejected=3, skipped=0)
    file = str(tmp_path / "calls.csv")
    assert ran.rejects == [
        [file, "4", "setup_time: 'soon' is no date and time", "s2,soon,a"],
        [file, "5", "session_id is missing", f",{TIME},a"],
        [file, "8", "session_id is missing", f",{TIME},b"],
    ]


def test_skipped_legs_are_counted_and_not_rejected(tmp_path: Path) -> None:
    dates = "2026-03-28 09:00:00,,2026-03-28 09:00:05,5,0,USER_BUSY"
    data = f"x,1,2,c,{dates},a1,b1,acc\nx,1,2,c,{dates},b1,,acc\n"
    ran = run(tmp_path, data, name="freeswitch-csv")
    assert ran.counts == ImportCounts(rows=2, accepted=1, replaced=0, duplicates=0, rejected=0, skipped=1)
    assert ran.rejects == []


def test_what_is_set_wins_over_the_row(tmp_path: Path) -> None:
    overrides = {"folder": "sales", "company": "acme"}
    ran = run(tmp_path, f"{HEADER}s1,{TIME},billing\ns2,{TIME},\n", options(overrides=overrides))
    assert [(record.folder, record.company) for record in ran.batches[0]] == [("sales", "acme")] * 2


def test_an_empty_file_of_a_format_without_header(tmp_path: Path) -> None:
    ran = run(tmp_path, "", name="asterisk-csv")
    assert (ran.counts.rows, ran.batches, ran.progress) == (0, [], [0])


def test_long_texts_make_a_batch_full_before_its_rows_do(tmp_path: Path) -> None:
    folder = "x" * 100_000
    ran = run(tmp_path, HEADER + "".join(f"s{index},{TIME},{folder}\n" for index in range(100)), batch=1000)
    assert [len(batch) for batch in ran.batches] == [84, 16]


def imported(directory: Path, store: Store, config: Config, rows: int) -> ImportCounts:
    path = directory / "calls.csv"
    path.write_text(HEADER + "".join(f"s{i},{TIME},\n" for i in range(rows)))
    with RejectsFile(directory / "rejects.csv") as rejects:
        return import_file(path, "pegcount-csv", options(), store.submit, rejects, lambda *_: None, config)


@pytest.mark.parametrize("in_flight", [1, 3])
def test_so_many_batches_are_on_their_way_at_once(in_flight: int, tmp_path: Path) -> None:
    store = Store()
    config = Config(import_batch_row_count=2, import_batch_in_flight_max=in_flight)
    assert imported(tmp_path, store, config, rows=20).accepted == 20
    assert (store.in_flight_peak, store.in_flight) == (in_flight, 0)


def test_where_there_is_no_room_for_a_batch_those_before_it_make_some(tmp_path: Path) -> None:
    store = Store(room=2)
    assert imported(tmp_path, store, Config(import_batch_row_count=2), rows=20).accepted == 20
    assert (store.in_flight_peak, len(store.batches)) == (2, 10)


def test_a_store_without_any_room_ends_the_import(tmp_path: Path) -> None:
    with pytest.raises(OverloadedError):
        imported(tmp_path, Store(room=0), Config(), rows=1)


def test_a_batch_of_too_many_bytes_is_halved(tmp_path: Path) -> None:
    store = Store()
    one_record = len(WriteRecordsRequest(records=[SessionRecord(session_id="s1")]).SerializeToString())
    config = Config(import_batch_row_count=12, import_batch_bytes_max=one_record * 10)
    assert imported(tmp_path, store, config, rows=12).accepted == 12
    ids = [[record.session_id for record in batch] for batch in store.batches]
    assert [one for some in ids for one in some] == [f"s{i}" for i in range(12)]
    assert len(ids) > 1
    alone = Store()
    assert imported(tmp_path, alone, Config(import_batch_bytes_max=1), rows=3).accepted == 3
    assert [len(batch) for batch in alone.batches] == [1, 1, 1], "a record alone is sent whatever its size"


@pytest.mark.parametrize(
    ("name", "overrides", "message"),
    [
        (
            "csv",
            {},
            "format 'csv' is none of asterisk-csv, freeswitch-csv, freeswitch-json",
        ),
        ("pegcount-csv", {"source": "x"}, "source cannot be set"),
    ],
)
def test_what_refuses_an_import(tmp_path: Path, name: str, overrides: dict[str, str], message: str) -> None:
    with pytest.raises(ImportFileError, match=message):
        run(tmp_path, HEADER, options(overrides=overrides), name=name)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with (
        RejectsFile(tmp_path / "rejects.csv") as rejects,
        pytest.raises(ImportFileError, match="No such file"),
    ):
        import_file(tmp_path / "x", "pegcount-csv", options(), Store().submit, rejects, print, Config())
