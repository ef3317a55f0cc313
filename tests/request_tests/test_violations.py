"""What an error keeps of a request: the first violations, and the beginning of long texts."""

import pytest
from pegcount import calendar
from pegcount.config import Config
from pegcount.errors import InvalidRequestError, quoted, shortened
from pegcount.request import active_query, folder_query, quality_query
from pegcount.v1.reports_pb2 import (
    GRANULARITY_DAY,
    DecimalFilter,
    QueryActiveSessionsRequest,
    QueryFolderStatsRequest,
    QueryOriginationQualityRequest,
)

from request_tests.refusals import check_refused

NOW_US = 1_774_872_000_000_000


def test_a_text_of_up_to_100_characters_is_repeated_in_full() -> None:
    assert (shortened("é" * 100), shortened("é" * 101)) == ("é" * 100, "é" * 97 + "...")
    assert (quoted("a'b"), quoted("\n" * 101)) == ('"a\'b"', "'" + r"\n" * 97 + "...'")


@pytest.mark.parametrize(("listed", "rest"), [(65, "; and 1 more violation"), (66, "")])
def test_further_violations_are_counted(listed: int, rest: str) -> None:
    names = ["x"] * 33
    request = QueryActiveSessionsRequest(return_fields=names, order=names)
    with pytest.raises(InvalidRequestError) as raised:
        active_query(request, Config(violation_count_max=listed))
    error = raised.value
    assert (len(error.violations), error.omitted_count) == (listed, 66 - listed)
    last = f"order[{listed - 34}]: 'x' is not a field of ActiveSessionRow, such as quantity"
    assert str(error).endswith(f"{last}{rest}")


LONG = "7" * 1_000_000
CUT = "7" * 97 + "..."


def test_no_violation_keeps_a_long_text() -> None:
    quality = QueryOriginationQualityRequest(
        account_id=LONG,
        from_time=LONG,
        to_time=LONG,
        time_zone=LONG,
        sampling=GRANULARITY_DAY,
        auth_orig_ip=LONG,
        customer_price=DecimalFilter(eq=LONG, gt="x" * 256),
    )
    zone = {"value": CUT, "tzdata_version": calendar.tzdata_version()}
    limit = {"asked": 1_000_000, "allowed": 256}
    expected: list[tuple[str, str, dict[str, object]]] = [
        ("time_zone", "UNKNOWN_TIME_ZONE", {**zone}),
        ("from_time", "MALFORMED_TIME", {"value": CUT}),
        ("to_time", "MALFORMED_TIME", {"value": CUT}),
        ("account_id", "TEXT_TOO_LONG", {**limit}),
        ("auth_orig_ip", "TEXT_TOO_LONG", {**limit}),
        ("customer_price.eq", "TEXT_TOO_LONG", {**limit}),
        ("customer_price.gt", "MALFORMED_DECIMAL", {"value": "x" * 97 + "..."}),
    ]
    descriptions = check_refused(lambda: quality_query(quality, Config()), expected)
    assert max(map(len, descriptions)) < 250


def test_names_and_dates_are_shortened() -> None:
    active = QueryActiveSessionsRequest(return_fields=[LONG, "quantity"], order=["duration", f"-{LONG}"])
    with pytest.raises(InvalidRequestError) as raised:
        active_query(active, Config())
    texts = [text for violation in raised.value.violations for text in violation.metadata.values()]
    assert {CUT, f"{CUT}, quantity"} < set(texts)
    assert max(map(len, (*texts, *raised.value.texts))) < 1_000
    folder = QueryFolderStatsRequest(company="a", organization="b", from_date=LONG)
    check_refused(
        lambda: folder_query(folder, Config()),
        [("from_date", "MALFORMED_DATE", {"value": CUT})],
    )
