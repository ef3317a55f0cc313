"""No status tells a caller where the data directory is: files are named within it."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from grpc_status import rpc_status
from pegcount.v1 import admin_pb2, records_pb2
from service import Service
from store_tests.store_fixtures import file_size_limit

from server_tests.example_requests import (
    ASK_ACTIVE,
    ASK_USAGE,
    ONE_CODE,
    active_record,
    call_record,
    changed,
    damage_segments,
)
from server_tests.refusal import of_status

_DIRECTORY = "tell-tale/of-the-directory"
Call = Callable[[Service], object]
Spoil = Callable[[Path], None]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a segment, active sessions and a code deck."""
    with Service(made(tmp_path / _DIRECTORY)) as service:
        service.write(call_record("c1"), active_record("a1"))
        service.admin.PutCodeDeck(ONE_CODE)
        service.store.flush()
    return tmp_path / _DIRECTORY


def made(directory: Path) -> Path:
    directory.parent.mkdir()
    return directory


def usage(service: Service) -> object:
    return service.reports.QueryAsrUsage(ASK_USAGE)


def write(service: Service) -> object:
    request = records_pb2.WriteRecordsRequest(records=[call_record("c9")])
    return list(service.records.WriteRecords(iter([request]), timeout=20))


def put_deck(service: Service) -> object:
    return service.admin.PutCodeDeck(ONE_CODE)


def set_retention(service: Service) -> object:
    return service.admin.SetRetention(
        admin_pb2.SetRetentionRequest(retention=admin_pb2.Retention(days=9_999))
    )


def ask_with_deck(service: Service) -> object:
    (deck,) = service.directory.glob("decks/*")
    deck.chmod(0o600)
    deck.write_bytes(b"")
    return service.reports.QueryActiveSessions(changed(ASK_ACTIVE, code_deck=ONE_CODE.id))


def segments_missing(directory: Path) -> None:
    for path in directory.glob("segments/*/*"):
        path.unlink()


def segments_cut(directory: Path) -> None:
    for path in directory.glob("segments/*/*"):
        os.truncate(path, 100)


def segments_changed(directory: Path) -> None:
    """Changes the content, not the length, as a failing disk does."""
    for path in directory.glob("segments/*/*"):
        content = bytearray(path.read_bytes())
        content[1_000:-1_000] = bytes(byte ^ 255 for byte in content[1_000:-1_000])
        with path.open("r+b") as file:
            file.write(content)


def journal_in_the_way(directory: Path) -> None:
    os.rename(directory / "journal", directory / "elsewhere")
    (directory / "journal").touch()


def new_catalogue_in_the_way(directory: Path) -> None:
    (directory / "catalog.tmp").mkdir()


def nothing(_: Path) -> None:
    pass


@contextlib.contextmanager
def on_a_full_disk() -> Iterator[None]:
    # Enough for what the test prints, less than a journal file with a batch, or than a catalogue.
    with file_size_limit(4_096):
        yield


CASES: dict[str, tuple[Spoil, Spoil, Call, list[str]]] = {
    "a segment with other content": (damage_segments, nothing, usage, ["DATA_DAMAGED"]),
    "a missing segment": (segments_missing, nothing, usage, ["DATA_DAMAGED"]),
    "a segment that was cut": (segments_cut, nothing, usage, ["DATA_DAMAGED"]),
    "a segment that fails its checksum": (segments_changed, nothing, usage, ["DATA_DAMAGED"]),
    "a journal that cannot be written, nor begun anew": (
        nothing,
        journal_in_the_way,
        write,
        ["STORE_READ_ONLY", "STORE_READ_ONLY"],
    ),
    "a code deck that fails its checksum": (nothing, nothing, ask_with_deck, ["DATA_DAMAGED"]),
}
"""What is done to the directory before and after it is opened, the call, and the reasons of such calls."""

FULL_DISK_CASES: dict[str, tuple[Spoil, Call]] = {
    "a batch": (nothing, write),
    "a code deck": (nothing, put_deck),
    "the limits of retention": (nothing, set_retention),
    "a new catalogue": (new_catalogue_in_the_way, put_deck),
}


@pytest.mark.parametrize("name", CASES)
def test_damage_is_named_within_the_directory(name: str, directory: Path) -> None:
    before, after, call, reasons = CASES[name]
    before(directory)
    with Service(directory) as service:
        after(directory)
        assert [reason_of_discreet_status(lambda: call(service)) for _ in reasons] == reasons


@pytest.mark.parametrize("name", FULL_DISK_CASES)
def test_a_full_disk_is_named_within_the_directory(name: str, directory: Path) -> None:
    spoil, call = FULL_DISK_CASES[name]
    with Service(directory) as service:
        spoil(directory)
        with on_a_full_disk():
            found = [reason_of_discreet_status(lambda: call(service)) for _ in range(3)]
    assert found == ["STORE_READ_ONLY"] * 3


def test_a_day_that_took_records_while_it_was_unreadable_is_named_within_the_directory(
    directory: Path,
) -> None:
    damage_segments(directory)
    for _ in range(2):
        with Service(directory) as service:
            service.write(call_record("c2"))
            service.store.flush()
            assert reason_of_discreet_status(lambda: usage(service)) == "DATA_DAMAGED"


def reason_of_discreet_status(call: Callable[[], object]) -> str:
    """Asserts that a status says nothing of the directory, and returns its reason."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    assert isinstance(raised.value, grpc.Call)
    status = rpc_status.from_call(raised.value)
    assert status is not None, raised.value
    parts = [raised.value.details() or "", status.message, *(str(detail.value) for detail in status.details)]
    print(status.message)
    for part in parts:
        assert "tell-tale" not in part
        assert "of-the-directory" not in part
    return of_status(status).info.reason
