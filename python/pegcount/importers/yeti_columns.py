"""The header of an export of Yeti: names of the table `cdr.cdr`, or titles that Yeti made of them."""

from collections.abc import Sequence

from pegcount.errors import ImportFileError

REQUIRED_COLUMNS = ("id", "time_start", "time_connect", "time_end", "is_last_cdr")
"""A row without one of these would be counted wrongly; other columns only add fields."""

# Columns that only the download of the page CDR History has.
_OF_THE_PAGE = frozenset({"LegA DC", "LegB DC"})
_ADVICE = "export with CDR Export of the web interface, or with the admin API"


def yeti_columns(header: Sequence[str], known: Sequence[str], provided: frozenset[str]) -> list[str]:
    """Returns the columns of a header, with names of the table in place of titles.

    `known` are the columns that have a title, and `provided` those that the file may lack. Raises
    ImportFileError if a required column is missing, naming all that are, or if one stands there twice.
    """
    columns = named_columns(header, known)
    repeated = sorted({name for name in known if columns.count(name) > 1})
    if repeated:
        raise ImportFileError(f"the header has {', '.join(repeated)} twice, as a name and as a title")
    missing = [name for name in REQUIRED_COLUMNS if name not in columns and name not in provided]
    if missing:
        is_titled = columns != list(header)
        raise ImportFileError(_explained(header, [title(name) for name in missing] if is_titled else missing))
    return columns


def named_columns(header: Sequence[str], known: Sequence[str]) -> list[str]:
    """Returns the names of a header, with those of the table in place of the titles of `known` columns."""
    column_by_title = {title(column): column for column in known}
    return [column_by_title.get(name, name) for name in header]


def title(column: str) -> str:
    """Returns the title of a column in Yeti's exports, `Customer Acc` for `customer_acc_id`.

    It is what `titleize` of Ruby on Rails makes of the name; Yeti writes ID and UUID in capitals.
    """
    if column in ("id", "uuid"):
        return column.upper()
    return " ".join(word.capitalize() for word in column.removesuffix("_id").split("_"))


def _explained(header: Sequence[str], missing: Sequence[str]) -> str:
    if not _OF_THE_PAGE.isdisjoint(header):
        return (
            "the file is the download of the page CDR History, which lacks Is Last Cdr and has names in place"
            f" of ids; {_ADVICE}"
        )
    lacks = f"the header lacks {', '.join(missing)}"
    if missing[0] in ("id", "ID"):
        return (
            f"{lacks}: without an id, a call that is imported twice would count twice (the customer API"
            f" exports none); {_ADVICE}, and choose these fields"
        )
    if missing[0] in ("is_last_cdr", "Is Last Cdr"):
        return (
            f"{lacks}: a rerouted call would count once for each attempt; choose the field, or if the export"
            " has last attempts only, say so by --set is_last_attempt=true"
        )
    return lacks
