"""What all reports answer: what the request came to mean, and what the caller should know."""

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from google.protobuf.message import Message
from pegcount.v1 import reports_pb2

from pegcount_client.columns import Column, Kind
from pegcount_client.enums import Granularity, NoticeCode, member_of_number
from pegcount_client.times import time_in_zone

_LOGGER: Final = logging.getLogger("pegcount_client")


@dataclass(frozen=True, slots=True)
class ReportRange:
    """What a request came to mean. The texts are RFC 3339; reading them as times needs rules of the zone."""

    from_time_text: str
    """First instant of the range; of active sessions, the instant of the snapshot."""
    to_time_text: str
    """End of the range, exclusive; of active sessions, the instant of the snapshot."""
    time_zone: str
    """IANA name of the zone that bins and times are in."""
    granularity: Granularity | str | None
    """Width of the bins; None for active sessions. A number as text if only a newer client knows its name."""
    generated_at_text: str
    """When the answer was made."""

    @property
    def from_time(self) -> datetime:
        """First instant of the range, in its zone. Raises UnknownZoneError."""
        return time_in_zone(self.from_time_text, self.time_zone)

    @property
    def to_time(self) -> datetime:
        """End of the range, exclusive, in its zone. Raises UnknownZoneError."""
        return time_in_zone(self.to_time_text, self.time_zone)

    @property
    def generated_at(self) -> datetime:
        """When the answer was made, in the zone of the range. Raises UnknownZoneError."""
        return time_in_zone(self.generated_at_text, self.time_zone)

    def __str__(self) -> str:
        if self.granularity is None:
            return f"{self.from_time_text} {self.time_zone}"
        return f"{self.from_time_text} to {self.to_time_text} {self.time_zone} per {self.granularity}"


@dataclass(frozen=True, slots=True)
class Notice:
    """What the caller should know about an answer that is right but may surprise."""

    code: NoticeCode | str
    """What it is about. A number as text if only a newer client knows its name."""
    text: str
    """The same for a person."""
    metadata: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Details for programs, which the code documents."""


def range_of(message: reports_pb2.ResolvedRange) -> ReportRange:
    """Returns the range of an answer."""
    has_bins = message.HasField("granularity")
    return ReportRange(
        from_time_text=message.from_time,
        to_time_text=message.to_time,
        time_zone=message.time_zone,
        granularity=member_of_number(Granularity, message.granularity) if has_bins else None,
        generated_at_text=message.generated_at,
    )


def logged_notices(report: str, messages: Iterable[reports_pb2.Notice]) -> tuple[Notice, ...]:
    """Returns the notices of an answer, each of which is also logged as a warning.

    So a mistyped account does not yield zeros in silence where the program looks at no notices.
    """
    notices = tuple(
        Notice(member_of_number(NoticeCode, each.code), each.text, dict(each.metadata)) for each in messages
    )
    for notice in notices:
        _LOGGER.warning("%s: %s (%s)", report, notice.text, notice.code)
    return notices


def value_or_none(message: Message, name: str) -> Any:
    """Returns the value of a field, None if it is absent."""
    return getattr(message, name) if message.HasField(name) else None


def values_or_none(messages: Iterable[Message], name: str) -> tuple[Any, ...]:
    """Returns the value of a field of each message, None where it is absent."""
    # Only what reads as 0 or "" may be absent.
    return tuple(getattr(each, name) or value_or_none(each, name) for each in messages)


def ratios(messages: Iterable[Message], name: str) -> tuple[float, ...]:
    """Returns the ratio in a field of each message, NaN where it is absent."""
    return tuple(math.nan if value is None else value for value in values_or_none(messages, name))


def counts(name: str, values: Sequence[int | None]) -> Column:
    """Returns a column of counts, which are all None if the credential does not show them.

    Its kind is then that of numbers which may be absent.
    """
    return Column(name, Kind.ID if None in values else Kind.COUNT, tuple(values))


def summary(report: str, span: ReportRange, figures: str, notices: Iterable[Notice]) -> str:
    """Returns a line for a person: the report, its range, its main figures, and the codes of its notices."""
    codes = ", ".join(notice.code for notice in notices)
    return f"<{report} {span}: {figures}{f'; notices: {codes}' if codes else ''}>"
