"""Active rows have the fields that were asked for, and those alone."""

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest
from pegcount.v1 import reports_pb2
from pegcount_client.reports import (
    ActiveSessionRow,
    ActiveSessions,
)
from pegcount_client.requests import (
    RETURN_FIELDS,
)
from service import Service

from client_tests.asked_reports import active, present
from client_tests.report_records import ACTIVE_FIELDS, ODD_ID


def test_active_rows_have_the_fields_asked_for(records_service: Service) -> None:
    report, response = active(records_service)
    assert [vars(row) for row in report.rows] == [
        {
            "orig_clients_name": "Łódź",
            "quantity": 1,
            "equipment_id": ODD_ID,
            "session_setup_time": datetime(2026, 3, 30, 11, 59, 0, 1, tzinfo=UTC),
            "session_start_time": None,
            "duration": 0,
        },
        {
            "orig_clients_name": None,
            "quantity": 1,
            "equipment_id": 0,
            "session_setup_time": datetime(2026, 3, 30, 11, 58, tzinfo=UTC),
            "session_start_time": datetime(2026, 3, 30, 11, 58, 30, tzinfo=UTC),
            "duration": 90,
        },
    ]
    assert list(vars(report.rows[0])) == ACTIVE_FIELDS
    assert report.row_count == response.row_count == 2
    assert report.as_of == datetime(2026, 3, 30, 12, tzinfo=UTC)
    assert report.range.granularity is None
    assert (list(report.subtotals), report.total) == ([], None)


def test_active_rows_of_every_field(records_service: Service) -> None:
    report, response = active(records_service, return_fields=RETURN_FIELDS)
    for row, message in zip(report.rows, response.rows, strict=True):
        times = {
            name: None if text is None else datetime.fromisoformat(text)
            for name, text in present(message).items()
            if name.endswith("_time")
        }
        expected = {**present(message), **times}
        assert expected.pop("level") is None
        assert vars(row) == expected
    assert set(ActiveSessionRow.__annotations__) == set(present(response.rows[0]))


def test_a_field_that_was_not_asked_for_is_not_none(records_service: Service) -> None:
    row = active(records_service)[0].rows[0]
    with pytest.raises(
        AttributeError, match="the row has no orig_clients_id; next step: ask for it in return_fiel"
    ):
        _ = row.orig_clients_id
    with pytest.raises(AttributeError, match=r'unknown field "quantitiy"; did you mean "quantity"[?]'):
        _ = row.quantitiy  # type: ignore[attr-defined]
    assert not hasattr(row, "level")


def test_active_rollup(records_service: Service) -> None:
    fields = ["equipment_id", "session_id", "quantity"]
    report, response = active(records_service, return_fields=fields, grouping="rollup", order=[], limit=1)
    assert [row.session_id for row in report.rows] == ["talking"]
    assert [vars(row) for row in report.subtotals] == [
        {"equipment_id": 0, "session_id": None, "quantity": 1, "level": 1},
        {"equipment_id": ODD_ID, "session_id": None, "quantity": 1, "level": 1},
    ]
    assert len(response.subtotals) == 2
    assert report.total is not None
    assert vars(report.total) == {"equipment_id": None, "session_id": None, "quantity": 2}
    assert report.row_count == 2


def test_an_active_row_is_immutable_and_equal_by_value(records_service: Service) -> None:
    first, second = active(records_service)[0].rows
    with pytest.raises(FrozenInstanceError):
        first.quantity = 5
    with pytest.raises(FrozenInstanceError):
        del first.quantity
    again = active(records_service)[0].rows[0]
    assert (first, hash(first)) == (again, hash(again))
    assert first != second
    assert first != vars(first)
    assert repr(first).startswith(
        "ActiveSessionRow(orig_clients_name='Łódź', quantity=1, equipment_id=900719"
    )


def test_a_field_of_a_newer_server_is_not_dropped() -> None:
    response = reports_pb2.QueryActiveSessionsResponse()
    with pytest.raises(ValueError, match='unknown field of active sessions "orig_colour"'):
        ActiveSessions.from_response(response, ["orig_colour"])
