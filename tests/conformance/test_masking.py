"""What the text of `pegcount.store.interface` says of masking, asked of each store."""

from pegcount.model import Measure
from pegcount.privacy import Masking
from pegcount.v1.records_pb2 import SessionRecord

from conformance.test_contract import DAY_US, Place, place, record
from conformance.test_erasures import callers

__all__ = ["place"]

WHOLE = "+49 30 23125-001"
SHORT = "+49 30 23***-***"


def call(name: str, day: int, number: str = WHOLE) -> SessionRecord:
    """A call `day` days after today, which is one day after `SETUP_US`."""
    return record(name, (day + 1) * DAY_US, answer=1, end=5_000, orig_src_party_id=number)


def write_days(place: Place) -> None:
    place.write(call("a", -3), call("b", -2), call("c", -1))
    place.write(call("d", 0))


def masked(place: Place, after_days: int, keep_digits: int) -> list[str]:
    """Sets a masking, has it done, and returns the numbers by session id."""
    place.store.set_masking(Masking(after_days, keep_digits))
    place.maintain()
    assert place.store.masking_backlog() == 0
    return [number for _, number in callers(place)]


def test_a_new_store_masks_nothing(place: Place) -> None:
    assert (place.store.masking(), place.store.masking_backlog()) == (None, 0)


def test_numbers_of_days_before_the_last_ones_are_masked(place: Place) -> None:
    write_days(place)
    figures = place.cells(measure=Measure("calls"))
    assert masked(place, 2, 6) == [SHORT, SHORT, WHOLE, WHOLE]
    assert place.cells(measure=Measure("calls")) == figures
    place.reopen()
    assert place.store.masking() == Masking(2, 6)
    assert [number for _, number in callers(place)] == [SHORT, SHORT, WHOLE, WHOLE]


def test_texts_without_digits_and_addresses_are_masked(place: Place) -> None:
    place.write(
        record("a", -3 * DAY_US, end=1, orig_src_party_id="sip:anna@example.com", auth_orig_ip="192.0.2.7")
    )
    assert masked(place, 2, 6) == ["***:****@*******.***"]
    assert place.cells(keys=["auth_orig_ip"]) == [(0, "192.0.2.0", (1, 0, 0))]


def test_late_records_are_masked_and_what_comes_again_is_a_duplicate(place: Place) -> None:
    write_days(place)
    masked(place, 2, 6)
    place.write(call("late", -3))
    assert callers(place)[-1] == ("late", SHORT)
    for name, day in (("a", -3), ("late", -3), ("d", 0)):
        assert place.write(call(name, day)) == (0, 0, 1, [])


def test_fewer_digits_mask_again_and_more_bring_none_back(place: Place) -> None:
    write_days(place)
    masked(place, 2, 6)
    assert masked(place, 2, 8)[0] == SHORT
    assert masked(place, 3, 6) == [SHORT, SHORT, WHOLE, WHOLE]
    assert masked(place, 2, 0)[:2] == ["+** ** *****-***"] * 2
    place.store.set_masking(None)
    place.maintain()
    assert place.store.masking() is None
    place.write(call("late", -3))
    assert [number for _, number in callers(place)] == ["+** ** *****-***"] * 2 + [WHOLE] * 3


def test_a_day_that_ends_is_masked(place: Place) -> None:
    write_days(place)
    assert masked(place, 2, 6) == [SHORT, SHORT, WHOLE, WHOLE]
    for count in (3, 4, 4):
        place.now_us += DAY_US
        place.maintain()
        assert [number for _, number in callers(place)] == [SHORT] * count + [WHOLE] * (4 - count)
    place.reopen()
    assert [number for _, number in callers(place)] == [SHORT] * 4


def test_an_active_session_is_masked_as_well(place: Place) -> None:
    place.write(record("a", -3 * DAY_US, orig_src_party_id=WHOLE))
    assert masked(place, 2, 6) == [SHORT]
    place.write(record("a", -3 * DAY_US, answer=1, end=5_000, orig_src_party_id=WHOLE))
    place.reopen()
    assert callers(place) == [("a", SHORT)]
