"""The core merges versions and joins parts as the oracle does, also in fields that no report shows."""

from typing import Any

from hypothesis import given
from oracle import records
from oracle.strategies import DAY_US, PLAIN_INSTANTS, sessions, ticks_around, without_ties
from pegcount import core
from pegcount.config import Config
from pegcount.v1.records_pb2 import SESSION_KIND_CALL, SessionRecord, WriteRecordsRequest

from properties import budget

_TICKS = ticks_around("UTC", PLAIN_INSTANTS[0])


@budget.drawn(budget.scaled(400))
@given(drawn=sessions(_TICKS))
def test_a_merged_record_has_the_fields_of_the_oracle(drawn: list[SessionRecord]) -> None:
    messages = without_ties(drawn)
    merged = records.merge_messages(messages)
    expected = sorted(_of_session(session) for session in merged.sessions)
    for order in (messages, messages[::-1]):
        assert sorted(_of_message(record) for record in _merged_by_core(order)) == expected


def _merged_by_core(messages: list[SessionRecord]) -> list[SessionRecord]:
    # Rules for new records, such as that of addresses, are not those of the oracle.
    request = WriteRecordsRequest(records=messages, accept_stored=True)
    batch = core.decode_batch(request.SerializeToString(), Config())
    held: list[core.Versions] = []
    for _, version in batch.versions:
        day = records.micros(SessionRecord.FromString(version.record).setup_time) // DAY_US
        joined = [one for one in held if one.joinable_days[0] <= day <= one.joinable_days[1]]
        held = [*(one for one in held if one not in joined), version.join(joined)[0]]
    return [SessionRecord.FromString(one.record) for one in held]


def _of_session(session: records.Session) -> tuple[Any, ...]:
    times = (session.setup_us, session.answer_us or -1, session.end_us or -1, session.alert_us or -1)
    kinds = (session.kind, session.release_party, session.is_last_attempt)
    return (*times, *kinds, sorted(session.texts.items()), sorted(session.numbers.items()))


def _of_message(record: SessionRecord) -> tuple[Any, ...]:
    values = {field.name: value for field, value in record.ListFields()}
    times = [
        records.micros(values[name]) if name in values else -1
        for name in ("setup_time", "answer_time", "end_time", "alert_time")
    ]
    kind, is_last = record.kind or SESSION_KIND_CALL, values.get("is_last_attempt", True)
    key = ("source", "session_id")
    texts = {name: value for name, value in values.items() if isinstance(value, str) and name not in key}
    numbers = {name: values[name] for name in values if name in records.NUMBER_NAMES and name != "revision"}
    return (*times, kind, record.release_party, is_last, sorted(texts.items()), sorted(numbers.items()))
