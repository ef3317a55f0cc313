"""Converts the filters of the traffic question to predicates."""

from collections.abc import Iterable, Iterator
from typing import Final

from pegcount.model import OneOf, Present, TextMatch
from pegcount.request.filters import text_filter
from pegcount.request.list_limits import FILTER_VALUES
from pegcount.request.traffic_dimensions import (
    DIMENSIONS,
    INT64_MAX,
    INT64_MIN,
    Condition,
    DimensionRule,
    LocalTime,
    dimension_name,
    is_prefix,
    shortest_beginnings,
)
from pegcount.request.validation import RequestValidator
from pegcount.traffic import AnyOf, Not, TrafficPredicate
from pegcount.v1 import traffic_pb2

_CONDITIONS: Final = ("integers", "texts", "text", "range", "absent")
"""Fields of which a filter has one or more."""
_PREFIX_LENGTH_COUNT_MAX: Final = 64
"""Lengths of the prefixes of all filters, as each is a test that takes memory for all numbers of a slice."""
_OF_NUMBERS: Final = ("integers", "range")
_OF_TEXTS: Final = ("texts", "text")


def traffic_predicates(
    filters: Iterable[traffic_pb2.TrafficFilter], local_time: LocalTime, validator: RequestValidator
) -> Iterator[tuple[TrafficPredicate, ...]]:
    """Yields for each filter predicates that hold together if it does; reports what is wrong with filters."""
    value_count = length_count = 0
    for index, message in enumerate(filters):
        field = f"filters[{index}]"
        value_count += len(message.integers) + len(message.texts)
        if not validator.count_within("filters", value_count, FILTER_VALUES):
            return
        number = validator.required_enum(
            f"{field}.dimension", message.dimension, traffic_pb2.TrafficDimension
        )
        if number and is_prefix(number):
            length_count += len({len(text) for text in _prefixes(message.texts)})
            if not _has_few_lengths(f"{field}.texts", length_count, validator):
                return
        if number:
            yield tuple(_Filter(field, number, message, validator).predicates(local_time))


class _Filter:
    """One filter, whose dimension is known."""

    def __init__(
        self, field: str, number: int, message: traffic_pb2.TrafficFilter, validator: RequestValidator
    ) -> None:
        self._field = field
        self._name = dimension_name(number)
        self._rule: DimensionRule = DIMENSIONS[number]
        self._is_prefix = is_prefix(number)
        self._message = message
        self._validator = validator

    def predicates(self, local_time: LocalTime) -> Iterator[TrafficPredicate]:
        """Yields predicates that hold together if the filter does."""
        earlier_count = self._validator.violation_count
        if not self._has_fitting_fields():
            return
        compared = list(self._compared_texts())
        others = list(self._values(local_time)) + list(self._range(local_time))
        absent = list(self._rule.absent()) if self._message.absent else []
        if self._validator.violation_count > earlier_count:
            return
        # Comparisons of a text hold together, and each of the other conditions is an alternative to them.
        for alternatives in compared or [[]]:
            either = tuple(_merged([*others, *alternatives, *absent]))
            predicate = either[0] if len(either) == 1 else AnyOf(either)
            yield Not(predicate) if self._message.negate else predicate

    def _has_fitting_fields(self) -> bool:
        """Returns whether the filter has values, all of the kind of its dimension; reports what is wrong."""
        message, wrong = self._message, _OF_NUMBERS if self._rule.is_text else _OF_TEXTS
        given = [name for name in _CONDITIONS if _is_given(message, name)]
        unfit = [name for name in given if name in wrong]
        for name in unfit:
            self._add_wrong_kind(name)
        if not given:
            description = (
                f"needs one or more of {', '.join(_CONDITIONS)}; leave the filter out to ask for any"
            )
            self._validator.add_violation(self._field, "EMPTY_FILTER", description)
        if message.HasField("code_deck") and (self._is_prefix or "code_deck" not in self._rule.parameters):
            description = f"{self._name} is not taken from a code deck; the dimensions *_RATES_* are"
            self._validator.add_violation(
                f"{self._field}.code_deck", "PARAMETER_NOT_ALLOWED", description, allowed="*_RATES_*"
            )
        if message.negate and len(message.text.ListFields()) > 1:
            description = "cannot be combined with several comparisons in text; use a filter for each"
            allowed = f"{self._field}.negate, one comparison in text"
            self._validator.add_violation(
                f"{self._field}.negate", "CONFLICTING_FIELDS", description, allowed=allowed
            )
        return bool(given) and not unfit

    def _add_wrong_kind(self, name: str) -> None:
        kind, right = ("texts", _OF_TEXTS) if self._rule.is_text else ("whole numbers", _OF_NUMBERS)
        description = f"{self._name} has {kind}; use {' or '.join(right)}"
        self._validator.add_violation(
            f"{self._field}.{name}", "PARAMETER_NOT_ALLOWED", description, allowed=", ".join(right)
        )

    def _values(self, local_time: LocalTime) -> Iterator[Condition]:
        if self._message.integers:
            values = self._validator.values(f"{self._field}.integers", self._message, "integers")
            for index, value in enumerate(values):
                self._check_number(f"integers[{index}]", value)
            yield from self._rule.equal(values, local_time)
        if self._message.texts:
            texts = self._validator.filter_texts(f"{self._field}.texts", self._message, "texts")
            if self._is_prefix:
                texts = [self._without_plus(f"texts[{index}]", text) for index, text in enumerate(texts)]
            yield from self._rule.equal(texts, local_time)

    def _range(self, local_time: LocalTime) -> Iterator[Condition]:
        if not self._message.HasField("range"):
            return
        bounds = self._message.range
        low = bounds.low if bounds.HasField("low") else INT64_MIN
        high = bounds.high if bounds.HasField("high") else INT64_MAX
        if not bounds.ListFields():
            description = "needs low, high or both; leave it out to ask for any"
            self._validator.add_violation(f"{self._field}.range", "EMPTY_FILTER", description)
        elif low > high:
            self._validator.number_within(f"{self._field}.range.low", low, INT64_MIN, high)
        yield from self._rule.between(max(low, INT64_MIN), high, local_time)

    def _check_number(self, name: str, value: int) -> None:
        if self._rule.allowed is not None:
            self._validator.number_within(f"{self._field}.{name}", value, *self._rule.allowed)

    def _compared_texts(self) -> Iterator[list[Condition]]:
        """Yields alternatives for each comparison of `text`."""
        if not self._message.HasField("text"):
            return
        field, rule = f"{self._field}.text", self._rule
        for predicate in text_filter(field, self._message.text, self._validator, rule.column):
            if isinstance(predicate, Present):
                yield list(rule.absent())
            elif self._is_prefix and isinstance(predicate, TextMatch):
                yield list(self._without_plus_in_records(predicate))
            else:
                yield [predicate]

    def _without_plus_in_records(self, match: TextMatch) -> Iterator[Condition]:
        """Yields conditions that a number without its leading plus compares so."""
        if match.how in ("ends_with", "contains"):
            if match.text.startswith("+"):
                description = "begins with a plus, which the number is compared without; leave it out"
                self._validator.add_violation(
                    f"{self._field}.text.{match.how}", "PARAMETER_NOT_ALLOWED", description, allowed="digits"
                )
            yield match
        elif text := self._without_plus(f"text.{match.how}", match.text):
            # A text that still begins with a plus is that of numbers with two.
            texts = (f"+{text}",) if text.startswith("+") else (text, f"+{text}")
            if match.how == "eq":
                yield OneOf(match.column, texts)
            else:
                yield from (TextMatch(match.column, match.how, each) for each in texts)

    def _without_plus(self, name: str, text: str) -> str:
        if text == "+":
            description = "is a plus alone, which is a number without digits; use absent for these"
            self._validator.add_violation(f"{self._field}.{name}", "EMPTY_FILTER", description)
        return text.removeprefix("+")


def _prefixes(texts: Iterable[str]) -> list[str]:
    """Returns the beginnings of numbers without their plus that texts ask for."""
    return shortest_beginnings(text.removeprefix("+") for text in texts)


def _has_few_lengths(field: str, asked: int, validator: RequestValidator) -> bool:
    """Returns whether the prefixes of the filters up to a field have no more lengths than allowed."""
    allowed = _PREFIX_LENGTH_COUNT_MAX
    if asked > allowed:
        description = (
            f"brings the lengths of the prefixes of all filters to {asked}; {allowed} are allowed:"
            " ask for fewer lengths, such as for 44 in place of all longer ones"
        )
        validator.add_violation(
            field, "FILTER_VALUE_LIMIT_EXCEEDED", description, asked=asked, allowed=allowed
        )
    return asked <= allowed


def _is_given(message: traffic_pb2.TrafficFilter, name: str) -> bool:
    return bool(getattr(message, name)) if name not in ("text", "range") else message.HasField(name)


def _merged(conditions: list[Condition]) -> Iterator[Condition]:
    """Yields the conditions, of which those of one column that compare for equality and absence are one."""
    equal = next((each for each in conditions if isinstance(each, OneOf)), None)
    absent = Present(equal.column, wanted=False) if equal is not None else None
    if equal is not None and absent in conditions:
        yield OneOf(equal.column, equal.values, or_absent=True)
        conditions = [each for each in conditions if each not in (equal, absent)]
    yield from conditions
