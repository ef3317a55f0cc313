"""Tables that a shipped mapping describes."""

import io
from collections.abc import Mapping
from dataclasses import replace

from pegcount.errors import ImportFileError
from pegcount.importers.detection.findings import Candidate, Finding, Fits, Misses, listed
from pegcount.importers.detection.head import Head
from pegcount.importers.mapping import MappingFile
from pegcount.importers.mapping.mapped_csv import MAPPED, parse_mapped
from pegcount.importers.mapping.mapped_rows import column_places
from pegcount.importers.parsed_line import UnreadableLine
from pegcount.importers.text_lines import TextLine

_NEAREST = 0.9
_COLUMNS_MIN = 5
"""Columns of a mapping by which a table is known: many programs write id, start_time and duration."""
_READS_ROWS = 0.5


def detect_mapped(head: Head, mappings: Mapping[str, MappingFile]) -> dict[Candidate, Finding]:
    """Returns what the head shows for each mapping, by its name.

    A mapping of files without a header is never more than near: that it can read the rows does not tell what
    their cells mean. Nor is one that needs columns that many tables have, unless others of it are there, too.
    """
    return {
        Candidate(MAPPED, name): _of_header(head, mapping, name)
        if mapping.has_header
        else _of_rows(head, mapping, name)
        for name, mapping in sorted(mappings.items())
    }


def _of_header(head: Head, mapping: MappingFile, name: str) -> Finding:
    header = head.header(mapping.separator, mapping.skip_lines) or []
    needed = mapping.needed_columns
    present = column_places(header, mapping.columns)
    missing = sorted(needed.difference(present))
    if not missing and len(present) >= _COLUMNS_MIN:
        optional = len(present) - len(needed)
        more = f" and {optional} more that it takes" if optional else ""
        return Fits(f"its header has the {len(needed)} columns that the mapping needs{more}")
    if not missing:
        return Misses(f"any table may have {listed(sorted(present))}; {_if_it_is(name)}", _NEAREST)
    nearness = _NEAREST * (len(needed) - len(missing)) / max(len(needed), _COLUMNS_MIN)
    return Misses(f"the header lacks {listed(missing)}", nearness)


def _of_rows(head: Head, mapping: MappingFile, name: str) -> Misses:
    texts = [line.text if isinstance(line, TextLine) else "" for line in head.lines]
    options = replace(head.options, mapping=replace(mapping, skip_lines=0))
    rows = "".join(
        f"{text}\n" for line, text in zip(head.lines, texts, strict=True) if line.line > mapping.skip_lines
    )
    try:
        parsed = list(parse_mapped(io.BytesIO(rows.encode()), options))
    except ImportFileError as error:
        return Misses(str(error))
    readable = sum(not isinstance(line, UnreadableLine) for line in parsed)
    if not parsed or readable < len(parsed):
        return Misses(f"it can read {readable} of {len(parsed)} rows")
    return Misses(
        f"without a header, only you can tell; {_if_it_is(name)}",
        _READS_ROWS,
    )


def _if_it_is(name: str) -> str:
    return f"if it is that, give --format {MAPPED} --mapping {name}"
