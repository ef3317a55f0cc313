"""Rejected rows, counted by the kind of their reason."""

import pytest
from pegcount.importers.reject_kinds import RejectKinds


def kinds_of(*reasons: str, count_max: int = 100) -> RejectKinds:
    """The kinds of rows that were rejected for these reasons, each in the line of its position."""
    kinds = RejectKinds(count_max)
    for line, reason in enumerate(reasons, 1):
        kinds.add("a.csv", line, reason)
    return kinds


@pytest.mark.parametrize(
    ("reasons", "shown"),
    [
        (("end_time is before answer_time",) * 2, "end_time is before answer_time"),
        (("rule 1 covers it; lift 1",) * 2, "rule 1 covers it; lift 1"),
        (("rule 1 covers it; lift 1", "rule 12 covers it; lift 12"), "rule … covers it; lift …"),
        (
            ("a row of 3 cells, the header 9", "a row of 4 cells, the header 9"),
            "a row of … cells, the header 9",
        ),
        (("start: 'x' is no time", "start: '2026-13-01 00:00' is no time"), "start: … is no time"),
        (("start: 'x' is no time", 'start: "it\'s" is no time'), "start: … is no time"),
        (("it is 7 s after 1,000.5", "it is 2026-03-10T09:00:00Z s after 8"), "it is … s after …"),
        (("'" + "x" * 41 + "' is no number",), "… is no number"),
        (("the caller's id isn't known",), "the caller's id isn't known"),
        (("answer: '+15550100' is no time",) * 2, "answer: '+155*****' is no time"),
        (("a: \"it's +15550100\"; b: '\\'15550100\"'",), "a: \"it's +155*****\"; b: '\\'155*****\"'"),
        (("answer: '+15550100 has no end\\",), "answer: '+155***** has no end\\"),
        (
            ("part: '15550100' is after 15550100 s",),
            "part: '155*****' is after 15550100 s",
        ),
    ],
)
def test_reasons_with_other_values_are_one_kind(reasons: tuple[str, ...], shown: str) -> None:
    (kind,) = kinds_of(*reasons).most_frequent()
    assert (kind.reason, kind.row_count) == (shown, len(reasons))
    assert (kind.first_file, kind.first_line) == ("a.csv", 1)


def test_the_most_frequent_kind_comes_first() -> None:
    found = kinds_of("a", "b is 1", "c", "b is 2", "c", "b is 3").most_frequent()
    assert [(kind.reason, kind.row_count, kind.first_line) for kind in found] == [
        ("b is …", 3, 2),
        ("c", 2, 3),
        ("a", 1, 1),
    ]


def test_kinds_beyond_the_limit_are_counted_together() -> None:
    kinds = kinds_of("a", "b", "c", "b", "d", count_max=2)
    assert [(kind.reason, kind.row_count) for kind in kinds.most_frequent()] == [("b", 2), ("a", 1)]
    assert kinds.row_count == 5


def test_a_long_reason_without_a_value_costs_little_time() -> None:
    """A pattern that looked back from each letter would take hours."""
    for reason in ("'" * 100_000 + "x" * 1_000_000 + '"', '"' + '\\"' * 1_000_000, "'" + "\\" * 999_999):
        (kind,) = kinds_of(reason).most_frequent()
        assert kind.row_count == 1
