"""Timestamps of the rows of files, in the forms in which switches and databases write them."""

from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.time_text import (
    POSTGRESQL,
    RFC_3339,
    SWITCH_LOG,
    ParsedTime,
    TimeForm,
    TimeTextError,
    has_form,
    read_time,
)
from pegcount.zone import Zone


def read_local_timestamp(name: str, text: str) -> ParsedTime:
    """Reads the local time that a switch logged; see `SWITCH_LOG`.

    Raises UnreadableRowError, naming the column, for any other text.
    """
    return _read(name, text, SWITCH_LOG)


def read_logged_timestamp(name: str, text: str) -> ParsedTime:
    """Reads the local time that a switch logged, or a time with an offset that PostgreSQL made of it.

    Raises UnreadableRowError, naming the column, for any other text.
    """
    form = SWITCH_LOG if is_local_timestamp(text) or not has_form(text, POSTGRESQL) else POSTGRESQL
    return _read(name, text, form)


def is_local_timestamp(text: str) -> bool:
    """Returns whether a text has the form of a local timestamp; its numbers may be out of range."""
    return has_form(text, SWITCH_LOG)


def read_rfc_3339(name: str, text: str, zone: Zone) -> int:
    """Returns the microseconds UTC of an RFC 3339 timestamp; one without an offset is local time.

    A local time that occurs twice means the earlier instant. Raises UnreadableRowError, naming the column,
    for any other text.
    """
    return _read(name, text, RFC_3339).instant_us(zone)


def read_postgres(name: str, text: str) -> ParsedTime:
    """Reads a timestamp that PostgreSQL printed; one without an offset is local.

    Raises UnreadableRowError, naming the column, for any other text.
    """
    return _read(name, text, POSTGRESQL)


def _read(name: str, text: str, form: TimeForm) -> ParsedTime:
    try:
        return read_time(text, form)
    except TimeTextError as error:
        raise UnreadableRowError(f"{name}: {text!r} {error}") from error
