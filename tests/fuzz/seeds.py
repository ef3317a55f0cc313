"""Writes the inputs from which a search begins: valid requests, files, tokens and texts.

cd tests && python -m fuzz.seeds
"""

import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.message import Message
from grpc_reflection.v1alpha import reflection_pb2
from pegcount.config import Config
from pegcount.importers import shipped_names, shipped_path
from pegcount.store import EmbeddedStore
from pegcount.v1 import admin_pb2, feed_health_pb2, records_pb2, reports_pb2, traffic_pb2
from security.token_attacks import RSA, SECRET_ISSUER, trusted_issuers
from server_tests.example_requests import ASK_ACTIVE, ASK_FOLDER, ASK_QUALITY, ASK_USAGE, ONE_CODE, changed
from service import NOW_US
from token_issuer import claims

from fuzz.call_targets import GROUPS, encoded, has_many, message_class
from fuzz.seed_records import batch, record
from fuzz.served import SCOPED_CALLERS
from fuzz.targets import CORPUS

_TESTS = Path(__file__).parents[1]
_SAMPLES = _TESTS.parent / "samples"
_CATALOGUE = _TESTS / "store_tests/formats/7/directory/catalog.db"
_SAMPLE_LINES = 12
_CALLERS = (0, 2, *SCOPED_CALLERS)
_SAMPLE_OF_FORMAT = {
    "asterisk-csv": "asterisk-master.csv",
    "freeswitch-csv": "freeswitch.csv",
    "freeswitch-json": "freeswitch.jsonl",
    "freeswitch-xml": "freeswitch.xml",
    "pegcount-csv": "pegcount.csv",
    "yeti-csv": "yeti.csv",
}
_FILTERED = changed(ASK_USAGE, granularity=reports_pb2.GRANULARITY_DAY, time_zone="Europe/Berlin")
_SCOPED_CREDENTIAL = admin_pb2.CreateCredentialRequest(
    name="n",
    scopes=["SCOPE_READ_REPORTS"],
    data_scope=admin_pb2.DataScope(
        tenant_id=[7],
        organization=[admin_pb2.OrganizationScope(company="acme", organization="north")],
        account_id=["a1"],
        source=["pbx"],
        hidden_metrics=[admin_pb2.METRIC_PRICE],
        shown_fields=["orig_src_party_id"],
    ),
    limits=admin_pb2.CredentialLimits(calls_per_second=5, write_streams=1),
)
_TRAFFIC = traffic_pb2.QueryTrafficRequest(
    from_time="2026-03-29",
    to_time="2026-03-30",
    time_zone="Europe/Berlin",
    granularity=reports_pb2.GRANULARITY_HOUR,
    metrics=[
        traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_CALLS),
        traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_NER, causes=[16, 17]),
        traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_PDD_PERCENTILE, percentile=95),
        traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_SHORT_CALLS, threshold_ms=6000),
        traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_REVENUE),
        traffic_pb2.MetricSpec(
            metric=traffic_pb2.TRAFFIC_METRIC_PEAK, occupancy=traffic_pb2.OCCUPANCY_SEIZED
        ),
        traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_PEAK_AT),
        traffic_pb2.MetricSpec(metric=traffic_pb2.TRAFFIC_METRIC_ERLANG),
    ],
    group_by=[
        traffic_pb2.GroupSpec(dimension=traffic_pb2.TRAFFIC_DIMENSION_DST_PREFIX, digits=4),
        traffic_pb2.GroupSpec(dimension=traffic_pb2.TRAFFIC_DIMENSION_WEEKDAY),
    ],
    filters=[
        traffic_pb2.TrafficFilter(
            dimension=traffic_pb2.TRAFFIC_DIMENSION_CAUSE,
            integers=[34],
            range=traffic_pb2.IntegerRange(low=16, high=31),
            absent=True,
        ),
        traffic_pb2.TrafficFilter(
            dimension=traffic_pb2.TRAFFIC_DIMENSION_ACCOUNT_ID,
            texts=["a1"],
            text=reports_pb2.TextFilter(starts_with="a"),
            negate=True,
        ),
    ],
    attempts=traffic_pb2.ATTEMPTS_ALL,
    top=traffic_pb2.TopSpec(metric=1, limit=3, other=True),
    compare=traffic_pb2.COMPARISON_WEEK,
    open_hours=traffic_pb2.OpenHours(
        weekdays=[1, 7], from_time="22:00", to_time="06:00", excluded_dates=["2026-12-25"]
    ),
)
_TIMES = (
    "yesterday",
    "monday 9:30",
    "2h ago",
    "2026-03-29",
    "29 mar 2026 10:00",
    "2026-03-29T10:00:00+02:00",
    "7d",
)


def write() -> None:
    """Writes the seeds of all targets; leaves what searches have added."""
    for target, inputs in _seeds():
        directory = CORPUS / target
        directory.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(inputs):
            (directory / f"seed-{number:02}").write_bytes(data)


def _seeds() -> Iterator[tuple[str, Iterable[bytes]]]:
    for target, methods in GROUPS.items():
        yield (
            target,
            [encoded(method, caller, *_requests(method)) for method in methods for caller in _CALLERS],
        )
    yield "metadata", [b"\1pegcount_1_2", b"\0Bearer a.b.c\n\2an id", b"\0Basic YTpi\n\1x\n\1y"]
    yield "token", _tokens()
    yield "token-config", [_token_config()]
    yield (
        "key-set",
        [json.dumps({"keys": [RSA.jwk()]}).encode(), b'{"keys": [{"kty": "EC", "crv": "P-256"}]}'],
    )
    yield "mapping-file", [shipped_path(name).read_bytes() for name in shipped_names()]
    yield (
        "import-mapped",
        [
            bytes([number]) + (_TESTS / "importer_tests" / "mapped_files" / f"{name}.csv").read_bytes()
            for number, name in enumerate(shipped_names())
        ],
    )
    for name, sample in _SAMPLE_OF_FORMAT.items():
        lines = (_SAMPLES / sample).read_bytes().splitlines(keepends=True)
        yield (
            f"import-{name}",
            [bytes([number]) + b"".join(lines[:_SAMPLE_LINES]) for number in (0, 1, 7, 30)],
        )
    yield "human-times", [text.encode() for text in _TIMES]
    yield from _core_seeds()


def _watch() -> Message:
    query = traffic_pb2.QueryTrafficRequest()
    query.CopyFrom(_TRAFFIC)
    for name in ("from_time", "to_time", "compare"):
        query.ClearField(name)
    query.granularity = reports_pb2.GRANULARITY_HOUR
    rule = traffic_pb2.AlertRule(
        metric=1, comparison="ALERT_COMPARISON_BELOW", threshold=40, least_denominator=5, bins=2
    )
    return traffic_pb2.WatchTrafficRequest(query=query, last_bins=24, interval_ms=1_000, rules=[rule])


def _requests(method: str) -> list[Message]:
    name = method.rpartition("/")[2]
    empty = message_class(method)()
    examples: dict[str, list[Message]] = {
        "QueryAsrUsage": [ASK_USAGE],
        "QueryActiveSessions": [ASK_ACTIVE],
        "QueryFolderStats": [ASK_FOLDER],
        "QueryOriginationQuality": [ASK_QUALITY],
        "QueryTraffic": [_TRAFFIC],
        "QueryFeedHealth": [feed_health_pb2.QueryFeedHealthRequest(sources=["pbx", ""], rejected_days=3)],
        "WatchTraffic": [_watch()],
        "PutCodeDeck": [ONE_CODE],
        "WriteRecords": [records_pb2.WriteRecordsRequest(records=map(record, range(3)))] * 2,
        "DeleteRecords": [admin_pb2.DeleteRecordsRequest(source="pbx", session_ids=["call-1"])],
        "CreateCredential": [_SCOPED_CREDENTIAL],
        "EraseParties": [admin_pb2.ErasePartiesRequest(parties=["+15550101", "+44 20 7946 0003"])],
        "LiftErasure": [admin_pb2.LiftErasureRequest(erasure_id=1)],
        "SetMasking": [admin_pb2.SetMaskingRequest(masking=admin_pb2.Masking(after_days=30, keep_digits=4))],
        "ListAuditEntries": [admin_pb2.ListAuditEntriesRequest(before_entry_id=9, limit=5)],
        "ServerReflectionInfo": [
            reflection_pb2.ServerReflectionRequest(list_services="*"),
            reflection_pb2.ServerReflectionRequest(file_containing_symbol="pegcount.v1.Scope"),
        ],
    }
    return examples.get(name, [empty, empty] if has_many(method) else [empty])


def _tokens() -> Iterator[bytes]:
    yield RSA.token(claims()).encode()
    yield b'{"alg":"HS256"}\n' + json.dumps(claims(iss=SECRET_ISSUER)).encode()
    yield b'{"alg":"HS256","kid":"rsa-1","crit":["b64"],"b64":false}\n' + json.dumps(claims()).encode()
    yield b'{"alg":"none"}\n' + json.dumps(claims(aud=["pegcount"], exp=1.5)).encode()


def _token_config() -> bytes:
    directory = Path(tempfile.mkdtemp())
    trusted_issuers(directory)
    return (directory / "tokens.toml").read_bytes()


_LOW_CARDINALITY = b"\x16LowCardinality(String)\1" + b"\0" * 8 + b"\6" + b"\0" * 6 + b"\2" + b"\0" * 7
_CELLS = (
    b"\6\1\3bin\6UInt32\1\0\0\0\x10disconnect_cause\5Int64\x10"
    + b"\0" * 7
    + b"\x0aaccount_id"
    + _LOW_CARDINALITY
    + b"\0\1a\1"
    + b"\0" * 7
    + b"\1"
    + b"".join(bytes([len(name)]) + name + b"\6UInt16\2\0" for name in (b"first", b"second", b"third"))
)
"""A block of one cell, as ClickHouse sends it."""


def _core_seeds() -> Iterator[tuple[str, Iterable[bytes]]]:
    yield "core-batch", [batch(1), batch(3)]
    yield "core-lists", [batch(2), _FILTERED.SerializeToString()]
    yield "core-blocks", [_CELLS, _CELLS * 2, b"\2\1\1a\4Int8\xff\1b\x0eFixedString(2)xy", b"\0\0"]
    yield "core-deck-request", [ONE_CODE.SerializeToString()]
    yield "core-deck-json", [b'[["49", "Germany", "DE"], ["1555", "Fiction", "US"]]', b"[]"]
    yield "core-filters", [bytes(range(256)), bytes(range(255, -1, -1)), b"\7\1\3\0\1\2acme" * 20]
    networks = (
        b"192.0.2.0/24\n192.0.2.7",
        b"::ffff:198.51.100.0/120\n198.51.100.9",
        b"2001:db8::/32\n2001:db8::1",
    )
    yield "core-network", networks
    yield "core-price", [b"0.0125", b"-12345.123456789", b"+1.50", b"9223372036.854775807"]
    yield "core-times", [b"\0" * 10, bytes(range(10)), b"\xff" * 10]
    yield "core-versions", [b"\1\0\0\0", bytes(range(64))]
    yield (
        "core-segment",
        [bytes([0x30 + file]) + b"\10\0\1\20\0\2" for file in range(6)] + [b"\x80", b"\x90\1\2\3"],
    )
    yield "core-summary", _summaries()
    yield from _journal_seeds()


def _summaries() -> list[bytes]:
    with sqlite3.connect(f"file:{_CATALOGUE}?mode=ro", uri=True) as catalogue:
        return [summary for (summary,) in catalogue.execute("SELECT summary FROM segments")]


def _journal_seeds() -> Iterator[tuple[str, Iterable[bytes]]]:
    directory = Path(tempfile.mkdtemp()) / "data"
    store = EmbeddedStore(directory, Config(), create=True, clock=lambda: NOW_US)
    store.write(batch(2))
    files = [path.read_bytes() for path in sorted((directory / "journal").iterdir())]
    store.close()
    files = [file.rstrip(b"\0") + b"\0" * 16 for file in files if len(file) > 100]
    yield "core-journal", [*files, *(file[:200] for file in files)]
    # The batch of the first frame: an Arrow stream begins with four bytes of ones.
    yield (
        "core-journal-batch",
        [file[file.index(b"\xff\xff\xff\xff") :] for file in files if b"\xff" * 4 in file],
    )


if __name__ == "__main__":
    write()
