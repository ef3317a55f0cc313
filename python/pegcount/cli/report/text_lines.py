"""Breaks texts into lines of a width in terminal cells, where some letters take two, without losing any."""

from rich.cells import cell_len, chop_cells


def wrapped(text: str, width: int) -> list[str]:
    """Returns the words of a text in lines of at most `width` cells, 2 or greater; cuts longer words.

    >>> wrapped("answered calls", 10)
    ['answered', 'calls']
    >>> wrapped("abcdefgh", 5)
    ['abcde', 'fgh']
    """
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= width:
            lines[-1] = joined
            continue
        pieces = chop_cells(word, width)
        if not lines[-1]:
            lines.pop()
        lines += pieces
    return lines


def padded_left(text: str, width: int) -> str:
    """Returns a text with blanks before it."""
    return " " * (width - cell_len(text)) + text


def padded_right(text: str, width: int) -> str:
    """Returns a text with blanks after it."""
    return text + " " * (width - cell_len(text))
