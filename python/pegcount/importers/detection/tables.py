"""Formats with a header line, whose names show what they are."""

from pegcount.errors import quoted
from pegcount.importers.detection.findings import Finding, Fits, Misses, listed
from pegcount.importers.detection.head import Head
from pegcount.importers.record_fields import FIELD_NAMES
from pegcount.importers.yeti_columns import REQUIRED_COLUMNS, named_columns
from pegcount.importers.yeti_csv import KNOWN_COLUMNS
from pegcount.masked import masked_digits

_UNREADABLE = Misses("its first line cannot be read as a header")
_YETI_TIMES = ("time_start", "time_connect", "time_end")
_YETI_COLUMNS_MIN = 6
"""Columns of Yeti, the three times among them, by which an export is known that lacks a needed one."""
_NEAREST = 0.9


def detect_yeti_csv(head: Head) -> Finding:
    """Tells an export by the columns that it needs; one that lacks some of them, by its times and others."""
    header = head.header()
    if header is None:
        return _UNREADABLE
    names = named_columns(header, KNOWN_COLUMNS)
    provided = {"is_last_cdr"} if "is_last_attempt" in head.options.overrides else set()
    missing = [name for name in REQUIRED_COLUMNS if name not in names and name not in provided]
    known = [name for name in KNOWN_COLUMNS if name in names]
    of_yeti = f"its header has {len(known)} columns of Yeti's table cdr.cdr"
    if not missing:
        return Fits(f"{of_yeti}, with {listed(name for name in REQUIRED_COLUMNS if name in names)}")
    lacks = f"lacks {listed(missing)}"
    if len(known) >= _YETI_COLUMNS_MIN and all(name in names for name in _YETI_TIMES):
        return Fits(f"{of_yeti}, but {lacks}", is_complete=False)
    present = len(REQUIRED_COLUMNS) - len(missing)
    return Misses(f"the header {lacks}", _NEAREST * present / len(REQUIRED_COLUMNS))


def detect_pegcount_csv(head: Head) -> Finding:
    """Tells a table whose names are all those of record fields, the session's id among them."""
    header = head.header()
    if header is None:
        return _UNREADABLE
    unknown = [name for name in header if name not in FIELD_NAMES]
    if not unknown and "session_id" in header:
        count = "its only column is" if len(header) == 1 else f"its {len(header)} columns are"
        return Fits(f"{count} named like fields of a record, with session_id")
    nearness = _NEAREST * (len(header) - len(unknown)) / len(header) if header else 0.0
    if not unknown:
        return Misses("the header lacks session_id", nearness)
    return Misses(
        f"no column may be called {listed(quoted(masked_digits(name)) for name in unknown)}", nearness
    )
