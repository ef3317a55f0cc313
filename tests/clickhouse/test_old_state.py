"""A shard returns with an older state, or with a part twice: its figures would be wrong, and are refused."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pegcount.errors import DataDamagedError
from server_tests.example_requests import ASK_USAGE, call_record
from server_tests.refusal import refusal
from service import Service
from waiting import wait_until

from clickhouse.conftest import Drill
from clickhouse.rig import Rig
from clickhouse.test_two_servers import PLACE, OneCluster

RECORD_COUNT = 20


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path / "rig", shard_count=1) as rig:
        yield rig


def write(service: Service, name: str) -> None:
    service.write_all(call_record(f"{name}-{number}") for number in range(RECORD_COUNT))


def require_refusal(service: Service, drill: Drill, text: str) -> None:
    """Fails unless reports and batches say what is wrong, until the server is started again."""
    wait_until(lambda: service.store.write_fault not in (None, "shard 1 does not answer"), "the fault", 90.0)
    assert service.store.write_fault == (
        f"shard 1 {text} in its ledger of 2026-03-29: its operator has to restore it, or to restart this"
        " server, which goes on with what is there then"
    )
    found = refusal(lambda: service.reports.QueryAsrUsage(ASK_USAGE, timeout=30))
    drill.note(found.code.name, 0.0, f"{found.info.reason}: {found.message}")
    assert (found.code.name, found.info.reason) == ("DATA_LOSS", "DATA_DAMAGED")
    with pytest.raises(DataDamagedError):
        write(service, "late")


def test_a_shard_returns_with_an_older_copy_of_its_data(rig: Rig, tmp_path: Path, drill: Drill) -> None:
    stores = OneCluster(rig)
    (shard,) = rig.servers
    with Service(PLACE, stores=stores) as service:
        write(service, "kept")
        shard.kill()
        wait_until(lambda: service.store.write_fault is not None)
        shutil.copytree(shard.data, tmp_path / "copy", symlinks=True)
        shard.start()
        wait_until(lambda: service.store.write_fault is None)
        write(service, "lost")
        # The server looks at all commits once more when a shard is back.
        shard.kill()
        wait_until(lambda: service.store.write_fault is not None)
        shard.start()
        wait_until(lambda: service.store.write_fault is None)
        service.store.maintain()
        shard.kill()
        shutil.rmtree(shard.data)
        shutil.copytree(tmp_path / "copy", shard.data, symlinks=True)
        wait_until(lambda: service.store.write_fault is not None)
        shard.start()
        require_refusal(service, drill, "has commits up to 2 of 3")
    with Service(PLACE, stores=stores) as service:
        write(service, "lost")
        count = rig.ask(f"SELECT sum(sign) FROM {stores.database}.ledger WHERE state < 9")
        assert count == [f"{2 * RECORD_COUNT}\n"]


def test_a_part_is_attached_a_second_time(rig: Rig, drill: Drill) -> None:
    stores = OneCluster(rig)
    (shard,) = rig.servers
    with Service(PLACE, stores=stores) as service:
        write(service, "twice")
        (partition,) = shard.ask(
            f"SELECT DISTINCT partition_id FROM system.parts WHERE database = '{stores.database}'"
            " AND table = 'ledger' AND active"
        ).split()
        table = f"{stores.database}.ledger"
        shard.ask(f"ALTER TABLE {table} ATTACH PARTITION ID '{partition}' FROM {table}")
        shard.restart()
        require_refusal(service, drill, "has a commit twice")
