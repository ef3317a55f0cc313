"""What the errors about times and dates of requests suggest."""

import re
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pegcount import calendar
from pegcount.config import Config
from pegcount.errors import InvalidRequestError
from pegcount.request.validation import RequestValidator
from pegcount.time_text import REQUEST, read_time
from properties import budget

UTC = calendar.zone("UTC")
FIRST, LAST = datetime(1970, 1, 1), datetime(2199, 12, 31)
FORMS = {
    "{:%Y-%m-%d %H:%M:%S}": "{:%Y-%m-%dT%H:%M:%S}",
    "{:%Y-%m-%dT%H:%M}": "{:%Y-%m-%dT%H:%M}:00",
    "{:%Y/%m/%d}": "{:%Y-%m-%d}",
    "{:%Y%m%d}": "{:%Y-%m-%d}",
    "{0.year}-{0.month}-{0.day} {0.hour}:{0:%M}": "{:%Y-%m-%dT%H:%M}:00",
    "{:%Y-%m-%dt%H:%M:%Sz}": "{:%Y-%m-%dT%H:%M:%SZ}",
    "{:%Y-%m-%d %H:%M:%S GMT}": "{:%Y-%m-%dT%H:%M:%SZ}",
    "{:%Y-%m-%dT%H:%M:%S,5+0200}": "{:%Y-%m-%dT%H:%M:%S.5+02:00}",
    " {:%Y-%m-%d}": "{:%Y-%m-%d}",
}
"""Forms that requests do not accept, and what their errors suggest."""


def suggested(text: str, *, is_date: bool = False) -> str | None:
    """Returns what the error about a text suggests; fails if it is accepted."""
    validator = RequestValidator(Config(), lambda: None)
    assert UTC is not None
    validator.date("field", text) if is_date else validator.instant_us("field", text, UTC)
    with pytest.raises(InvalidRequestError) as caught:
        validator.raise_violations()
    found = caught.value.metadata.get("suggestion")
    ending = re.search(r'; did you mean "(.*)"\?$', str(caught.value))
    assert (ending[1] if ending else None) == found
    return found


def is_accepted(text: str, *, is_date: bool = False) -> bool:
    validator = RequestValidator(Config(), lambda: None)
    assert UTC is not None
    validator.date("field", text) if is_date else validator.instant_us("field", text, UTC)
    try:
        validator.raise_violations()
    except InvalidRequestError:
        return False
    return True


@budget.drawn(300)
@given(moment=st.datetimes(FIRST, LAST), form=st.sampled_from(list(FORMS)))
def test_a_near_form_leads_to_the_same_time(moment: datetime, form: str) -> None:
    found = suggested(form.format(moment))
    assert found == FORMS[form].format(moment)
    assert is_accepted(found)


@budget.drawn(300)
@given(moment=st.datetimes(FIRST, LAST))
def test_a_day_that_may_be_a_month_is_not_guessed(moment: datetime) -> None:
    found = suggested(f"{moment:%d.%m.%Y}")
    is_clear = moment.day > 12 or moment.day == moment.month
    assert found == (f"{moment:%Y-%m-%d}" if is_clear else None)


@budget.drawn(300)
@given(day=st.datetimes(FIRST, LAST))
def test_the_end_of_a_day_is_the_begin_of_the_next(day: datetime) -> None:
    assert suggested(f"{day:%Y-%m-%d}T24:00:00") == f"{day + timedelta(days=1):%Y-%m-%dT00:00:00}" or (
        day.year,
        day.month,
        day.day,
    ) == (2199, 12, 31)


@budget.drawn(300)
@given(seconds=st.integers(10**9, 7 * 10**9), unit=st.sampled_from([1, 1_000, 1_000_000]))
def test_a_unix_time_leads_to_the_same_second(seconds: int, unit: int) -> None:
    found = suggested(str(seconds * unit))
    assert found is not None
    assert read_time(found, REQUEST).us == seconds * 1_000_000


@budget.drawn(1_000)
@given(
    text=st.from_regex(
        r"[0-9]{1,4}[-/.]?[0-9]{1,2}[-/.]?[0-9]{1,4}([ Tt]+[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?"
        r" ?(z|Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)?)?",
        fullmatch=True,
    )
)
@example("9999-12-31 24:00:00")
@example("2199-12-31 24:00:00")
@example("31.12.9999")
@example("9" * 16)
def test_every_suggestion_is_accepted(text: str) -> None:
    for is_date in (False, True):
        if not is_accepted(text, is_date=is_date):
            found = suggested(text, is_date=is_date)
            assert found is None or is_accepted(found, is_date=is_date)


def test_a_long_text_is_not_looked_at() -> None:
    assert suggested("2026-10-05 00:00:00" + " " * 100) is None


@pytest.mark.parametrize("text", ["2026-10-05T09:00:00Z", "2026-10-05 09:00:00+02:00", "2026-10-05T24:00:00"])
def test_a_time_on_another_day_of_the_zone_suggests_no_date(text: str) -> None:
    assert suggested(text, is_date=True) is None
