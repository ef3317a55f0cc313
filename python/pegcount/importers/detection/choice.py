"""Which of the formats that a file fits it is taken for, and when it is taken for none."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pegcount.errors import ImportFileError
from pegcount.importers.detection.documents import detect_freeswitch_json, detect_freeswitch_xml
from pegcount.importers.detection.findings import Candidate, Detector, Finding, Fits, Misses, listed
from pegcount.importers.detection.head import Head
from pegcount.importers.detection.mapped import detect_mapped
from pegcount.importers.detection.rows import detect_asterisk_csv, detect_freeswitch_csv
from pegcount.importers.detection.seen import described, nearest_text
from pegcount.importers.detection.tables import detect_pegcount_csv, detect_yeti_csv
from pegcount.importers.mapping import MappingFile
from pegcount.importers.mapping.mapped_csv import MAPPED
from pegcount.suggestion import comparable

ARCHIVE = "pegcount-archive"
"""The format of a whole store rather than of rows."""
_ARCHIVE_BEGINNING = b"PEGARCH"

DETECTORS: dict[str, Detector] = {
    "asterisk-csv": detect_asterisk_csv,
    "freeswitch-csv": detect_freeswitch_csv,
    "freeswitch-json": detect_freeswitch_json,
    "freeswitch-xml": detect_freeswitch_xml,
    "pegcount-csv": detect_pegcount_csv,
    "yeti-csv": detect_yeti_csv,
}
"""The detectors of the formats that are built in."""

_STRAY_SHARE_MAX = 0.1
"""Of the rows of a format, those of another one beside them that count as strays: a caller who chooses a name
like a row shall not make a file undecided."""
_SHARE_MIN = 0.5
"""Of all rows, those that a format needs at least: with fewer, most of the file would be rejected."""
_MINORITY_NEARNESS = 0.95


@dataclass(frozen=True, slots=True)
class Detected:
    """The format of a file, and why."""

    format_name: str
    mapping_name: str | None
    """Name of the shipped mapping that reads the file, if none of the other formats does."""
    reason: str

    @property
    def name(self) -> str:
        """The format, and the option that names the mapping if it has one."""
        return self.format_name + (f" (--mapping {self.mapping_name})" if self.mapping_name else "")


class TooLittleError(ImportFileError):
    """A file has no whole row and no whole document, so that nothing tells its format."""


class UndetectedError(ImportFileError):
    """A file fits no format, or several ones that nothing tells apart."""


class UnknownFormatError(UndetectedError):
    """A file fits no format."""


def detected(head: Head, mappings: Mapping[str, MappingFile]) -> Detected:
    """Returns the format of a file.

    Raises TooLittleError or UndetectedError, of which the text says what was seen; it may have several lines.
    """
    if head.data.startswith(_ARCHIVE_BEGINNING):
        if head.is_compressed:
            raise UndetectedError("it is an archive that was compressed once more: decompress it first")
        return Detected(ARCHIVE, None, f"it begins with {_ARCHIVE_BEGINNING.decode()}")
    findings: dict[Candidate, Finding] = {
        Candidate(name): detect(head) for name, detect in DETECTORS.items()
    } | detect_mapped(head, mappings)
    findings = _without_minorities(_without_strays(findings))
    fits = {candidate: found for candidate, found in findings.items() if isinstance(found, Fits)}
    if not fits:
        raise _unknown(head, findings)
    chosen = _chosen(fits, mappings)
    if len(chosen) > 1:
        raise UndetectedError(_undecided({candidate: fits[candidate] for candidate in chosen}))
    (candidate,) = chosen
    reason = fits[candidate].sentence + _also(fits, candidate)
    return Detected(candidate.format_name, candidate.mapping_name, reason)


def _without_strays(findings: Mapping[Candidate, Finding]) -> dict[Candidate, Finding]:
    most = max((found.count for found in findings.values() if isinstance(found, Fits)), default=0)
    return {
        candidate: Misses(f"only {found.sentence}", _MINORITY_NEARNESS)
        if isinstance(found, Fits) and 0 < found.count <= most * _STRAY_SHARE_MAX
        else found
        for candidate, found in findings.items()
    }


def _without_minorities(findings: Mapping[Candidate, Finding]) -> dict[Candidate, Finding]:
    """Drops a format of few rows, unless rows of several formats are together: then all are named."""
    by_rows = [found for found in findings.values() if isinstance(found, Fits) and found.count]
    if len(by_rows) != 1 or by_rows[0].count >= by_rows[0].of_count * _SHARE_MIN:
        return dict(findings)
    few = by_rows[0]
    return {
        candidate: Misses(f"only {few.sentence}", _MINORITY_NEARNESS) if found is few else found
        for candidate, found in findings.items()
    }


def _chosen(fits: Mapping[Candidate, Fits], mappings: Mapping[str, MappingFile]) -> list[Candidate]:
    """Returns the formats that are left after each rule: all that are, if more than one is."""
    built_in = [candidate for candidate in fits if candidate.mapping_name is None]
    complete = [candidate for candidate in built_in if fits[candidate].is_complete]
    if complete:
        return complete
    by_mapping = [candidate for candidate in fits if candidate.mapping_name is not None]
    return _largest(by_mapping, mappings) or built_in


def _largest(found: Collection[Candidate], mappings: Mapping[str, MappingFile]) -> list[Candidate]:
    """Returns the mappings of which no other one needs all the columns, and more."""
    needed = {candidate: _forms(mappings[candidate.mapping_name or ""].needed_columns) for candidate in found}
    return [
        candidate
        for candidate, columns in needed.items()
        if not any(columns < others for others in needed.values())
    ]


def _forms(columns: Collection[str]) -> frozenset[str]:
    """Returns columns by what counts of their names where a header is read."""
    return frozenset(comparable(column) or column for column in columns)


def _also(fits: Mapping[Candidate, Fits], chosen: Candidate) -> str:
    others = [
        candidate
        for candidate, found in fits.items()
        if candidate != chosen and candidate.mapping_name is not None
    ]
    if not others:
        return ""
    return f"; {listed(map(str, others))} would read it, too"


def _undecided(fits: Mapping[Candidate, Fits]) -> str:
    lines = [f"  {candidate}: {found.sentence}" for candidate, found in fits.items()]
    has_mapping = any(candidate.mapping_name is not None for candidate in fits)
    option = f"--format {MAPPED} --mapping NAME" if has_mapping else "--format NAME"
    return "\n".join(
        [f"it fits {len(fits)} formats, and nothing tells which one it has:", *lines, f"  give {option}"]
    )


def _unknown(head: Head, findings: Mapping[Candidate, Finding]) -> ImportFileError:
    misses = {candidate: found for candidate, found in findings.items() if isinstance(found, Misses)}
    nearest = nearest_text(head, misses, DETECTORS)
    # A head without a whole line may still be a document that was cut.
    if not head.lines:
        return TooLittleError(_too_little(head))
    seen = [f"  seen: {described(head)}", *([f"  nearest: {nearest}"] if nearest else [])]
    return UnknownFormatError("\n".join(["it fits no format", *seen]))


def _too_little(head: Head) -> str:
    damage = f" ({head.damage})" if head.damage else ""
    if head.is_empty:
        return f"nothing tells its format: it is empty{damage}"
    if head.kind_of_document:
        return f"too little tells its format: it has no whole document of {head.kind_of_document}{damage}"
    return (
        "too little tells its format: its only line has no line end, so that it may be incomplete;"
        f" --final-line takes it{damage}"
    )
