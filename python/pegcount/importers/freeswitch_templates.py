"""Lines of FreeSWITCH's `mod_cdr_csv` as rows, by the templates that its configuration comes with.

The module writes texts as they are, so that a caller's name with a quote or a comma makes its line invalid
CSV. The texts that the switch made then show which cells are which: the times, the hangup cause, and
the ids of the legs.
"""

import re

from pegcount.importers.csv_rows import split_row
from pegcount.importers.parsed_line import UnreadableRowError

Row = dict[str, str]
"""Texts of a row by the name of the channel variable."""

_EXAMPLE = (
    *("caller_id_name", "caller_id_number", "destination_number", "context"),
    *("start_stamp", "answer_stamp", "end_stamp", "duration", "billsec", "hangup_cause"),
    *("uuid", "bleg_uuid", "accountcode", "read_codec", "write_codec"),
)
_ASTERISK = (
    *("accountcode", "caller_id_number", "destination_number", "context", "caller_id"),
    *("channel_name", "bridge_channel", "last_app", "last_arg"),
    *("start_stamp", "answer_stamp", "end_stamp", "duration", "billsec", "hangup_cause"),
    *("amaflags", "uuid", "userfield"),
)
_EXAMPLE_START, _ASTERISK_START = _EXAMPLE.index("start_stamp"), _ASTERISK.index("start_stamp")
_EXAMPLE_BY_COUNT = {13: "default or sql", 15: "example", 17: "linksys", 19: "an older snom", 20: "snom"}
"""Templates that begin with the cells of `example`, by their number of cells; default lacks the codecs."""
TEMPLATE_BY_COUNT = _EXAMPLE_BY_COUNT | {len(_ASTERISK): "asterisk"}
"""All templates that are read, by their number of cells."""
_OPENCDRRATE_COUNT = 13
_OPENCDRRATE_DIRECTION = 2

_SQL = re.compile(r"INSERT INTO [^()]+ VALUES ?\((.*)\);?\s*", re.IGNORECASE)
_SEPARATOR = re.compile(r'" ?, ?"')
_STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"
_TIMES = re.compile(rf',"({_STAMP})","({_STAMP}|)","({_STAMP})","([0-9]+)","([0-9]+)","([A-Z][A-Z0-9_]*)",')
_TIMES_NAMES = _EXAMPLE[_EXAMPLE_START : _EXAMPLE_START + 6]
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# Cells after the hangup cause.
_ASTERISK_TAIL_COUNT = 3


def read_row(text: str) -> Row:
    """Returns the texts of a line in one of the templates.

    Raises UnreadableRowError for any other line, naming the template if it lacks what a call needs.
    """
    if text[:1] in ("I", "i") and (statement := _SQL.fullmatch(text)):
        text = statement[1].replace("'", '"') if statement[1].startswith("'") else statement[1]
    try:
        cells = split_row(text)
    except UnreadableRowError:
        row = _row_around_times(text)
        if row is None:
            raise
        return row
    return _sound_row(cells) or _row_around_times(text) or _unusual_row(cells)


def _sound_row(cells: list[str]) -> Row | None:
    """Returns the row of cells whose times stand where a template has them."""
    if len(cells) in _EXAMPLE_BY_COUNT and _has_times(cells, _EXAMPLE_START):
        return dict(zip(_EXAMPLE, cells, strict=False))
    if len(cells) == len(_ASTERISK) and _has_times(cells, _ASTERISK_START):
        # A name with five commas moves the cells of the template default there, too.
        is_moved = _UUID.fullmatch(cells[_ASTERISK.index("amaflags")])
        return None if is_moved else dict(zip(_ASTERISK, cells, strict=True))
    return None


def _has_times(cells: list[str], start: int) -> bool:
    """Returns whether cells look like a time, a duration and a cause; their user reads them in full."""
    return cells[start][:4].isdecimal() and cells[start + 3].isdecimal() and cells[start + 5].isupper()


def _row_around_times(text: str) -> Row | None:
    """Returns the row of a line whose other texts have quotes or commas, None without times.

    The texts from the start to the hangup cause are those of the switch. The cells before and after them are
    counted from there: the name of the caller is the farthest, and gets whatever is left.
    """
    found = list(_TIMES.finditer(text))
    if not found:
        return None
    if len(found) > 1:
        raise UnreadableRowError(
            "the line has the times of a call twice: several rows, or a name that looks like one"
        )
    times = dict(zip(_TIMES_NAMES, found[0].groups(), strict=True))
    head, tail = _bare_cells(text[: found[0].start()]), _bare_cells(text[found[0].end() :])
    return _cells_of_asterisk(head, tail, times) or _cells_of_example(head, tail, times)


def _bare_cells(text: str) -> list[str]:
    return _SEPARATOR.split(text.strip("; ").removeprefix('"').removesuffix('"'))


def _cells_of_asterisk(head: list[str], tail: list[str], times: Row) -> Row | None:
    if len(tail) != _ASTERISK_TAIL_COUNT or _UUID.fullmatch(tail[0]) or len(head) <= _EXAMPLE_START:
        return None
    if len(head) < _ASTERISK_START and not _UUID.fullmatch(tail[1]):
        return None
    # The caller id is the fifth, so that those before it are counted from the left. Channels have a slash.
    is_whole = len(head) == _ASTERISK_START and "/" in head[_ASTERISK.index("bridge_channel")]
    names = _ASTERISK[: _ASTERISK_START if is_whole else 3]
    return dict(zip(names, head, strict=False)) | times | dict(zip(_ASTERISK[-3:], tail, strict=True))


def _cells_of_example(head: list[str], tail: list[str], times: Row) -> Row | None:
    if len(head) < _EXAMPLE_START or len(tail) < _ASTERISK_TAIL_COUNT:
        return None
    names_before, names_after = _EXAMPLE[1:_EXAMPLE_START], _EXAMPLE[_EXAMPLE_START + 6 :]
    before = dict(zip(names_before, head[-len(names_before) :], strict=True))
    return before | times | dict(zip(names_after, tail, strict=False))


def _unusual_row(cells: list[str]) -> Row:
    """Returns the row of cells that only their number tells, so that an error can name the column."""
    if len(cells) == _OPENCDRRATE_COUNT and cells[_OPENCDRRATE_DIRECTION] in ("inbound", "outbound"):
        raise UnreadableRowError(
            "this is the template opencdrrate, which lacks start_stamp, duration and hangup_cause; log the"
            " template example as well"
        )
    if len(cells) in _EXAMPLE_BY_COUNT:
        return dict(zip(_EXAMPLE, cells, strict=False))
    if len(cells) == len(_ASTERISK):
        return dict(zip(_ASTERISK, cells, strict=True))
    templates = ", ".join(f"{count} ({name})" for count, name in sorted(TEMPLATE_BY_COUNT.items()))
    raise UnreadableRowError(f"the row has {len(cells)} cells, which no template has: {templates}")
