"""Evidence of the zone of local times in rows that have a Unix time, too."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pegcount.calendar import zones_with_offsets
from pegcount.cli.import_zone import check_zone
from pegcount.errors import ImportFileError
from pegcount.importers import ImportOptions, prepared_files, tracked
from pegcount.importers.zone_evidence import ZoneEvidence

from .reading import get_zone, options
from .test_asterisk_calls import call_row

NOON_S = 1_773_144_000
"""2026-03-10T12:00:00Z."""
DAY_S = 86_400
HOUR_S = 3_600


def evidence(*rows: tuple[int, int]) -> ZoneEvidence:
    """Evidence of rows, each with the Unix time of its channel and the difference of its local start."""
    found = ZoneEvidence()
    for created_s, lateness_s in rows:
        local = datetime.fromtimestamp(created_s + lateness_s, UTC)
        found.take(local.strftime("%Y-%m-%d %H:%M:%S"), created_s)
    return found


@pytest.mark.parametrize(
    ("rows", "contradicts", "supports"),
    [
        ([], False, False),
        ([(NOON_S, 0)], False, True),
        ([(NOON_S, 2), (NOON_S, 500)], False, True),
        ([(NOON_S, 3)], False, False),
        ([(NOON_S, 3 * HOUR_S)], True, False),
        ([(NOON_S, -5 * HOUR_S)], True, False),
        ([(NOON_S, 5 * HOUR_S + 1800), (NOON_S + 60, 5 * HOUR_S + 1845)], True, False),
        ([(NOON_S, 900 + 2)], True, False),
        ([(NOON_S, 900 - 2)], True, False),
        ([(NOON_S, 900 + 3)], False, False),
        # One call came late on its channel, the other shows the offset.
        ([(NOON_S, HOUR_S), (NOON_S + 60, 7)], False, False),
        ([(NOON_S, 2 * HOUR_S + 99), (NOON_S + 60, 2 * HOUR_S + 1)], True, False),
        # A single day is enough to let the file pass.
        ([(NOON_S, HOUR_S), (NOON_S + DAY_S, 0), (NOON_S + 2 * DAY_S, HOUR_S)], False, True),
        ([(NOON_S, HOUR_S), (NOON_S + DAY_S, 40)], False, False),
        ([(NOON_S, HOUR_S), (NOON_S + DAY_S, 2 * HOUR_S)], True, False),
    ],
)
def test_the_least_difference_of_each_day_decides(
    rows: Sequence[tuple[int, int]], contradicts: bool, supports: bool
) -> None:
    for order in (rows, rows[::-1]):
        found = evidence(*order)
        utc = get_zone("UTC")
        assert (found.contradicts(utc), found.supports(utc)) == (contradicts, supports)


def test_the_right_zone_is_supported_across_its_clock_changes() -> None:
    """From 28 to 30 March 2026, over the change of Berlin on the 29th, a row each hour."""
    start = datetime(2026, 3, 28, tzinfo=UTC)
    berlin = get_zone("Europe/Berlin")
    rows = []
    for hour in range(72):
        created_s = int((start + timedelta(hours=hour)).timestamp())
        rows.append((created_s, berlin.offset_s_at(created_s * 1_000_000) + hour % 3))
    found = evidence(*rows)
    assert (found.supports(berlin), found.contradicts(berlin)) == (True, False)
    assert found.contradicts(get_zone("UTC"))
    assert found.contradicts(get_zone("Asia/Kolkata"))
    assert "Europe/Berlin" in zones_with_offsets(found.offsets_s, 5)
    assert "Africa/Lagos" not in zones_with_offsets(found.offsets_s, 99)


@pytest.mark.parametrize(
    "start",
    [
        *("2026-03-10 15:00:00", "2026-03-10 15:00:00.25", "2026/3/10 15:00", "2026-3-10 15:00:00"),
        "2026/03/10 15:00:00",
    ],
)
def test_all_forms_of_local_times_are_evidence(start: str) -> None:
    found = ZoneEvidence()
    for _ in range(2):
        found.take(start, NOON_S)
        assert (found.contradicts(get_zone("UTC")), found.day_count) == (True, 1)
    assert found.offsets_s == [(NOON_S, 3 * HOUR_S)]


@pytest.mark.parametrize(
    "start", ["", "soon", "2026-03-10 15:00:00+03", "2026-02-30 15:00:00", "2026-03-10 15:00:xx"]
)
def test_other_texts_are_no_evidence(start: str) -> None:
    found = ZoneEvidence()
    found.take(start, NOON_S)
    assert found.day_count == 0
    found.take("2026-03-10 15:00:00", NOON_S)
    found.take(start, NOON_S + 60)
    assert found.day_count == 1


def east_rows(offset_s: int, uniqueid: str = "{}.7") -> str:
    """Three calls, of which the first two came late on their channels."""
    rows = []
    for created_s, late_s in ((NOON_S, 25), (NOON_S + 100, 4), (NOON_S + 200, 0)):
        local = datetime.fromtimestamp(created_s + offset_s + late_s, UTC)
        start, answer, end = (
            (local + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S") for seconds in (0, 5, 125)
        )
        rows.append(call_row(start=start, answer=answer, end=end, uniqueid=uniqueid.format(created_s)))
    return "".join(rows)


def checked(path: Path, given: ImportOptions, is_given: bool) -> list[str]:
    with prepared_files([path], "asterisk-csv", given) as files:
        return check_zone(files, tracked(given.zone), is_given)


@pytest.mark.parametrize("calls", ["auto", "linkedid", "uniqueid", "rows"])
@pytest.mark.parametrize("uniqueid", ["{}.7", "pbx1-{}.7"])
@pytest.mark.parametrize(
    ("offset_s", "said"),
    [
        (3 * HOUR_S, r"a clock at UTC\+03:00, as in Europe/Istanbul or Europe/Moscow; give its --time-zone"),
        (-5 * HOUR_S, r"a clock at UTC-05:00, as in America/Chicago or America/Bogota; give"),
        (5 * HOUR_S + 1800, r"a clock at UTC\+05:30, as in Asia/Kolkata; give"),
        (900, r"a clock at UTC\+00:15; give"),
    ],
)
def test_a_file_of_another_zone_is_refused_unless_a_zone_is_given(
    offset_s: int, said: str, uniqueid: str, calls: str, tmp_path: Path
) -> None:
    path = tmp_path / "east.csv"
    path.write_text(east_rows(offset_s, uniqueid))
    given = options(asterisk_calls=calls)
    with pytest.raises(ImportFileError, match=f"east.csv: on its only day, .*{said}"):
        checked(path, given, is_given=False)
    # --time-zone UTC takes the times as they are, and says what speaks against it.
    (sentence,) = checked(path, given, is_given=True)
    assert sentence.endswith(", but --time-zone is UTC")


def test_rows_of_the_usual_zone_beside_later_ones_let_a_file_pass(tmp_path: Path) -> None:
    path = tmp_path / "mixed.csv"
    path.write_text(east_rows(3 * HOUR_S) + east_rows(0))
    assert checked(path, options(), is_given=False) == []


def test_a_zone_that_was_given_is_compared(tmp_path: Path) -> None:
    path = tmp_path / "east.csv"
    path.write_text(east_rows(3 * HOUR_S))
    assert checked(path, options("Asia/Riyadh"), is_given=True) == []
    (sentence,) = checked(path, options("Europe/Berlin"), is_given=True)
    assert "a clock at UTC+03:00" in sentence
    assert sentence.endswith("but --time-zone is Europe/Berlin")


def test_rows_without_a_unix_time_show_nothing(tmp_path: Path) -> None:
    path = tmp_path / "east.csv"
    path.write_text(east_rows(3 * HOUR_S, "a-{}"))
    assert checked(path, options(), is_given=False) == []
