"""The notices of an answer that counts nothing, about values of its filters that no record carries."""

from collections.abc import Iterable, Sequence

from pegcount.v1 import records_pb2, reports_pb2

from .records import Session

Value = int | str

VALUES_LISTED_MAX = 10
ACCOUNTS = ("account_id", "orig_accounts_id", "term_accounts_id")


def notices(
    sessions: Sequence[Session], filters: Iterable[tuple[str, str, Iterable[Value]]]
) -> list[reports_pb2.Notice]:
    """Returns the notices, without text; a filter is its field, the column, and its values."""
    found = []
    for field, column, values in filters:
        carried = {_value(session, column) for session in sessions}
        unseen = [value for value in dict.fromkeys(values) if value not in carried]
        if unseen:
            found.append(_notice(field, column, unseen))
    return found


def _notice(field: str, column: str, unseen: Sequence[Value]) -> reports_pb2.Notice:
    names = [str(value) for value in unseen]
    code = reports_pb2.NOTICE_CODE_ID_NOT_SEEN
    if column in ACCOUNTS:
        code = reports_pb2.NOTICE_CODE_ACCOUNT_NOT_SEEN
    if column == "kind":
        code = reports_pb2.NOTICE_CODE_KIND_NOT_SEEN
        names = [
            records_pb2.SessionKind.Name(records_pb2.SessionKind.ValueType(int(kind))) for kind in unseen
        ]
    listed = ", ".join(names[:VALUES_LISTED_MAX])
    metadata = {"field": field, "values": listed, "value_count": str(len(names))}
    return reports_pb2.Notice(code=code, metadata=metadata)


def _value(session: Session, column: str) -> Value | None:
    if column == "kind":
        return session.kind
    return session.texts.get(column, session.numbers.get(column))
