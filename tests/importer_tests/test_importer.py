"""The import loop, with a fake store that records the batches."""

import csv
import dataclasses
from pathlib import Path

import pytest
from pegcount.config import Config
from pegcount.errors import ImportFileError, OverloadedError
from pegcount.importers import ImportCounts, ImportOptions, PreparedFile, RejectsFile, import_file
from pegcount.importers.parsed_line import SkipReason
from pegcount.model import RejectedRecord, WriteOutcome
from pegcount.v1.records_pb2 import SessionRecord, WriteRecordsRequest

from .reading import options

HEADER = "session_id,setup_time,folder\n"
TIME = "2026-03-28T09:00:00Z"


@dataclasses.dataclass(frozen=True)
class FakePendingWrite:
    store: "FakeStore"
    outcome: WriteOutcome

    def wait(self) -> WriteOutcome:
        self.store.in_flight -= 1
        return self.outcome


class FakeStore:
    """Accepts each session id once, and rejects records without one."""

    def __init__(self, room: int | None = None) -> None:
        """`room` limits the batches in flight; the store refuses any beyond it as overloaded."""
        self.batches: list[list[SessionRecord]] = []
        self.in_flight = self.in_flight_peak = 0
        self._room = room
        self._known: set[str] = set()

    def submit(self, data: bytes) -> FakePendingWrite:
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
        return FakePendingWrite(self, WriteOutcome(len(new), 0, len(ids) - len(new), rejected))


@dataclasses.dataclass(frozen=True)
class ImportResult:
    counts: ImportCounts
    rejects: list[list[str]]
    batches: list[list[SessionRecord]]
    progress: list[int]
    size: int


def run_import(
    directory: Path, data: str, given: ImportOptions | None = None, batch: int = 2, name: str = "pegcount-csv"
) -> ImportResult:
    path = directory / "calls.csv"
    path.write_bytes(data.encode())
    store, progress = FakeStore(), list[int]()
    config = Config(import_batch_row_count=batch)
    with RejectsFile(directory / "rejects.csv") as rejects:
        counts = import_file(
            PreparedFile(path),
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
    return ImportResult(counts, found, store.batches, progress, len(data.encode()))


def test_rows_are_written_in_batches(tmp_path: Path) -> None:
    result = run_import(tmp_path, HEADER + "".join(f"s{index},{TIME},\n" for index in range(5)))
    assert [[record.session_id for record in batch] for batch in result.batches] == [
        ["s0", "s1"],
        ["s2", "s3"],
        ["s4"],
    ]
    assert result.counts == ImportCounts(rows=5, accepted=5, replaced=0, duplicates=0, rejected=0, skipped=0)
    assert result.rejects == []
    assert result.progress == sorted(result.progress)
    assert result.progress[-1] == result.size


def test_records_rejected_by_the_store_are_traced_to_their_lines(tmp_path: Path) -> None:
    rows = [f"s1,{TIME},a", f"s1,{TIME},a", "s2,soon,a", f",{TIME},a", "", f"s3,{TIME},a", f",{TIME},b"]
    result = run_import(tmp_path, HEADER + "\n".join(rows))
    assert result.counts == ImportCounts(rows=6, accepted=2, replaced=0, duplicates=1, rejected=3, skipped=0)
    file = str(tmp_path / "calls.csv")
    assert result.rejects == [
        [file, "4", "setup_time: 'soon' is no date and time", "s2,soon,a"],
        [file, "5", "session_id is missing", f",{TIME},a"],
        [file, "8", "session_id is missing", f",{TIME},b"],
    ]


def test_skipped_legs_are_counted_and_not_rejected(tmp_path: Path) -> None:
    dates = "2026-03-28 09:00:00,,2026-03-28 09:00:05,5,0,USER_BUSY"
    data = f"x,1,2,c,{dates},a1,b1,acc\nx,1,2,c,{dates},b1,,acc\n"
    result = run_import(tmp_path, data, name="freeswitch-csv")
    assert result.counts == ImportCounts(
        rows=2,
        accepted=1,
        replaced=0,
        duplicates=0,
        rejected=0,
        skipped=1,
        skipped_legs={SkipReason.B_LEG: 1},
    )
    assert result.rejects == []


def test_overrides_take_precedence_over_the_row(tmp_path: Path) -> None:
    overrides = {"folder": "sales", "company": "acme"}
    result = run_import(tmp_path, f"{HEADER}s1,{TIME},billing\ns2,{TIME},\n", options(overrides=overrides))
    assert [(record.folder, record.company) for record in result.batches[0]] == [("sales", "acme")] * 2


def test_an_empty_file_of_a_headerless_format_imports_nothing(tmp_path: Path) -> None:
    result = run_import(tmp_path, "", name="asterisk-csv")
    assert (result.counts.rows, result.batches, result.progress) == (0, [], [0])


def test_batches_are_limited_by_bytes_too(tmp_path: Path) -> None:
    folder = "x" * 100_000
    result = run_import(
        tmp_path, HEADER + "".join(f"s{index},{TIME},{folder}\n" for index in range(100)), batch=1000
    )
    assert [len(batch) for batch in result.batches] == [84, 16]


def import_rows(directory: Path, store: FakeStore, config: Config, rows: int) -> ImportCounts:
    path = directory / "calls.csv"
    path.write_text(HEADER + "".join(f"s{i},{TIME},\n" for i in range(rows)))
    with RejectsFile(directory / "rejects.csv") as rejects:
        return import_file(
            PreparedFile(path), "pegcount-csv", options(), store.submit, rejects, lambda *_: None, config
        )


@pytest.mark.parametrize("in_flight", [1, 3])
def test_batches_in_flight_respect_the_limit(in_flight: int, tmp_path: Path) -> None:
    store = FakeStore()
    config = Config(import_batch_row_count=2, import_batch_in_flight_max=in_flight)
    assert import_rows(tmp_path, store, config, rows=20).accepted == 20
    assert (store.in_flight_peak, store.in_flight) == (in_flight, 0)


def test_an_overloaded_store_is_retried_after_earlier_batches(tmp_path: Path) -> None:
    store = FakeStore(room=2)
    assert import_rows(tmp_path, store, Config(import_batch_row_count=2), rows=20).accepted == 20
    assert (store.in_flight_peak, len(store.batches)) == (2, 10)


def test_a_permanently_overloaded_store_ends_the_import(tmp_path: Path) -> None:
    with pytest.raises(OverloadedError):
        import_rows(tmp_path, FakeStore(room=0), Config(), rows=1)


def test_a_batch_over_the_byte_limit_is_halved(tmp_path: Path) -> None:
    store = FakeStore()
    one_record = len(WriteRecordsRequest(records=[SessionRecord(session_id="s1")]).SerializeToString())
    config = Config(import_batch_row_count=12, import_batch_bytes_max=one_record * 10)
    assert import_rows(tmp_path, store, config, rows=12).accepted == 12
    ids = [[record.session_id for record in batch] for batch in store.batches]
    assert [one for batch in ids for one in batch] == [f"s{i}" for i in range(12)]
    assert len(ids) > 1
    single_record_store = FakeStore()
    assert import_rows(tmp_path, single_record_store, Config(import_batch_bytes_max=1), rows=3).accepted == 3
    assert [len(batch) for batch in single_record_store.batches] == [1, 1, 1], (
        "a single record is sent whatever its size"
    )


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
def test_bad_options_refuse_the_import(
    tmp_path: Path, name: str, overrides: dict[str, str], message: str
) -> None:
    with pytest.raises(ImportFileError, match=message):
        run_import(tmp_path, HEADER, options(overrides=overrides), name=name)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with (
        RejectsFile(tmp_path / "rejects.csv") as rejects,
        pytest.raises(ImportFileError, match="No such file"),
    ):
        import_file(
            PreparedFile(tmp_path / "x"),
            "pegcount-csv",
            options(),
            FakeStore().submit,
            rejects,
            print,
            Config(),
        )
