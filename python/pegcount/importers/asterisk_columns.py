"""Column names of the cells of Asterisk's CDR rows, which each of its modules orders differently."""

import re

from pegcount.errors import ImportFileError
from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.importers.timestamps import is_local_timestamp

_CDR_CSV = (
    *("accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata"),
    *("start", "answer", "end", "duration", "billsec", "disposition", "amaflags"),
)
_CDR_CSV_OPTIONAL = ("uniqueid", "userfield")
# Written with `newcdrcolumns=yes`.
_CDR_CSV_NEW = ("peeraccount", "linkedid", "sequence")
_CDR_CUSTOM = (
    *("clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata"),
    *("start", "answer", "end", "duration", "billsec", "disposition", "amaflags"),
    *("accountcode", "uniqueid", "userfield"),
)
_CDR_CUSTOM_UNIQUEID = _CDR_CUSTOM.index("uniqueid")
# What the sample configuration of `cdr_custom` adds since Asterisk 1.8, and what people add to it.
_CDR_CUSTOM_ADDED_COUNT_MAX = 3

# With a system name: `pbx1-1774747800.42`. The number before the dot is the Unix time of
# the creation of the channel.
_UNIQUEID = re.compile(r"(?:.*-)?([0-9]{9,10})\.[0-9]+")

REQUIRED_COLUMNS = (
    *("start", "src", "dst", "channel", "dstchannel", "lastapp", "duration", "billsec", "disposition"),
)


def column_names(cells: list[str], order: str) -> tuple[str, ...]:
    """Returns the column name of each cell of a row in one of `ASTERISK_COLUMN_ORDERS`.

    Raises UnreadableRowError if rows of that order cannot have this number of cells, or
    if `order` is "auto" and the row fits neither order.
    """
    if order == "auto":
        order = _detected_order(cells)
    optional_count_max = len(_CDR_CSV_OPTIONAL) + len(_CDR_CSV_NEW)
    if order == "cdr_csv" and 0 <= len(cells) - len(_CDR_CSV) <= optional_count_max:
        return _CDR_CSV + _optional_columns(cells[len(_CDR_CSV) :])
    if order == "cdr_custom" and 0 <= len(cells) - len(_CDR_CUSTOM) <= _CDR_CUSTOM_ADDED_COUNT_MAX:
        return _CDR_CUSTOM + _added_columns(cells[len(_CDR_CUSTOM) :], cells[_CDR_CUSTOM_UNIQUEID])
    raise UnreadableRowError(f"{order} has no rows of {len(cells)} cells")


def header_names(cells: list[str]) -> tuple[str, ...] | None:
    """Returns the names of a header line, with `start` for `calldate`; None for any other line.

    Raises ImportFileError, naming every column that is missing without which calls would be counted
    wrongly.
    """
    names = [cell.strip().lower() for cell in cells]
    if "disposition" not in names or not {"src", "dst", "channel", "billsec"} & set(names):
        return None
    if "start" not in names:
        names = ["start" if name == "calldate" else name for name in names]
    missing = [
        "start (or calldate)" if name == "start" else name for name in REQUIRED_COLUMNS if name not in names
    ]
    if missing:
        raise ImportFileError(f"the header lacks {', '.join(missing)}")
    repeated = sorted({name for name in names if name and names.count(name) > 1})
    if repeated:
        raise ImportFileError(f"the header repeats {', '.join(repeated)}")
    return tuple(names)


def channel_creation_s(uniqueid: str) -> int | None:
    """Returns the Unix time in a uniqueid, at which its channel was created, or None for other texts."""
    match = _UNIQUEID.fullmatch(uniqueid)
    return int(match[1]) if match else None


def _detected_order(cells: list[str]) -> str:
    """Detects the order by the columns of start and end; the answer between them may be empty."""
    for order, start, end in (("cdr_csv", 9, 11), ("cdr_custom", 8, 10)):
        if len(cells) > end and is_local_timestamp(cells[start]) and is_local_timestamp(cells[end]):
            return order
    raise UnreadableRowError("no dates in columns 10 to 12 (cdr_csv) or 9 to 11 (cdr_custom)")


def _optional_columns(rest: list[str]) -> tuple[str, ...]:
    """Returns the names of the cells after the 16 fixed ones; Asterisk can omit each group."""
    new_columns = _CDR_CSV_NEW if len(rest) >= len(_CDR_CSV_NEW) else ()
    match len(rest) - len(new_columns):
        case 0:
            return new_columns
        case 1:
            # `loguniqueid` and `loguserfield` are separate options; the text shows which one is on.
            is_uniqueid = channel_creation_s(rest[0]) is not None
            return ("uniqueid" if is_uniqueid else "userfield", *new_columns)
        case _:
            return (*_CDR_CSV_OPTIONAL, *new_columns)


def _added_columns(rest: list[str], uniqueid: str) -> tuple[str, ...]:
    """Returns the names of the cells that a configuration of `cdr_custom` adds, in any order.

    The linkedid has the form of a uniqueid. The sequence, which the sample configuration adds, is the only
    other number: of several, such as an account and a sequence, nothing tells which one it is.
    """
    names = ["peeraccount"] * len(rest)
    linked = [
        i for i, cell in enumerate(rest) if channel_creation_s(cell) is not None or cell == uniqueid != ""
    ]
    numbers = [i for i, cell in enumerate(rest) if cell.isdecimal() and i not in linked[:1]]
    if linked:
        names[linked[0]] = "linkedid"
    if len(numbers) == 1:
        names[numbers[0]] = "sequence"
    return tuple(names)
