"""What the tables of all reports take from an answer in the same way."""

from collections.abc import Iterable, Mapping, Sequence

from google.protobuf.message import Message

from pegcount.cli.report.report_table import Column, Notice, Range, Value
from pegcount.v1.reports_pb2 import Granularity, NoticeCode, ResolvedRange
from pegcount.v1.reports_pb2 import Notice as SentNotice


def range_of(sent: ResolvedRange) -> Range:
    """Returns the range of an answer."""
    has_bins = sent.HasField("granularity")
    return Range(
        from_time=sent.from_time,
        to_time=sent.to_time,
        time_zone=sent.time_zone,
        granularity=Granularity.Name(sent.granularity).removeprefix("GRANULARITY_") if has_bins else None,
        generated_at=sent.generated_at,
    )


def notices_of(sent: Iterable[SentNotice]) -> tuple[Notice, ...]:
    """Returns the notices of an answer; a code that is newer than this program is its number."""
    return tuple(Notice(_code(notice.code), notice.text, dict(notice.metadata)) for notice in sent)


def shown_columns(columns: Sequence[Column], notices: Iterable[SentNotice]) -> tuple[Column, ...]:
    """Returns the columns without those that the credential of the call does not show.

    A notice names them. A column without values would look like one of calls that had none.
    """
    named = [one.metadata["field"] for one in notices if one.code == NoticeCode.NOTICE_CODE_METRICS_HIDDEN]
    hidden = {name for names in named for name in names.split(", ")}
    return tuple(column for column in columns if column.name not in hidden)


def _code(number: int) -> str:
    if number not in NoticeCode.values():
        return str(number)
    return NoticeCode.Name(NoticeCode.ValueType(number)).removeprefix("NOTICE_CODE_")


def values_of(message: Message) -> Mapping[str, Value]:
    """Returns the fields of a message by name, None where one is absent."""
    return {
        field.name: getattr(message, field.name) if message.HasField(field.name) else None
        for field in message.DESCRIPTOR.fields
        if not field.is_repeated
    }
