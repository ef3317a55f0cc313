"""Counts of days and folders as a table whose cells are darker the greater they are."""

from collections.abc import Iterator, Mapping
from typing import Final

from rich.cells import cell_len

from pegcount.cli.report.figures import NO_TEXT, printable
from pegcount.cli.report.text_lines import padded_left, wrapped

_SHADES: Final = " ░▒▓█"
_GAP: Final = "  "


def heat_lines(counts: Mapping[tuple[str, str], int], width: int) -> Iterator[str]:
    """Yields the lines for counts by day and folder, none wider than `width` cells.

    Folders that do not fit beside each other follow in a table below.
    """
    days = sorted({day for day, _ in counts})
    folders = sorted({folder for _, folder in counts})
    day_width = max(map(cell_len, days))
    greatest = max(counts.values())
    texts = {place: f"{count:,} {_shade(count, greatest)}" for place, count in counts.items()}
    cell_width = max(cell_len(text) for text in texts.values())
    heading_width = max(cell_width, min(max(cell_len(_name(folder)) for folder in folders), 12))
    per_table = (width - day_width) // (heading_width + len(_GAP))
    if per_table == 0:
        for (day, folder), text in texts.items():
            yield from wrapped(f"{day} {_name(folder)}: {text}", width)
        return
    for first in range(0, len(folders), per_table):
        if first:
            yield ""
        shown = folders[first : first + per_table]
        yield from _heading_lines(shown, day_width, heading_width)
        for day in days:
            row = [padded_left(texts.get((day, folder), "-"), heading_width) for folder in shown]
            yield _GAP.join([day, *row])
    yield from wrapped(f"shades from 0 to {greatest:,} calls: {_SHADES[1:]}", width)


def _heading_lines(folders: list[str], day_width: int, width: int) -> Iterator[str]:
    columns = [wrapped(_name(folder), width) for folder in folders]
    height = max(map(len, columns))
    for number in range(height):
        texts = [
            lines[number - height + len(lines)] if number >= height - len(lines) else "" for lines in columns
        ]
        yield _GAP.join([" " * day_width, *(padded_left(text, width) for text in texts)])


def _name(folder: str) -> str:
    return printable(folder) or NO_TEXT


def _shade(count: int, greatest: int) -> str:
    """Returns the shade of a count, of three characters: blank for 0, the darkest for the greatest count."""
    place = -(-count * (len(_SHADES) - 1) // greatest) if greatest else 0
    return _SHADES[place] * 3
