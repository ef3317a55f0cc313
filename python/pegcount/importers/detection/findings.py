"""What a detector finds: that a file is of a format, with the evidence, or what the file lacks."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pegcount.importers.detection.head import Head

_FORMS_SHOWN = 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A format that a file may have; one that a mapping describes has the name of that."""

    format_name: str
    mapping_name: str | None = None

    def __str__(self) -> str:
        return self.format_name if self.mapping_name is None else f"the mapping {self.mapping_name}"


@dataclass(frozen=True, slots=True)
class Fits:
    """The file is of the format."""

    sentence: str
    """The evidence, which the name of the format may precede."""
    is_complete: bool = True
    """Whether an import would take the file; if not, its error says best what is missing."""
    count: int = 0
    """Rows or documents that show it; 0 if a header does."""
    of_count: int = 0
    """Rows or documents that were looked at."""


@dataclass(frozen=True, slots=True)
class Misses:
    """The file is not of the format."""

    lacks: str
    nearness: float = 0.0
    """From 0, nothing is like it, to 1, all but one thing is."""


Finding = Fits | Misses
Detector = Callable[[Head], Finding]


def tallied(items: Iterable[str | Misses], unit: str, has_more: bool) -> Finding:
    """Returns what most items show together; a text tells the form of an item that is of the format.

    `unit` is what one of them is called, such as "row".
    """
    forms: Counter[str] = Counter()
    misses: Counter[Misses] = Counter()
    for item in items:
        if isinstance(item, str):
            forms[item] += 1
        else:
            misses[item] += 1
    if not forms:
        if not misses:
            return Misses(f"it has no {unit}s")
        return max(misses, key=lambda miss: (miss.nearness, misses[miss]))
    count, of_count = forms.total(), forms.total() + misses.total()
    subject = _subject(count, of_count, unit, has_more)
    return Fits(f"{subject} {_shown_forms(forms)}", count=count, of_count=of_count)


def listed(names: Iterable[str], shown_count: int = 5) -> str:
    """Returns names as a list, and how many more there are."""
    found = list(names)
    more = len(found) - shown_count
    return ", ".join(found[:shown_count]) + (f" and {more} more" if more > 0 else "")


def _subject(count: int, of_count: int, unit: str, has_more: bool) -> str:
    """Returns what has a form, up to the verb: `the first 40 rows have`."""
    if of_count == 1:
        return f"the {'first' if has_more else 'only'} {unit} has"
    scope = f"the first {of_count} {unit}s" if has_more else f"the {of_count} {unit}s"
    if count == of_count:
        return f"{scope} have"
    return f"{count} of {scope} {'has' if count == 1 else 'have'}"


def _shown_forms(forms: Counter[str]) -> str:
    shown = [form for form, _ in forms.most_common(_FORMS_SHOWN)]
    more = len(forms) - len(shown)
    return " or ".join(shown) + (f", or one of {more} more forms" if more else "")
