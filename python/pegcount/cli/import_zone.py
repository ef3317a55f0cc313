"""What the rows of an import say about its time zone: a refusal before anything is written, or a sentence."""

from collections.abc import Sequence

from pegcount import calendar
from pegcount.errors import ImportFileError
from pegcount.importers import PreparedFile, ZoneEvidence, is_used
from pegcount.zone import Zone

_EXAMPLE_COUNT_MAX = 2


def check_zone(files: Sequence[PreparedFile], zone: Zone, is_given: bool) -> list[str]:
    """Returns a sentence for each file whose rows contradict the zone that was given.

    Raises ImportFileError if they contradict UTC, and no zone was given.
    """
    sentences = []
    for file in files:
        evidence = file.ahead.zone_evidence
        if evidence is None or not evidence.contradicts(zone):
            continue
        seen = (
            f"{file.path}: on {_days(evidence)}, the starts of calls beside the Unix times in their uniqueids"
            f" show a clock at {_offsets(evidence)}{_examples(evidence)}"
        )
        if not is_given:
            raise ImportFileError(
                f"{seen}; give its --time-zone, or --time-zone UTC if the times are UTC indeed"
            )
        sentences.append(f"{seen}, but --time-zone is {zone.name}")
    return sentences


def zone_sentences(files: Sequence[PreparedFile], zone: Zone, is_given: bool) -> list[str]:
    """Returns what to say about the zone after an import of files: that it was assumed, or not needed."""
    if not files:
        return []
    if is_given:
        unneeded = f"--time-zone {zone.name} changed nothing: every time states its UTC offset"
        return [] if is_used(zone) else [unneeded]
    is_evident = all(
        file.ahead.zone_evidence is not None and file.ahead.zone_evidence.supports(zone) for file in files
    )
    assumed = (
        f"local times were read as {zone.name}; if they are local times of another zone, import again with"
        " --time-zone ZONE --correct"
    )
    return [assumed] if is_used(zone) and not is_evident else []


def _days(evidence: ZoneEvidence) -> str:
    return "its only day" if evidence.day_count == 1 else f"each of its {evidence.day_count} days"


def _offsets(evidence: ZoneEvidence) -> str:
    offsets_s = sorted({offset_s for _, offset_s in evidence.offsets_s})
    return " and ".join(_offset(offset_s) for offset_s in offsets_s[:_EXAMPLE_COUNT_MAX])


def _offset(offset_s: int) -> str:
    hours, minutes = divmod(abs(offset_s) // 60, 60)
    return f"UTC{'-' if offset_s < 0 else '+'}{hours:02}:{minutes:02}"


def _examples(evidence: ZoneEvidence) -> str:
    names = calendar.zones_with_offsets(evidence.offsets_s, _EXAMPLE_COUNT_MAX)
    return f", as in {' or '.join(names)}" if names else ""
