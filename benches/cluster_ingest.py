"""Durable records per second of a server over a ClickHouse cluster, with the processor time of both sides.

Sends records with all fields and random ids to `pegcount serve --store`, over gRPC. Before those that are
measured, the days get as many others as asked for, by copies of some of them that the servers make.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from full_records import Switch, message
from ingest_feed import write_batches
from pegcount import core
from pegcount.store.clickhouse.tables import schema
from pegcount.store.clickhouse.tables.ledger_table import OF_RECORDS
from pegcount.store.clickhouse.wire.address import ClusterAddress
from pegcount.store.clickhouse.wire.cluster import Cluster
from pegcount.store.clickhouse.wire.form import Query
from pegcount.v1.records_pb2 import WriteRecordsRequest
from pegcount.zone import US_PER_DAY
from server_process import ServerProcess, running_program
from traffic import FROM_US

CLIENT = Path(__file__).with_name("ingest_client.py")
TEMPLATE_COUNT = 20_000
SECONDS_MAX = 3_600.0
IDLE_SECONDS = 5.0
NO_LIMIT = core.CancelToken(None)
COPIED_COUNT = 50_000
"""Records that are sent to be copied."""
COUNT = Query(f"SELECT sum(sign) FROM ledger WHERE {OF_RECORDS}")
COPIES = f"""
INSERT INTO ledger
SELECT ledger.* REPLACE (rand64(copy.number) AS key_hash, toString(generateUUIDv4(copy.number)) AS session_id,
  toString(generateUUIDv4(copy.number + 1)) AS orig_leg_id,
  toString(generateUUIDv4(copy.number + 2)) AS term_leg_id)
FROM ledger CROSS JOIN numbers({{copies:UInt64}}) AS copy WHERE {OF_RECORDS}
"""


def main() -> None:
    """Creates the database, fills it, and prints what the measured records cost."""
    options = _options()
    if options.check and "debug" in core.core_version():
        sys.exit("this is a debug build, whose figures say nothing; --no-check runs it nevertheless")
    cluster = Cluster(ClusterAddress.parse(options.store), 600.0)
    schema.create(cluster)
    templates = list(Switch(1).rows(TEMPLATE_COUNT))
    with running_program(
        "-m", "pegcount", "serve", "--store", options.store, "--listen", "127.0.0.1:0"
    ) as server:
        if options.before:
            _sent(server, _batches(templates, COPIED_COUNT, options), options)
            for shard in cluster.shards:
                shard.run(COPIES, NO_LIMIT, {"param_copies": options.before // COPIED_COUNT})
        before = _record_count(cluster)
        print(f"{before:,} records in {options.days} days on {len(cluster.shards)} shards before")
        _measure(server, templates, options)
    assert _record_count(cluster) == before + options.records
    cluster.close()


def _record_count(cluster: Cluster) -> int:
    return sum(int(shard.rows(COUNT, NO_LIMIT)[0][0]) for shard in cluster.shards)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", required=True, help="clickhouse://HOST:PORT/DATABASE, which must be new")
    parser.add_argument("--records", type=int, default=500_000)
    parser.add_argument("--before", type=int, default=0, help="records that the same days have before")
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--batch", type=int, default=5_000, help="records of a batch")
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=6, help="batches on the way of a stream")
    parser.add_argument(
        "--process", type=int, action="append", default=[], help="of ClickHouse, for its time"
    )
    parser.add_argument("--no-check", dest="check", action="store_false", help="also with a debug build")
    return parser.parse_args()


def _batches(
    templates: list[dict[str, object]], record_count: int, options: argparse.Namespace
) -> Iterator[bytes]:
    """Requests with records like the templates, of other sessions."""
    rows = (templates[number % len(templates)] for number in range(record_count))
    number = 0
    while chunk := list(islice(rows, options.batch)):
        request = WriteRecordsRequest()
        for row in chunk:
            setup_us = FROM_US + number % options.days * US_PER_DAY + number * 7_919 % US_PER_DAY
            shift_us = setup_us - int(str(row["setup_time"]))
            times: dict[str, object] = {
                name: int(str(row[name])) + shift_us
                for name in ("setup_time", "answer_time", "end_time")
                if name in row
            }
            ids = {name: f"{uuid.uuid4()}@198.51.100.7" for name in ("orig_leg_id", "term_leg_id")}
            request.records.append(message({**row, **times, **ids, "session_id": str(uuid.uuid4())}))
            number += 1
        yield request.SerializeToString()


def _sent(server: ServerProcess, batches: Iterator[bytes], options: argparse.Namespace) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "batches"
        write_batches(list(batches), file)
        command = [sys.executable, str(CLIENT), server.address, str(file)]
        command += [str(options.streams), str(options.in_flight)]
        process = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=SECONDS_MAX)
    report: dict[str, object] = json.loads(process.stdout)
    return report


def _measure(server: ServerProcess, templates: list[dict[str, object]], options: argparse.Namespace) -> None:
    records, batches = options.records, list(_batches(templates, options.records, options))
    processes = [server, *(ServerProcess("", pid) for pid in options.process)]
    before = [each.cpu_seconds() for each in processes]
    time.sleep(IDLE_SECONDS)
    idle = [each.cpu_seconds() for each in processes]
    report = _sent(server, iter(batches), options)
    after = [each.cpu_seconds() for each in processes]
    seconds, waits = float(str(report["seconds"])), report["acknowledged_seconds"]
    assert report["accepted"] == records, report
    assert isinstance(waits, list)
    # What an idle server does would count the more, the busier the machine is.
    ours, *theirs = [
        end - begin - (begin - earlier) / IDLE_SECONDS * seconds
        for earlier, begin, end in zip(before, idle, after, strict=True)
    ]
    size = sum(map(len, batches)) // records
    print(f"{records:,} records of {size} bytes in {seconds:.1f} s, load {os.getloadavg()[0]:.0f}")
    print(f"a batch took {statistics.median(waits):.2f} s, at most {max(waits):.2f} s")
    print(f"processor time of a record: {1e6 * ours / records:.1f} us of the server,", end=" ")
    print(f"{1e6 * sum(theirs) / records:.1f} us of ClickHouse")
    print(f"{records / (ours + sum(theirs)):,.0f} records/s per core of both")


if __name__ == "__main__":
    main()
