"""One session, or one event of it, as the caller writes it."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from pegcount.v1.records_pb2 import SessionRecord

from pegcount_client.arguments import Setter, flag, text, whole_number
from pegcount_client.enums import ReleaseParty, SessionEvent, SessionKind, number
from pegcount_client.times import check_exact

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One session, or one event of it; the fields are those of `SessionRecord`, None is absent.

    Times are datetimes with a time zone, and keep their microseconds. Raises ValueError for a time without
    a zone or with nanoseconds, an unknown name, and a number beyond the bits of its field; TypeError for a
    value of another type, such as a price that is a float.
    """

    source: str | None = None
    """The switch or feed that made the record."""
    session_id: str
    """The source's own id of the session; with `source`, it identifies the record."""
    revision: int | None = None
    """Rank of this version, higher wins. None: 0."""
    event: SessionEvent | str | None = None
    """START, UPDATE or END. None: a whole record."""
    kind: SessionKind | str | None = None
    """CALL, ASR or TTS. None: CALL."""
    setup_time: datetime
    """When the attempt began; every bin uses it."""
    answer_time: datetime | None = None
    """When the called side answered. None: not answered."""
    end_time: datetime | None = None
    """When the session ended. None: still active."""
    is_last_attempt: bool | None = None
    """False on a rerouted attempt that another attempt followed. None: true."""
    disconnect_cause: int | None = None
    """Release cause, ITU-T Q.850."""
    tenant_id: int | None = None
    app_id: int | None = None
    comp_id: int | None = None
    company: str | None = None
    organization: str | None = None
    folder: str | None = None
    agent_id: str | None = None
    equipment_id: int | None = None
    equipment_name: str | None = None
    account_id: str | None = None
    """Account that the call is billed to."""
    src_country_id: int | None = None
    dst_country_id: int | None = None
    src_prefix_routing: str | None = None
    dst_prefix_routing: str | None = None
    auth_orig_ip: str | None = None
    customer_price: Decimal | int | str | None = None
    """Price of the call for the customer, exact, with at most 9 decimals."""
    orig_leg_id: str | None = None
    orig_src_party_id: str | None = None
    orig_dst_party_id: str | None = None
    orig_companies_id: int | None = None
    orig_owner_users_id: int | None = None
    orig_clients_id: int | None = None
    orig_clients_name: str | None = None
    orig_accounts_id: int | None = None
    orig_accounts_name: str | None = None
    orig_accounts_ident: str | None = None
    orig_rates_code: str | None = None
    orig_rates_code_name: str | None = None
    orig_rates_country: str | None = None
    term_leg_id: str | None = None
    term_src_party_id: str | None = None
    term_dst_party_id: str | None = None
    term_companies_id: int | None = None
    term_owner_users_id: int | None = None
    term_clients_id: int | None = None
    term_clients_name: str | None = None
    term_accounts_id: int | None = None
    term_accounts_name: str | None = None
    term_accounts_ident: str | None = None
    term_rates_code: str | None = None
    term_rates_code_name: str | None = None
    term_rates_country: str | None = None
    replaces: bool | None = None
    """Whether what this version leaves absent is absent, rather than as in lower-ranked versions."""
    part: int | None = None
    """Which part of the session this is, for switches that write several rows for one call."""
    part_class: int | None = None
    """How much the answer of this part says about the call, from 1 to 3."""
    alert_time: datetime | None = None
    """When the called side began to ring. The server drops one before the setup or after the answer."""
    vendor_price: Decimal | int | str | None = None
    """Price of the call by the vendor, exact, with at most 9 decimals."""
    currency: str | None = None
    """Currency of `customer_price`, such as EUR."""
    vendor_currency: str | None = None
    """Currency of `vendor_price`."""
    sip_status: int | None = None
    """Final SIP response of the call, from 100 to 699."""
    release_party: ReleaseParty | str | None = None
    """Who ended the call: ORIGINATION, TERMINATION or SWITCH."""

    def __post_init__(self) -> None:
        """Refuses what `to_message` could not send exactly."""
        _check_plain(self)
        _check_time("setup_time", self.setup_time)
        for name, check in _CHECKED:
            value = getattr(self, name)
            if value is not None:
                check(value)

    def to_message(self) -> SessionRecord:
        """Returns the record as a message of the contract; raises TypeError for a value of a wrong type."""
        given = {
            name: value for name, value in zip(_NAMES, _values_of(self), strict=True) if value is not None
        }
        for name, convert in _CONVERTED:
            if name in given:
                given[name] = convert(given[name])
        return SessionRecord(**given)


def _check_time(name: str, value: datetime) -> None:
    if not isinstance(value, datetime):
        raise TypeError(f"{name} must be a datetime with a time zone, not {type(value).__name__}")
    if type(value) is not datetime:
        check_exact(value, what=name)
    if value.utcoffset() is None:
        raise ValueError(
            f"{name}={value!s} has no time zone; give tzinfo=datetime.UTC, or the ZoneInfo of the switch"
        )


def _timestamp(value: datetime) -> Timestamp:
    since = value - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def _price_text(name: str, value: Decimal | int | str) -> str:
    """Returns the price as decimal text, without an exponent."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Decimal):
        try:
            return str(whole_number(name, value))
        except TypeError as error:
            raise TypeError(
                f"{name}={value!r} is of the type {type(value).__name__}, which may not be exact;"
                ' give a Decimal, an int, or text such as "0.012"'
            ) from error
    if not value.is_finite():
        raise ValueError(f"{name}={value} must be a finite number; None says that a call is not rated")
    return f"{value:f}"


@dataclass(frozen=True, slots=True)
class _Plain:
    """A field whose value is a text, a whole number, or True or False."""

    name: str
    kind: type
    number_min: int
    number_max: int

    def check(self, value: object) -> None:
        """Raises TypeError for a value of another type, ValueError for a number beyond the field."""
        if type(value) is not self.kind:
            value = self._converted(value)
        if isinstance(value, int) and not self.number_min <= value <= self.number_max:
            raise ValueError(f"{self.name}={value} must be from {self.number_min:,} to {self.number_max:,}")

    def _converted(self, value: object) -> object:
        try:
            return _CHECKS[self.kind](self.name, value)
        except TypeError as error:
            # What numpy and pandas have for a value that is missing.
            if repr(value) not in ("nan", "np.float64(nan)", "<NA>", "NaT"):
                raise
            raise TypeError(f"{error}; next step: None where it is absent") from error


_CHECKS: Final[dict[type, Setter]] = {str: text, bool: flag, int: whole_number}


def _check_plain(record: Record) -> None:
    if _is_usual(record):
        return
    for value, plain in zip(_plain_values_of(record), _PLAIN, strict=True):
        if value is not None or plain.name == "session_id":
            plain.check(value)


def _is_usual(record: Record) -> bool:
    """Returns whether `_Plain.check` would find nothing, in a few calls for all fields."""
    numbers = _numbers_of(record)
    if not (
        type(record.session_id) is str
        and _TEXTS.issuperset(map(type, _texts_of(record)))
        and _NUMBERS.issuperset(map(type, numbers))
        and _FLAGS.issuperset(map(type, _flags_of(record)))
    ):
        return False
    others = sorted(filter(None, numbers))
    return not others or (others[0] > 0 and others[-1] <= _USUAL_MAX)


_TEXTS: Final = frozenset({str, type(None)})
_FLAGS: Final = frozenset({bool, type(None)})
_NUMBERS: Final = frozenset({int, type(None)})


def _plain(field: Any) -> _Plain:
    kind = {field.CPPTYPE_STRING: str, field.CPPTYPE_BOOL: bool}.get(field.cpp_type, int)
    bits = 32 if field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_UINT32) else 64
    if field.cpp_type in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64):
        return _Plain(field.name, kind, 0, 2**bits - 1)
    return _Plain(field.name, kind, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


_PRICES: Final = ("customer_price", "vendor_price")
_PLAIN: Final = tuple(
    _plain(field)
    for field in SessionRecord.DESCRIPTOR.fields
    if field.enum_type is None and field.message_type is None and field.name not in _PRICES
)
_plain_values_of: Final[Any] = attrgetter(*(plain.name for plain in _PLAIN))
_texts_of: Final[Any] = attrgetter(*(plain.name for plain in _PLAIN if plain.kind is str))
_flags_of: Final[Any] = attrgetter(*(plain.name for plain in _PLAIN if plain.kind is bool))
_numbers_of: Final[Any] = attrgetter(*(plain.name for plain in _PLAIN if plain.kind is int))
_USUAL_MAX: Final = 2**31 - 1
"""Largest number that each field with numbers takes; each takes 0, too."""
_NAMES: Final = tuple(each.name for each in fields(Record))
_values_of: Final[Any] = attrgetter(*_NAMES)
_OPTIONAL_TIMES: Final = ("answer_time", "end_time", "alert_time")
_TO_TEXT_OR_NUMBER: Final[tuple[tuple[str, Any], ...]] = (
    ("event", partial(number, SessionEvent, what="event")),
    ("kind", partial(number, SessionKind, what="kind")),
    ("release_party", partial(number, ReleaseParty, what="release_party")),
    *((name, partial(_price_text, name)) for name in _PRICES),
)
_CHECKED: Final[tuple[tuple[str, Any], ...]] = (
    *((name, partial(_check_time, name)) for name in _OPTIONAL_TIMES),
    *_TO_TEXT_OR_NUMBER,
)
_CONVERTED: Final[tuple[tuple[str, Any], ...]] = (
    *((name, _timestamp) for name in ("setup_time", *_OPTIONAL_TIMES)),
    *_TO_TEXT_OR_NUMBER,
)
