"""What the tables of all reports take from an answer in the same way."""

from collections.abc import Iterable, Mapping

from google.protobuf.message import Message

from pegcount.cli.report.report_table import Notice, Range, Value
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
