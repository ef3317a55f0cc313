"""The import loop, with a fake store that records the batches."""

import csv
import dataclasses
import gzip
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
    directory: Path,
    data: str | bytes,
    given: ImportOptions | None = None,
    batch: int = 2,
    name: str = "pegcount-csv",
) -> ImportResult:
    path = directory / "calls.csv"
    raw = data.encode() if isinstance(data, str) else data
    path.write_bytes(raw)
    store, progress = FakeStore(), list[int]()
    config = Config(import_batch_row_count=batch)
    with RejectsFile(directory / "rejects.csv", Config()) as rejects:
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
    return ImportResult(counts, found, store.batches, progress, len(raw))


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
    result = run_import(tmp_path, HEADER + "".join(f"{row}\n" for row in rows))
    assert result.counts == ImportCounts(rows=6, accepted=2, replaced=0, duplicates=1, rejected=3, skipped=0)
    file = str(tmp_path / "calls.csv")
    assert result.rejects == [
        [file, "4", "setup_time: 'soon' is not a date and time", "s2,soon,a"],
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
        skipped_by_reason={SkipReason.B_LEG: 1},
    )
    assert result.rejects == []


def test_overrides_take_precedence_over_the_row(tmp_path: Path) -> None:
    overrides = {"folder": "sales", "company": "acme"}
    result = run_import(tmp_path, f"{HEADER}s1,{TIME},billing\ns2,{TIME},\n", options(overrides=overrides))
    assert [(record.folder, record.company) for record in result.batches[0]] == [("sales", "acme")] * 2


def test_an_empty_file_of_a_headerless_format_imports_nothing(tmp_path: Path) -> None:
    result = run_import(tmp_path, "", name="asterisk-csv")
    assert (result.counts.rows, result.batches, result.progress) == (0, [], [0])


def folders(result: ImportResult) -> list[str]:
    return [record.folder for batch in result.batches for record in batch]


def test_rows_with_replaced_bytes_are_counted(tmp_path: Path) -> None:
    """Switches log the names of callers as they get them, in any encoding."""
    data = (HEADER + f"s1,{TIME},\ufeff\ns2,{TIME},\ufeff\ns\ufeff,{TIME},a\ns4,{TIME},é\n").encode()
    raw = data.replace("\ufeff".encode(), b"\xf9")
    result = run_import(tmp_path, raw, options(overrides={"company": "Zoë"}))
    assert (result.counts.accepted, result.counts.rejected, result.counts.undecoded) == (3, 1, 2)
    assert folders(result) == ["\ufffd", "\ufffd", "é"]
    assert {record.company for batch in result.batches for record in batch} == {"Zoë"}
    reason = "session_id has bytes that are not utf-8: 's\\xf9'"
    assert result.rejects == [[str(tmp_path / "calls.csv"), "4", reason, f"s\\xf9,{TIME},a"]]
    (tmp_path / "rejects.csv").unlink()
    latin = run_import(tmp_path, raw, options(encoding="iso8859-1", overrides={"company": "Zoë"}))
    assert (latin.counts.accepted, latin.counts.undecoded, latin.rejects) == (4, 0, [])
    assert folders(latin) == ["ù", "ù", "a", "Ã©"]
    assert {record.company for batch in latin.batches for record in batch} == {"Zoë"}


@pytest.mark.parametrize("name", ["pegcount-csv", "freeswitch-csv"])
def test_an_incomplete_last_line_is_held_back_or_rejected(name: str, tmp_path: Path) -> None:
    """`...,3` may be the beginning of `...,35`: a log goes on, a table does not."""
    dates = "2026-03-28 09:00:00,,2026-03-28 09:00:05,5,0,USER_BUSY"
    log = f"x,1,2,c,{dates},a1,,acc\nx,1,2,c,{dates},a2,,3"
    data = log if name == "freeswitch-csv" else f"{HEADER}a1,{TIME},acc\na2,{TIME},3"
    result = run_import(tmp_path, data, name=name)
    reasons = [reason for _, _, reason, _ in result.rejects]
    found = (result.counts.rows, result.counts.accepted, result.counts.rejected, result.counts.held_back_line)
    if name == "freeswitch-csv":
        assert (found, reasons) == ((1, 1, 0, 2), [])
    else:
        assert found == (2, 1, 1, 0)
        assert reasons == [
            "the last line has no line end, so that it may be incomplete; --final-line takes it"
        ]
    taken = run_import(tmp_path, data, options(takes_final_line=True), name=name)
    assert (taken.counts.accepted, taken.counts.rejected, taken.counts.held_back_line) == (2, 0, 0)
    assert run_import(tmp_path, data + "5\n", name=name).counts.accepted == 2


def test_a_table_of_nothing_but_an_incomplete_header_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ImportFileError, match=r"calls\.csv: the file is empty.*\(its last line has no line end"
    ):
        run_import(tmp_path, HEADER.strip())


def test_a_truncated_file_is_imported_up_to_its_end(tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + f"s1,{TIME},a\n").encode())
    result = run_import(tmp_path, whole + gzip.compress(f"s2,{TIME},b\n".encode())[:15])
    assert (result.counts.rows, result.counts.accepted) == (1, 1)
    assert "stops before its end" in result.counts.damage
    assert result.progress[-1] == result.size
    with pytest.raises(
        ImportFileError,
        match="a header was expected \\(its rest is missing: the compressed data",
    ):
        run_import(tmp_path, whole[:12])


TABLE = (
    "calldate,clid,src,dst,dcontext,channel,dstchannel,lastapp,lastdata,duration,billsec,disposition,"
    "amaflags,accountcode,uniqueid\n"
    "2026-03-10 09:00:00,Zoë <100>,100,442079460001,c,SIP/100-1,SIP/2,Dial,,65,60,ANSWERED,3,,1773133200.1\n"
    "2026-03-10 09:05:00,Ann <101>,101,442079460002,c,SIP/101-1,SIP/2,Dial,,5,0,BUSY,3,,1773133500.2\n"
)


@pytest.mark.parametrize(
    "data",
    [
        TABLE.encode(),
        ("\ufeff" + TABLE).encode(),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.replace("\n", "\r").encode(),
        TABLE.encode("latin-1"),
        TABLE.replace("\n", "\r").encode("mac-roman"),
        TABLE.replace("\n", "\r\n").encode("utf-16"),
        ("\ufeff" + TABLE).encode("utf-16-be"),
        gzip.compress(TABLE.encode("utf-16")),
    ],
    ids=["utf-8", "mark", "crlf", "cr", "latin-1", "mac", "unicode-text", "utf-16-be", "gzip"],
)
def test_a_table_as_programs_save_it_brings_the_same_records(data: bytes, tmp_path: Path) -> None:
    """Spreadsheets of Windows save UTF-16 with CRLF, those of old Macs CR alone."""
    result = run_import(tmp_path, data, name="asterisk-csv")
    assert result.batches == run_import(tmp_path, TABLE, name="asterisk-csv").batches
    assert (result.counts.accepted, result.counts.undecoded, result.rejects) == (2, 0, [])
    assert [record.orig_src_party_id for record in result.batches[0]] == ["100", "101"]


JSON = '{"variables":{"uuid":"a1","start_epoch":"1773133200","end_epoch":"1773133201"}}'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_needs_no_last_line_end_and_may_have_a_mark(encoding: str, tmp_path: Path) -> None:
    assert run_import(tmp_path, JSON.encode(encoding), name="freeswitch-json").counts.accepted == 1


def test_batches_are_limited_by_bytes_too(tmp_path: Path) -> None:
    folder = "x" * 100_000
    result = run_import(
        tmp_path, HEADER + "".join(f"s{index},{TIME},{folder}\n" for index in range(100)), batch=1000
    )
    assert [len(batch) for batch in result.batches] == [84, 16]


def import_rows(directory: Path, store: FakeStore, config: Config, rows: int) -> ImportCounts:
    path = directory / "calls.csv"
    path.write_text(HEADER + "".join(f"s{i},{TIME},\n" for i in range(rows)))
    with RejectsFile(directory / "rejects.csv", Config()) as rejects:
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
            "there is no format 'csv'; the formats are asterisk-csv, freeswitch-csv, freeswitch-json",
        ),
        ("cisco-cucm", {}, "format 'cisco-cucm'; did you mean \"mapped --mapping cisco-cucm\""),
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
        RejectsFile(tmp_path / "rejects.csv", Config()) as rejects,
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
