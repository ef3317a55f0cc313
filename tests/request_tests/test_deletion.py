"""Validation of deletions."""

import pytest
from pegcount.config import Config
from pegcount.model import Deletion
from pegcount.request import check_lists, deletion, rule_id
from pegcount.v1.admin_pb2 import DeleteRecordsRequest, LiftDeletionRequest

from request_tests.refusals import Expected, check_refused, unknown_zone

CONFIG = Config(deletion_session_id_count_max=3)
HOUR_US = 3_600_000_000
MARCH_US = 1_774_742_400_000_000
"""2026-03-29T00:00:00Z."""
ALLOWED = "all, source, from_time, to_time, session_ids"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (DeleteRecordsRequest(all=True), Deletion()),
        (DeleteRecordsRequest(all=True, once=True, dry_run=True), Deletion(once=True)),
        (DeleteRecordsRequest(source=""), Deletion("")),
        (DeleteRecordsRequest(source="a", all=False), Deletion("a")),
        (DeleteRecordsRequest(from_time="2026-03-29"), Deletion(from_us=MARCH_US)),
        (
            DeleteRecordsRequest(to_time="2026-03-29T01:00:00", time_zone="Europe/Berlin"),
            Deletion(to_us=MARCH_US),
        ),
        (
            DeleteRecordsRequest(from_time="2026-03-29", to_time="2026-03-29T02:00:00+01:00"),
            Deletion(from_us=MARCH_US, to_us=MARCH_US + HOUR_US),
        ),
        (DeleteRecordsRequest(session_ids=["b", "a", "b"]), Deletion(session_ids=("b", "a"))),
    ],
)
def test_a_deletion_has_what_its_request_sets(request_: DeleteRecordsRequest, expected: Deletion) -> None:
    assert deletion(request_, CONFIG) == expected


REFUSED: dict[str, tuple[DeleteRecordsRequest, list[Expected]]] = {
    "nothing given": (DeleteRecordsRequest(), [("all", "REQUIRED_FIELD_MISSING", {})]),
    "a zone alone": (DeleteRecordsRequest(time_zone="UTC"), [("all", "REQUIRED_FIELD_MISSING", {})]),
    "not all": (DeleteRecordsRequest(all=False), [("all", "REQUIRED_FIELD_MISSING", {})]),
    "all of a source": (
        DeleteRecordsRequest(all=True, source=""),
        [("all", "CONFLICTING_FIELDS", {"allowed": ALLOWED})],
    ),
    "everything wrong": (
        DeleteRecordsRequest(
            all=True,
            source="s" * 257,
            from_time="now",
            to_time="1960-01-01",
            time_zone="Mars",
            session_ids=["", "ok", "é" * 129],
        ),
        [
            unknown_zone("Mars"),
            ("all", "CONFLICTING_FIELDS", {"allowed": ALLOWED}),
            ("source", "TEXT_TOO_LONG", {"asked": 257, "allowed": 256}),
            ("from_time", "MALFORMED_TIME", {"value": "now"}),
            ("to_time", "TIME_OUT_OF_RANGE", {"value": "1960-01-01"}),
            ("session_ids[0]", "REQUIRED_FIELD_MISSING", {}),
            ("session_ids[2]", "TEXT_TOO_LONG", {"asked": 258, "allowed": 256}),
        ],
    ),
    "an empty range": (
        DeleteRecordsRequest(from_time="2026-03-29", to_time="2026-03-29"),
        [("from_time", "EMPTY_RANGE", {"from_time": "2026-03-29", "to_time": "2026-03-29"})],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_all_violations_are_named_at_once(name: str) -> None:
    request, expected = REFUSED[name]
    check_refused(lambda: deletion(request, CONFIG), expected)


def test_the_text_names_the_way_to_delete_all_records() -> None:
    (text,) = check_refused(
        lambda: deletion(DeleteRecordsRequest(), CONFIG), [("all", "REQUIRED_FIELD_MISSING", {})]
    )
    names = "source, from_time, to_time, session_ids"
    assert text == f"is required if none of {names} is set: true deletes all records"


def test_session_ids_are_limited() -> None:
    request = DeleteRecordsRequest(session_ids=list("abcd"))
    limit: Expected = ("session_ids", "LIST_LIMIT_EXCEEDED", {"asked": 4, "allowed": 3})
    check_refused(lambda: check_lists(request, CONFIG), [limit])


def test_the_rule_to_lift_must_be_named() -> None:
    check_refused(lambda: rule_id(LiftDeletionRequest(), CONFIG), [("rule_id", "REQUIRED_FIELD_MISSING", {})])
    assert rule_id(LiftDeletionRequest(rule_id=0), CONFIG) == 0
