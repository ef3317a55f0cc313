"""Which figures of reports a data scope hides, and which filters would reveal them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pegcount.data_scope import DataScope, Metric

_QUALITY_FIGURES: Final = (("answered_calls", "asr"), ("duration_ms", "acd"))
_FOLDER_FIGURES: Final = (("answered_count",), ("duration_ms", "average_duration_seconds"))


@dataclass(frozen=True, slots=True)
class Figures:
    """Which figures an answer has."""

    answers: bool = True
    """Answered calls, and their ratio."""
    durations: bool = True
    """Sums and averages of durations."""

    @property
    def hidden_of_quality(self) -> tuple[str, ...]:
        """Names of the figures that origination quality leaves out."""
        return tuple(self._hidden(*_QUALITY_FIGURES))

    @property
    def hidden_of_folders(self) -> tuple[str, ...]:
        """Names of the figures that folder statistics leave out."""
        return tuple(self._hidden(*_FOLDER_FIGURES))

    def _hidden(self, answers: tuple[str, ...], durations: tuple[str, ...]) -> Iterator[str]:
        if not self.answers:
            yield from answers
        if not self.durations:
            yield from durations


def figures_of(scope: DataScope | None) -> Figures:
    """Returns the figures that a data scope shows; None shows all.

    Durations go with the answers: a bin with one call has an average duration if and only if the call was
    answered, so that whoever sees averages of narrow bins can count the answers.
    """
    hidden = () if scope is None else scope.hidden_metrics
    hides_answers = Metric.ASR in hidden
    return Figures(answers=not hides_answers, durations=not hides_answers and Metric.ACD not in hidden)


def hidden_filters(scope: DataScope) -> frozenset[str]:
    """Returns the filters of origination quality that would reveal what a data scope hides.

    Whoever may count calls by duration, or by price, learns these by asking often enough; and the price tells
    the rest: a call has one if and only if it was answered, and it grows with the duration.
    """
    durations = () if figures_of(scope).durations else ("duration",)
    prices = ("customer_price",) if scope.hidden_metrics else ()
    return frozenset((*durations, *prices))
