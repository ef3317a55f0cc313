"""A byte of an unused data directory flips: the damage is reported, or all figures stay the same."""

import contextlib
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from decks import deck_of
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from pegcount.config import Config
from pegcount.errors import DataDamagedError, StoreOpenError
from pegcount.store import EmbeddedStore
from pegcount.v1 import records_pb2, reports_pb2
from service import Service

from faults.campaign import Campaign, Tally, Unit
from faults.conftest import AddToTable
from faults.feed import DAY_S, Feed

FIRST_DAY, LAST_DAY = 20_538, 20_541
"""2026-03-26 and 2026-03-29."""
CONFIG = Config(seal_row_count=10**6)
SEALED_BATCHES, UNSEALED_BATCHES = 12, 4
FLIPS_PER_UNIT = 20

Answer = bytes | str
"""The bytes of an answer, or the name of the damaged file."""


@dataclass(frozen=True)
class Figures:
    """The answers of all reports by name; a name with a date covers that day alone."""

    answers: dict[str, Answer]

    @property
    def damaged_files(self) -> set[str]:
        return {answer for answer in self.answers.values() if isinstance(answer, str)}


def day_text(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * DAY_S))


def requests() -> Iterator[tuple[str, str, object]]:
    """Yields (name, method, request) of each report."""
    hour = reports_pb2.GRANULARITY_HOUR
    spans = {day_text(day): (day, day + 1) for day in range(FIRST_DAY, LAST_DAY + 1)}
    spans["all"] = (FIRST_DAY, LAST_DAY + 1)
    for name, (first, end) in spans.items():
        start, to = day_text(first), day_text(end)
        call = records_pb2.SESSION_KIND_CALL
        yield (
            f"usage {name}",
            "QueryAsrUsage",
            reports_pb2.QueryAsrUsageRequest(from_time=start, to_time=to, granularity=hour, kind=call),
        )
        yield (
            f"quality {name}",
            "QueryOriginationQuality",
            reports_pb2.QueryOriginationQualityRequest(
                from_time=start, to_time=to, account_id="account 1", sampling=hour
            ),
        )
        yield (
            f"folders {name}",
            "QueryFolderStats",
            reports_pb2.QueryFolderStatsRequest(
                company="company",
                organization="organization",
                from_date=day_text(first),
                to_date=day_text(end - 1),
            ),
        )
    fields = ["session_id", "session_start_time", "orig_rates_code_name", "duration"]
    active = reports_pb2.QueryActiveSessionsRequest(return_fields=fields, code_deck=1)
    yield "active", "QueryActiveSessions", active


def query_all(directory: Path) -> Figures:
    """Returns the answers of a service over this directory."""
    answers: dict[str, Answer] = {}
    with Service(directory, CONFIG) as service:
        for name, method, request in requests():
            try:
                answers[name] = getattr(service.reports, method)(request).SerializeToString()
            except grpc.RpcError as error:
                answers[name] = damaged_file(error)
    return Figures(answers)


def damaged_file(error: grpc.RpcError) -> str:
    """Returns the file that a DATA_LOSS status names."""
    assert error.code() == grpc.StatusCode.DATA_LOSS, error
    assert isinstance(error, grpc.Call)
    status = rpc_status.from_call(error)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    assert info.metadata["file"], error
    return info.metadata["file"]


@pytest.fixture(scope="module")
def undamaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a directory with several flushed days, unflushed records, active sessions and a code deck."""
    directory = tmp_path_factory.mktemp("flips") / "whole"
    feed = Feed("flips", 1, FIRST_DAY, LAST_DAY)
    with contextlib.closing(EmbeddedStore(directory, CONFIG, create=True)) as store:
        store.put_code_deck(1, deck_of(*((str(n), f"destination {n}", "DE") for n in range(10))))
        for i in range(SEALED_BATCHES + UNSEALED_BATCHES):
            batch = feed.next_batch().request
            for record in batch.records:
                record.orig_dst_party_id = str(len(record.session_id) % 10)
            store.write(batch.SerializeToString())
            if i in (SEALED_BATCHES // 2, SEALED_BATCHES - 1):
                store.flush()
    return directory


def test_a_flipped_byte_never_changes_a_figure(
    undamaged: Path, tmp_path: Path, add_to_table: AddToTable
) -> None:
    expected = query_all(copy_directory(undamaged, tmp_path / "undamaged"))
    assert expected.damaged_files == set()
    campaign = Campaign("flipped byte", "PEGCOUNT_FAULT_FLIPS", 100, FLIPS_PER_UNIT)
    add_to_table(campaign.run(tmp_path, lambda unit: flip_repeatedly(unit, undamaged, expected)))


def flip_repeatedly(unit: Unit, undamaged: Path, expected: Figures) -> Tally:
    chance = random.Random(unit.seed)
    for i in range(FLIPS_PER_UNIT):
        directory = copy_directory(undamaged, unit.directory / str(i))
        flipped = flip_a_byte(directory, chance)
        check_flipped(directory, flipped, expected)
        shutil.rmtree(directory)
    return Tally(cycles=FLIPS_PER_UNIT)


def copy_directory(undamaged: Path, to: Path) -> Path:
    shutil.copytree(undamaged, to)
    return to


@dataclass(frozen=True)
class FlippedByte:
    """The changed byte."""

    file: str
    offset: int
    before: int
    after: int


def flip_a_byte(directory: Path, chance: random.Random) -> FlippedByte:
    """Changes one byte: a random kind of file, a random file of it, a random byte."""
    kinds = [
        [path for path in sorted(directory.glob(pattern)) if path.stat().st_size > 0]
        for pattern in ("segments/*/*", "journal/*", "active/*", "*.db*")
    ]
    path = chance.choice(chance.choice([files for files in kinds if files]))
    content = bytearray(path.read_bytes())
    offset = chance.randrange(len(content))
    before = content[offset]
    content[offset] ^= chance.choice([1 << chance.randrange(8), chance.randrange(1, 256)])
    path.write_bytes(content)
    return FlippedByte(path.relative_to(directory).as_posix(), offset, before, content[offset])


def check_flipped(directory: Path, flipped: FlippedByte, expected: Figures) -> None:
    """Asserts that the damaged file is named or nothing differs; a segment affects only its own day."""
    figures = query_all_or_refusal(directory)
    if isinstance(figures, str):
        assert Path(flipped.file).name.partition("-")[0] in figures, (flipped, figures)
        assert not flipped.file.startswith("segments/"), (flipped, figures)
        return
    for name, answer in figures.answers.items():
        if isinstance(answer, str):
            assert answer.endswith(flipped.file), (flipped, name, answer)
            assert may_need(name, flipped.file), (flipped, name, answer)
        else:
            assert answer == expected.answers[name], (flipped, name)


def query_all_or_refusal(directory: Path) -> Figures | str:
    """Returns the answers of a service over this directory, or the reason why it does not start."""
    try:
        return query_all(directory)
    except (DataDamagedError, StoreOpenError) as error:
        return str(error)


def may_need(name: str, file: str) -> bool:
    """Returns whether a report may need a file; it needs a segment only if it covers the segment's day."""
    day = name.partition(" ")[2]
    return not file.startswith("segments/") or day in ("", "all") or f"/{day}/" in file
