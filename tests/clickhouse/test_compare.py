"""`pegcount compare` finds what differs between a directory and a cluster, and nothing else."""

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import seeds
from conformance.stores import EMBEDDED
from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.auth import Scope
from pegcount.cli import app
from pegcount.config import Config
from pegcount.server import now_us
from pegcount.store import Store
from pegcount.v1.records_pb2 import (
    SESSION_KIND_ASR,
    SESSION_KIND_CALL,
    SESSION_KIND_UNSPECIFIED,
    SessionRecord,
    WriteRecordsRequest,
)
from server_tests.example_requests import SETUP_S
from server_tests.keys import create
from service import Service
from typer.testing import CliRunner, Result

from clickhouse.rig import LONG, Rig
from clickhouse.stores import ClickHouseStores

QUESTION_COUNT = 1_000 if LONG else 40
RECORD_COUNT = 300
ATTEMPT_COUNT_MAX = 10
"""Seeds of questions of which one finds a record that differs; few questions may all be about others."""
KINDS = (*[SESSION_KIND_CALL] * 3, SESSION_KIND_ASR, SESSION_KIND_UNSPECIFIED)


def random_record(number: int, chance: Random) -> SessionRecord:
    """A record of any kind, one of nine of them active."""
    setup_s = SETUP_S - chance.randrange(5 * 86_400)
    record = SessionRecord(
        source="switch",
        session_id=f"s{number}",
        setup_time=Timestamp(seconds=setup_s, nanos=chance.randrange(10**6) * 1_000),
        kind=chance.choice(KINDS),
        account_id=str(chance.randrange(4)),
        app_id=chance.randrange(5),
        tenant_id=chance.randrange(3),
        company="acme",
        organization=chance.choice(("north", "south")),
        folder=chance.choice(("sales", "support")),
        agent_id=chance.choice(("", "a", "b")),
        orig_clients_id=chance.randrange(4),
        orig_dst_party_id=f"+4420794600{chance.randrange(10, 99)}",
        src_prefix_routing=chance.choice(("", "4420", "49")),
        customer_price=chance.choice(("", "0.1", "2.25")),
    )
    if chance.random() < 0.6:
        record.answer_time.FromSeconds(setup_s + 3)
    if chance.random() < 0.9:
        record.end_time.FromSeconds(setup_s + chance.randrange(4, 600))
    return record


def written(store: Store, records: list[SessionRecord]) -> None:
    store.write(WriteRecordsRequest(records=records).SerializeToString())


class Places:
    """The same records in a directory and in a cluster."""

    def __init__(self, rig: Rig, directory: Path) -> None:
        self._stores = ClickHouseStores(rig)
        self._place = directory / "of cluster"
        self.directory = directory / "data"
        chance = seeds.chance("records to compare")
        self.records = [random_record(number, chance) for number in range(RECORD_COUNT)]
        with_records = EMBEDDED.open(self.directory, Config(), now_us)
        written(with_records, self.records)
        with_records.close()
        self.write_to_cluster(self.records)
        self.url = self._stores.url(self._place)

    def write_to_directory(self, *records: SessionRecord) -> None:
        store = EMBEDDED.open(self.directory, Config(), now_us)
        written(store, [*records])
        store.close()

    def create_key(self) -> str:
        """Makes a credential in both stores, as a dual write has it there; returns its key."""
        first = EMBEDDED.open(self.directory, Config(), now_us)
        second = self._stores.open(self._place, Config(), now_us)
        issued = create(first, Scope.ROOT)
        second.put_credentials(first.credentials())
        first.close()
        second.close()
        return issued.key.text

    def write_to_cluster(self, records: list[SessionRecord]) -> None:
        store = self._stores.open(self._place, Config(), now_us)
        written(store, records)
        store.close()

    def call_in_the_middle(self) -> SessionRecord:
        """A call that ended without an answer, within the ranges of many questions."""
        ended = [each for each in self.records if each.HasField("end_time")]
        calls = [
            each for each in ended if each.kind == SESSION_KIND_CALL and not each.HasField("answer_time")
        ]
        calls.sort(key=lambda each: each.setup_time.seconds)
        return calls[len(calls) // 2]

    def remove(self) -> None:
        self._stores.remove(self._place)

    def compare(self, *more: str, seed: int = 1) -> Result:
        drawn = ["--questions", str(QUESTION_COUNT), "--seed", str(seed)]
        return CliRunner().invoke(app, ["compare", "--with", self.url, *drawn, *more])


@pytest.fixture
def places(cluster: Rig, tmp_path: Path) -> Iterator[Places]:
    places = Places(cluster, tmp_path)
    yield places
    places.remove()


def counted(result: Result) -> list[int]:
    return [int(count.replace(",", "")) for count in re.findall(r"asked, ([\d,]+) counted", result.stdout)]


def test_equal_records_give_equal_answers(places: Places) -> None:
    result = places.compare("--store", str(places.directory))
    assert result.exit_code == 0, result.output
    assert f"{QUESTION_COUNT:,} questions, seed 1: 0 answers differ" in result.stdout
    # Most questions must be about something.
    assert len(counted(result)) == 4
    assert all(count > QUESTION_COUNT / 16 for count in counted(result)), result.stdout


def test_a_server_is_asked_in_place_of_a_store(places: Places) -> None:
    with Service(places.directory, now_us=now_us()) as service:
        result = places.compare("--server", service.address, "--questions", "12")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("fault", ["missing", "changed"])
def test_one_record_that_differs_is_found(places: Places, fault: str) -> None:
    """The negative control: the cluster lacks one record of 301, or has one with another answer."""
    one = SessionRecord()
    one.CopyFrom(places.call_in_the_middle())
    if fault == "changed":
        one.revision = 2
        one.answer_time.FromSeconds(one.setup_time.seconds + 1)
    else:
        one.session_id = "missing"
    places.write_to_directory(one)
    for seed in range(1, ATTEMPT_COUNT_MAX + 1):
        result = places.compare("--store", str(places.directory), seed=seed)
        if result.exit_code != 0:
            break
    assert result.exit_code == 1, result.output
    assert re.search(rf"seed {seed}: [1-9]\d* answers differ", result.stdout)
    assert re.search(r"^Query\w+ '\{.*\}'\n  first:  .+\n  --with: .*$", result.stdout, re.MULTILINE)


@pytest.mark.parametrize("days", [-90, 30])
def test_records_before_and_after_all_of_the_cluster_are_compared(places: Places, days: int) -> None:
    """As if the old records had not been moved: the range was that of the records in the cluster."""
    one = random_record(RECORD_COUNT, Random(1))
    one.setup_time.FromSeconds(SETUP_S + days * 86_400)
    for time in (one.answer_time, one.end_time):
        time.FromSeconds(SETUP_S + days * 86_400 + 5)
    places.write_to_directory(one)
    result = places.compare("--store", str(places.directory), "--questions", "6")
    assert result.exit_code == 1, result.output


def test_stores_with_credentials_are_compared(places: Places, tmp_path: Path) -> None:
    """The own servers of the command asked for keys, which nothing could give them."""
    key = places.create_key()
    result = places.compare("--store", str(places.directory), "--questions", "4")
    assert result.exit_code == 0, result.output
    key_file = tmp_path / "key"
    key_file.touch(mode=0o600)
    key_file.write_text(key, encoding="utf-8")
    with Service(places.directory, now_us=now_us()) as service:
        place = ("--server", service.address, "--api-key-file", str(key_file))
        result = places.compare(*place, "--questions", "4")
    assert result.exit_code == 0, result.output


def test_what_cannot_be_compared_is_said(places: Places, tmp_path: Path) -> None:
    nothing = places.compare("--store", str(places.directory), "--from", "1990-01-01", "--to", "1990-01-02")
    assert nothing.exit_code == 2
    assert "no answer counted a call of the range, so nothing was compared" in nothing.stderr
    alone = CliRunner().invoke(app, ["compare", "--store", str(places.directory)])
    assert (alone.exit_code, alone.stderr) == (2, "pegcount: say what to compare with: --with DIR|URL\n")
    away = places.compare("--server", "127.0.0.1:1")
    assert away.exit_code == 2
