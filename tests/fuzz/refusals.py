"""What a target allows besides success."""

from collections.abc import Iterator
from contextlib import contextmanager

_TEXT_CHARS_MAX = 10_000


@contextmanager
def may_refuse(kind: type[Exception]) -> Iterator[None]:
    """Lets its block end with an error of a kind, if its text is not longer than a page."""
    text = ""
    try:
        yield
    except kind as error:
        text = str(error)
    assert len(text) <= _TEXT_CHARS_MAX, text
