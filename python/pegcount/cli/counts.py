"""Counts in sentences."""


def counted(count: int, noun: str) -> str:
    """Returns a count with its noun, which gets an `s` unless there is one of it.

    >>> counted(1, "record"), counted(1_204, "record")
    ('1 record', '1,204 records')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
