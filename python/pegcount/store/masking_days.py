"""Until which UTC day numbers of parties are masked; days are those since 1970-01-01."""

import logging
from datetime import date
from typing import Final

from pegcount.privacy import Masking
from pegcount.zone import US_PER_DAY

_LOG = logging.getLogger(__name__)

_EPOCH: Final = date(1970, 1, 1).toordinal()


def first_whole_day(masking: Masking, trusted_us: int) -> int:
    """Returns the first day whose numbers are kept whole, by a trusted time in microseconds UTC."""
    # Records are set up after 1970; a day is written as a date.
    return max(0, trusted_us // US_PER_DAY - masking.after_days + 1)


def first_whole_day_of_new(
    masking: Masking, trusted_us: int, present: Masking | None, present_day: int
) -> int:
    """Returns the first whole day of a masking that takes the place of another one, or of none."""
    day = first_whole_day(masking, trusted_us)
    if present is not None and present.after_days == masking.after_days:
        return max(day, present_day)
    return day


def moved_whole_day(masking: Masking, trusted_us: int, present_day: int) -> int | None:
    """Returns the first whole day if the trusted time has moved it, and logs if it went back."""
    day = first_whole_day(masking, trusted_us)
    if present_day > day + 1:
        # What was masked by the wrong clock stays so; what arrives from now on goes by the right one.
        first = date.fromordinal(_EPOCH + day)
        _LOG.warning("numbers from %s on are kept whole again, which a wrong clock had masked", first)
    return day if present_day < day or present_day > day + 1 else None


def log_masking(masking: Masking | None) -> None:
    """Logs a masking that was set."""
    if masking is None:
        _LOG.info("numbers of parties are masked no more")
    else:
        days, digits = masking.after_days, masking.keep_digits
        _LOG.info("numbers of parties are masked after %d days, but for %d digits", days, digits)
