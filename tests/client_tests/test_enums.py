"""The enums of the client and the contract have the same names."""

from enum import StrEnum

import pytest
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from pegcount.v1 import feed_health_pb2, records_pb2, reports_pb2, traffic_pb2
from pegcount_client.enums import (
    Additivity,
    AlertComparison,
    AlertState,
    Attempts,
    Comparison,
    FeedFinding,
    Granularity,
    Grouping,
    NoticeCode,
    Occupancy,
    ReleaseParty,
    SessionEvent,
    SessionKind,
    TrafficDimension,
    TrafficMetric,
    member,
    member_of_number,
    number,
)

ENUMS = [
    (Additivity, traffic_pb2.Additivity, "ADDITIVITY_"),
    (AlertComparison, traffic_pb2.AlertComparison, "ALERT_COMPARISON_"),
    (AlertState, traffic_pb2.AlertState, "ALERT_STATE_"),
    (Attempts, traffic_pb2.Attempts, "ATTEMPTS_"),
    (FeedFinding, feed_health_pb2.FeedFinding, "FEED_FINDING_"),
    (Occupancy, traffic_pb2.Occupancy, "OCCUPANCY_"),
    (Comparison, traffic_pb2.Comparison, "COMPARISON_"),
    (TrafficDimension, traffic_pb2.TrafficDimension, "TRAFFIC_DIMENSION_"),
    (TrafficMetric, traffic_pb2.TrafficMetric, "TRAFFIC_METRIC_"),
    (Granularity, reports_pb2.Granularity, "GRANULARITY_"),
    (Grouping, reports_pb2.Grouping, "GROUPING_"),
    (NoticeCode, reports_pb2.NoticeCode, "NOTICE_CODE_"),
    (ReleaseParty, records_pb2.ReleaseParty, "RELEASE_PARTY_"),
    (SessionEvent, records_pb2.SessionEvent, "SESSION_EVENT_"),
    (SessionKind, records_pb2.SessionKind, "SESSION_KIND_"),
]


@pytest.mark.parametrize(("kind", "contract", "prefix"), ENUMS)
def test_an_enum_has_the_names_of_the_contract(
    kind: type[StrEnum], contract: EnumTypeWrapper, prefix: str
) -> None:
    numbers = {name.removeprefix(prefix): value for name, value in contract.items() if value != 0}
    assert {each.name: number(kind, each, what="it") for each in kind} == numbers
    assert all(each.name == each.value for each in kind)
    assert [member_of_number(kind, value) for value in numbers.values()] == list(kind)


def test_every_enum_of_the_contract_is_there() -> None:
    files = (feed_health_pb2, records_pb2, reports_pb2, traffic_pb2)
    names = {name for file in files for name in file.DESCRIPTOR.enum_types_by_name}
    in_answers_to_writers = {"RejectReason"}
    assert {kind.__name__ for kind, _, _ in ENUMS} == names - in_answers_to_writers


@pytest.mark.parametrize(
    "name", [Granularity.FIVE_MINUTES, "five_minutes", "FIVE_MINUTES", "GRANULARITY_FIVE_MINUTES"]
)
def test_a_member_goes_by_its_names(name: str) -> None:
    assert member(Granularity, name, what="granularity") is Granularity.FIVE_MINUTES
    assert number(Granularity, name, what="granularity") == reports_pb2.GRANULARITY_FIVE_MINUTES


def test_a_wrong_name_says_what_is_allowed() -> None:
    with pytest.raises(ValueError, match="sampling") as error:
        member(Granularity, "five minute", what="sampling")
    assert str(error.value) == (
        'unknown sampling "five minute"; did you mean "FIVE_MINUTES"? Allowed: MINUTE, FIVE_MINUTES,'
        " FIFTEEN_MINUTES, THIRTY_MINUTES, HOUR, DAY, WEEK, MONTH"
    )


def test_a_name_that_resembles_none_gets_no_suggestion() -> None:
    with pytest.raises(ValueError, match=r'^unknown kind "qqq"\. Allowed: CALL, ASR, TTS$'):
        member(SessionKind, "qqq", what="kind")


@pytest.mark.parametrize(
    "name", ["", "UNSPECIFIED", "GRANULARITY_UNSPECIFIED", "SESSION_KIND_ASR", "x" * 10_000]
)
def test_what_is_not_a_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="Allowed: MINUTE,") as error:
        number(Granularity, name, what="granularity")
    assert len(str(error.value)) < 300


def test_a_number_is_not_a_name() -> None:
    with pytest.raises(TypeError, match="granularity is a Granularity or its name, such as "):
        member(Granularity, 6, what="granularity")  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0, 99, -1])
def test_a_number_of_a_newer_server_is_shown_as_text(value: int) -> None:
    assert member_of_number(NoticeCode, value) == str(value)
