"""The mappings that come with Pegcount, and those of ten public shapes, each with a made-up file.

The expected figures were worked out by hand from the rows of the files.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from pegcount import core
from pegcount.config import Config
from pegcount.importers import (
    ImportCounts,
    ImportOptions,
    MappingFile,
    RejectsFile,
    import_file,
    prepared_files,
    read_mapping,
    shipped_mappings,
    shipped_names,
)
from pegcount.model import Measure, OneOf, Scan
from pegcount.store import EmbeddedStore
from pegcount.v1.records_pb2 import SessionRecord

from .reading import options, times

FILES = Path(__file__).with_name("mapped_files")
PUBLIC = Path(__file__).with_name("mapped_public")
SHAPES = Path(__file__).with_name("asterisk_shapes")
OTHER_SHAPES = {
    # asterisk-csv takes the uniqueid of members of a conference.
    "conference_of_ten": (1, 1, 598_000),
    "conference_of_three_in_pairs": (1, 1, 231_000),
    # It takes no far side whose uniqueid is not the linkedid; freepbx tells it by FreePBX's from-queue.
    "queue_call_transferred_by_its_caller": (1, 0, 0),
}
"""What freepbx makes of the shapes that it reads otherwise than asterisk-csv, as its comments say."""
# How a scan shows that a number is absent.
_ABSENT = -(2**63)


@dataclass(frozen=True)
class Expected:
    """What a file has in it."""

    rows: int
    """Rows but the header."""
    calls: int
    answered: int
    talk_ms: int
    setup: str
    """When the call of the first record began."""
    causes: dict[int | None, int] = field(default_factory=dict)
    """Calls by release cause; None if there is none."""
    skipped: int = 0
    rejected: int = 0
    zone: str = "UTC"


SHIPPED = {
    "3cx": Expected(
        # 60 s, 120 s of which the first were a queue's, 60 s.
        *(5, 5, 3, 240_000, "2026-03-10T08:00:00Z"),
        causes={None: 5},
    ),
    "3cx-v20": Expected(
        # A phone 60 s, a phone of a ring group 120 s, an IVR 30 s; neither a queue nor voicemail answers.
        *(10, 5, 3, 210_000, "2026-03-10T08:00:00.250101Z"),
        causes={None: 5},
        skipped=1,
    ),
    "cdr-stats": Expected(*(6, 6, 2, 180_000, "2026-03-10T08:00:00Z"), causes={16: 3, 17: 1, 19: 1, 38: 1}),
    "cgrates": Expected(
        # 60.25 s and 120 s; a row of another charger, twice, and a text message.
        *(6, 3, 2, 180_250, "2026-03-10T08:00:00Z"),
        causes={None: 3},
        skipped=3,
    ),
    "cisco-cucm": Expected(
        # 60 s; 85 s from the first answer to the end after a transfer; 10 s of consultation.
        *(8, 6, 3, 155_000, "2026-03-10T08:00:00Z"),
        causes={16: 2, 17: 1, 1: 1, None: 2},
        skipped=1,
    ),
    "freepbx": Expected(
        # 60 s, 120 s of a ring group of three phones, 30 s of an IVR; neither a queue nor voicemail answers.
        *(11, 8, 3, 210_000, "2026-03-10T08:00:00Z"),
        causes={16: 5, 17: 1, 19: 1, 38: 1},
        zone="Europe/Berlin",
    ),
    "kamailio": Expected(
        # 68.25 s and 125.5 s from the INVITE; the last row has no start.
        *(5, 4, 2, 193_750, "2026-03-10T08:00:00Z"),
        causes={None: 4},
        rejected=1,
    ),
    "opensips": Expected(
        # 60.25 s and 120 s; a BYE, and an INVITE without the flag cdr.
        *(7, 5, 2, 180_250, "2026-03-10T08:00:00Z"),
        causes={None: 5},
        skipped=2,
    ),
    "twilio": Expected(
        # 110 s from the answer of the dialled party; 30 s with Twilio itself. Two calls have not ended.
        # The caller whom nobody answered hung up on Twilio, which is cause 16.
        *(10, 6, 2, 140_000, "2026-03-10T08:00:00Z"),
        causes={16: 3, 17: 1, 19: 1, None: 1},
        skipped=2,
    ),
    "wazo": Expected(
        # 60.5 s and 120 s.
        *(5, 5, 2, 180_500, "2026-03-10T08:00:00.123456Z"),
        causes={None: 5},
    ),
}

MAPPED_PUBLIC = {
    "call_list": Expected(*(4, 4, 4, 1_785_000, "2026-03-10T05:10:20Z"), causes={None: 4}),
    "case_file": Expected(
        # 10:30 and 5:15; the last call ends before it begins, for all that the row says.
        *(3, 2, 2, 945_000, "2026-03-10T16:00:00Z"),
        causes={None: 2},
        rejected=1,
    ),
    "contacts": Expected(*(3, 3, 3, 638_250, "2026-03-10T08:15:30.250004Z"), causes={None: 3}),
    "dialler": Expected(*(4, 4, 3, 1_143_000, "2026-03-10T08:00:00Z"), causes={None: 4}),
    "epochs": Expected(*(3, 3, 2, 150_000, "2026-03-10T08:00:00Z"), causes={None: 3}),
    "graph": Expected(
        *(4, 3, 1, 900_000, "2026-03-10T08:25:07.250000Z"), causes={16: 1, 17: 1, 19: 1}, skipped=1
    ),
    "mobile": Expected(
        # An answered call without a duration cannot be counted.
        *(4, 3, 2, 222_000, "2026-03-10T08:00:00Z"),
        causes={None: 3},
        rejected=1,
    ),
    "operator": Expected(*(3, 2, 2, 240_000, "2026-03-10T01:20:30Z"), causes={None: 2}, skipped=1),
    "pbxware": Expected(*(3, 3, 1, 40_000, "2026-03-10T08:00:00Z"), causes={16: 1, 17: 1, 19: 1}),
    "phone_log": Expected(*(4, 4, 2, 361_000, "2026-03-10T05:07:09Z"), causes={None: 4}),
}


@dataclass(frozen=True)
class Imported:
    """What an import did: its counts, the records, and the figures that the store has then."""

    counts: ImportCounts
    records: list[SessionRecord]
    figures: tuple[int, int, int]
    """Calls, answered calls, and their milliseconds."""
    causes: dict[int | None, int]


class Places:
    """A store, and a source of its own in it for each import."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.store = EmbeddedStore(directory / "data", Config(), create=True)
        self._source_count = 0

    def imported(
        self, path: Path, zone: str, mapping: MappingFile | None, format_name: str = "mapped"
    ) -> Imported:
        """Imports a file under a new source."""
        self._source_count += 1
        given: ImportOptions = options(zone, f"s{self._source_count}", mapping=mapping)
        records: list[SessionRecord] = []
        submit = partial(self.store.submit, cancel_token=core.CancelToken(None))
        rejects = self._directory / f"{self._source_count}.rejects.csv"
        with (
            prepared_files([path], format_name, given) as (prepared,),
            RejectsFile(rejects, Config()) as opened,
        ):
            counts = import_file(
                prepared,
                format_name,
                given,
                submit,
                opened,
                lambda *_: None,
                Config(),
                lambda _, record: records.append(record),
            )
        return Imported(counts, records, self._figures(given.source), self._causes(given.source))

    def _figures(self, source: str) -> tuple[int, int, int]:
        ((calls, answered, talk_ms),) = self._sums(source, ()).values()
        return calls, answered, talk_ms

    def _causes(self, source: str) -> dict[int | None, int]:
        found = self._sums(source, ("disconnect_cause",))
        return {None if cause == _ABSENT else cause: sums[0] for (cause,), sums in found.items()}

    def _sums(self, source: str, keys: tuple[str, ...]) -> dict[tuple[int, ...], tuple[int, int, int]]:
        scan = Scan(None, (OneOf("source", (source,)),), keys, Measure("calls"))
        found = self.store.partials(scan, 1_000, core.CancelToken(None))
        columns = [key.tolist() for key in found.keys if not isinstance(key, tuple)]
        cells = zip(*columns, strict=True) if keys else [()]
        return {
            key: (sums[0], sums[1], sums[2]) for key, sums in zip(cells, found.sums.tolist(), strict=True)
        }


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    opened = Places(tmp_path_factory.mktemp("mapped"))
    yield opened
    opened.store.close()


def public_mapping(name: str) -> MappingFile:
    return read_mapping(PUBLIC / f"{name}.toml", lambda _: "")


def check(found: Imported, expected: Expected) -> None:
    counts = found.counts
    outcome = (counts.rows, counts.skipped, counts.rejected)
    assert outcome == (expected.rows, expected.skipped, expected.rejected)
    assert found.figures == (expected.calls, expected.answered, expected.talk_ms)
    assert times(found.records[0])[0] == expected.setup
    assert found.causes == expected.causes
    # Without a call that has no end: it would count as active for ever.
    assert all(record.HasField("end_time") for record in found.records)


def test_each_shipped_mapping_has_a_file_and_an_expectation() -> None:
    names = set(shipped_names())
    assert names == set(SHIPPED)
    assert names == {path.stem for path in FILES.iterdir()}


def test_each_public_mapping_has_a_file_and_an_expectation() -> None:
    assert {path.stem for path in PUBLIC.glob("*.toml")} == set(MAPPED_PUBLIC)
    assert {path.stem for path in PUBLIC.glob("*.csv")} == set(MAPPED_PUBLIC)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_mappings(name: str, places: Places) -> None:
    mapping = shipped_mappings()[name]
    check(places.imported(FILES / f"{name}.csv", SHIPPED[name].zone, mapping), SHIPPED[name])


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_mappings_say_what_they_are_for(name: str) -> None:
    assert shipped_mappings()[name].description


@pytest.mark.parametrize("name", SHIPPED)
def test_a_second_import_changes_no_figure(name: str, places: Places) -> None:
    """The ids and the parts of a row do not depend on when it is imported."""
    mapping, path = shipped_mappings()[name], FILES / f"{name}.csv"
    first, second = (places.imported(path, SHIPPED[name].zone, mapping) for _ in range(2))
    assert [(each.session_id, each.part) for each in first.records] == [
        (each.session_id, each.part) for each in second.records
    ]


def test_the_rule_of_a_mapping_is_the_same_in_every_process() -> None:
    """Otherwise, the store would refuse a second import into the same source."""
    program = (
        "from pegcount.importers import shipped_mappings\n"
        "from pegcount.importers.mapping.mapped_csv import call_rule\n"
        "print([call_rule(mapping) for mapping in shipped_mappings().values()])"
    )
    rules = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(rules) == 1
    assert "mapped by main_call_history_id in parts" in rules.pop()


@pytest.mark.parametrize("name", MAPPED_PUBLIC)
def test_public_mappings(name: str, places: Places) -> None:
    expected = MAPPED_PUBLIC[name]
    check(places.imported(PUBLIC / f"{name}.csv", expected.zone, public_mapping(name)), expected)


@pytest.mark.parametrize("name", MAPPED_PUBLIC)
def test_public_mappings_have_less_than_ten_lines(name: str) -> None:
    lines = (PUBLIC / f"{name}.toml").read_text().splitlines()
    assert sum(not line.startswith("#") for line in lines) < 10


def test_freepbx_makes_the_calls_of_asterisk_csv(places: Places) -> None:
    path, zone = FILES / "freepbx.csv", SHIPPED["freepbx"].zone
    mapped = places.imported(path, zone, shipped_mappings()["freepbx"])
    own = places.imported(path, zone, None, "asterisk-csv")
    assert (mapped.figures, mapped.causes) == (own.figures, own.causes)
    for record, same in zip(mapped.records, own.records, strict=True):
        # The number of a part is a hash of other cells.
        for each in (record, same):
            each.ClearField("source")
            each.ClearField("part")
        assert record == same


@pytest.mark.parametrize("path", sorted(SHAPES.glob("*.csv")), ids=lambda path: path.stem)
def test_freepbx_makes_the_calls_of_asterisk_csv_of_each_shape(
    path: Path, places: Places, tmp_path: Path
) -> None:
    as_freepbx = tmp_path / path.name
    as_freepbx.write_text(path.read_text().replace("start,", "calldate,", 1))
    mapped = places.imported(as_freepbx, "UTC", shipped_mappings()["freepbx"])
    own = places.imported(path, "UTC", None, "asterisk-csv")
    assert mapped.figures == OTHER_SHAPES.get(path.stem, own.figures)
    if path.stem not in OTHER_SHAPES:
        assert mapped.causes == own.causes


def test_freepbx_takes_a_transfer_by_the_caller_of_a_queue(places: Places, tmp_path: Path) -> None:
    """The half of a Local channel to a member of the queue dials in vain; it is not the far side."""
    shape = (SHAPES / "queue_call_transferred_by_its_caller.csv").read_text()
    file = tmp_path / "queue.csv"
    file.write_text(shape.replace("start,", "calldate,", 1).replace("@agents-1", "@from-queue-1"))
    assert places.imported(file, "UTC", shipped_mappings()["freepbx"]).figures == (1, 1, 80_000)


def test_causes_of_cucm_that_are_its_own_are_left_out(places: Places) -> None:
    found = places.imported(FILES / "cisco-cucm.csv", "UTC", shipped_mappings()["cisco-cucm"])
    # The call that a transfer split, its consultation, and the call after it.
    assert [record.disconnect_cause for record in found.records[4:]] == [0, 0, 16]
    assert [record.HasField("disconnect_cause") for record in found.records[4:]] == [False, False, True]


def test_the_other_party_of_an_incoming_call_is_the_caller(places: Places) -> None:
    found = places.imported(PUBLIC / "mobile.csv", "UTC", public_mapping("mobile"))
    parties = [(record.orig_src_party_id, record.term_dst_party_id) for record in found.records]
    assert parties == [
        ("02079460111", "02079460101"),
        ("02079460101", "02079460112"),
        ("02079460113", "02079460102"),
    ]


@pytest.mark.parametrize(
    ("usage", "rejected", "talk_ms"),
    [
        ("60250000000", 0, 180_250),
        # Seconds of the converter *duration_seconds, which would be nanoseconds.
        ("60.25", 1, 120_000),
        ("60", 1, 120_000),
    ],
)
def test_a_usage_of_cgrates_is_never_seconds_taken_for_nanoseconds(
    usage: str, rejected: int, talk_ms: int, places: Places, tmp_path: Path
) -> None:
    file = tmp_path / "cgrates.csv"
    file.write_text((FILES / "cgrates.csv").read_text().replace("1m0.25s", usage))
    found = places.imported(file, "UTC", shipped_mappings()["cgrates"])
    assert (found.counts.rejected, found.figures[2]) == (rejected, talk_ms)


def test_sip_statuses_of_opensips(places: Places) -> None:
    found = places.imported(FILES / "opensips.csv", "UTC", shipped_mappings()["opensips"])
    assert [record.sip_status for record in found.records] == [200, 486, 487, 404, 200]
    assert times(found.records[2]) == ["2026-03-10T08:06:00Z", "-", "2026-03-10T08:06:20Z"]


def test_prices(places: Places) -> None:
    rated = places.imported(FILES / "cgrates.csv", "UTC", shipped_mappings()["cgrates"])
    assert [record.customer_price for record in rated.records] == ["0.0251", "0", ""]
    stats = places.imported(FILES / "cdr-stats.csv", "UTC", shipped_mappings()["cdr-stats"])
    assert [record.vendor_price for record in stats.records if record.vendor_price] == ["0.01000", "0.02000"]
