"""The reader that the tests check answers with."""

import pytest
from pegcount.v1 import reports_pb2
from strict_reader import require_each_field_once

USAGE, QUALITY = reports_pb2.QueryAsrUsageResponse, reports_pb2.QueryOriginationQualityResponse
RANGE = USAGE(range=reports_pb2.ResolvedRange(time_zone="UTC")).SerializeToString()
NOTICE = USAGE(notices=[reports_pb2.Notice(text="t")]).SerializeToString()
DATA = QUALITY(data=reports_pb2.OriginationQualityData(t=[1, 2])).SerializeToString()


def twice(message: bytes) -> bytes:
    """Returns the bytes of a message whose only field, a message of few bytes, has all of its bytes twice."""
    return message[:1] + bytes([2 * message[1]]) + 2 * message[2:]


def test_a_repeated_field_may_have_many_values() -> None:
    require_each_field_once(RANGE + NOTICE + NOTICE, USAGE.DESCRIPTOR)


@pytest.mark.parametrize("repeated", [RANGE + RANGE, twice(NOTICE)])
def test_a_singular_field_that_occurs_twice_is_refused(repeated: bytes) -> None:
    with pytest.raises(AssertionError, match="occurs twice"):
        require_each_field_once(repeated, USAGE.DESCRIPTOR)


def test_a_packed_column_in_two_parts_is_refused() -> None:
    with pytest.raises(AssertionError, match="occurs twice"):
        require_each_field_once(twice(DATA), QUALITY.DESCRIPTOR)


def test_an_unknown_field_and_a_cut_message_are_refused() -> None:
    for broken in (b"\xf8\x07\x01", RANGE[:-1]):
        with pytest.raises(AssertionError):
            require_each_field_once(broken, USAGE.DESCRIPTOR)
