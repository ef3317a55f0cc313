"""Asks two places the same question, again if need be: records may arrive between two answers."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.message import Message

from pegcount.cli.comparison.questions import Question
from pegcount.client import Client, Refusal

_ROUND_COUNT: Final = 3
_PAUSE_SECONDS: Final = 1.0
"""Seconds before a round: what one place had on its way is there then."""
_OF_THE_MOMENT: Final = ("range", "notices", "as_of")
"""Fields that depend on the time of the answer, or are not figures: equal answers may differ in them."""

Answer = Message | Refusal


@dataclass(frozen=True, slots=True)
class Difference:
    """A question to which two places gave different answers, each time that both were asked."""

    question: Question
    first: str
    """The first line of the answer that differs, as JSON; "" if it is missing."""
    second: str

    @property
    def request(self) -> str:
        """The request as JSON on one line, as grpcurl takes it."""
        return json_format.MessageToJson(self.question.request, indent=None)


@dataclass(slots=True)
class Comparison:
    """What became of the questions."""

    asked: Counter[str] = field(default_factory=Counter)
    """Questions by method."""
    counted: Counter[str] = field(default_factory=Counter)
    """Of these, the ones whose answer counted something."""
    changing: int = 0
    """Questions whose answer changed each time that one place was asked."""
    differences: list[Difference] = field(default_factory=list)


def compared(first: Client, second: Client, asked: Iterable[Question]) -> Comparison:
    """Asks both places; those questions once more, in rounds, whose answers differ.

    Raises CallError if a place cannot be asked.
    """
    state = Comparison()
    suspected = []
    for question in asked:
        answers = _Answers.of(first, second, question)
        state.asked[question.method] += 1
        state.counted[question.method] += any(map(_counts_something, (answers.first, answers.second)))
        if answers.differ:
            suspected.append(answers)
    for _ in range(_ROUND_COUNT):
        if suspected:
            time.sleep(_PAUSE_SECONDS)
        again = [_Answers.of(first, second, answers.question) for answers in suspected]
        suspected = [answers for answers in again if answers.differ]
    state.differences = [_difference(answers) for answers in suspected if answers.is_steady]
    state.changing = len(suspected) - len(state.differences)
    return state


@dataclass(frozen=True, slots=True)
class _Answers:
    """What two places answered to one question."""

    question: Question
    first: Answer
    second: Answer
    is_steady: bool
    """Whether the first place gave the same answer after the second one had given its own."""

    @classmethod
    def of(cls, first: Client, second: Client, question: Question) -> "_Answers":
        before, other = _answer(first, question), _answer(second, question)
        is_steady = before == other or before == _answer(first, question)
        return cls(question, before, other, is_steady)

    @property
    def differ(self) -> bool:
        return self.first != self.second


def _answer(place: Client, question: Question) -> Answer:
    answer = place.asked(question.method, question.request)
    if isinstance(answer, Message):
        for name in _OF_THE_MOMENT:
            if name in answer.DESCRIPTOR.fields_by_name:
                answer.ClearField(name)
    return answer


def _counts_something(answer: Any) -> bool:
    if isinstance(answer, Refusal):
        return False
    name = answer.DESCRIPTOR.name
    if name == "QueryActiveSessionsResponse":
        return bool(answer.row_count)
    totals = answer.totals
    figures = {
        "QueryAsrUsageResponse": "session_count",
        "QueryFolderStatsResponse": "call_count",
        "QueryOriginationQualityResponse": "total_calls",
    }
    return bool(getattr(totals, figures[name]))


def _difference(answers: _Answers) -> Difference:
    pairs = zip_longest(_lines(answers.first), _lines(answers.second), fillvalue="")
    one, other = next(((one, other) for one, other in pairs if one != other), ("", ""))
    return Difference(answers.question, one, other)


def _lines(answer: Answer) -> list[str]:
    if isinstance(answer, Refusal):
        return [str(answer)]
    return [
        line.strip()
        for line in json_format.MessageToJson(answer, preserving_proto_field_name=True).splitlines()
    ]
