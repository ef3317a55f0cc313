"""Seeded call records with all fields, like those of a switch with rating, for benches.

Numbers are from ranges reserved for fiction, addresses from ranges reserved for documentation.
"""

import random
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from pegcount.v1.records_pb2 import (
    SESSION_EVENT_UNSPECIFIED,
    SESSION_KIND_ASR,
    SESSION_KIND_CALL,
    SESSION_KIND_TTS,
    SessionRecord,
)
from pegcount.zone import US_PER_DAY, US_PER_SECOND
from traffic import FROM_US

Row = dict[str, object]
"""Values by field name; times in microseconds UTC, absent fields missing."""

TIMES = ("setup_time", "answer_time", "end_time")
ANSWERED = 0.55
TALK_SECONDS_MEAN = 180.0
DUPLICATES = 0.005
LATE = 0.01
CALLS_PER_SECOND = 200
RECENT_ROWS = 2_000
"""A repeated record is one of this many most recent records."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A called network: number prefix, count of further digits, and price per minute."""

    prefix: str
    digits: int
    name: str
    country: str
    country_id: int
    price: Decimal


DESTINATIONS = (
    Destination("4420794600", 2, "United Kingdom London", "GB", 826, Decimal("0.0041")),
    Destination("4416149600", 2, "United Kingdom Manchester", "GB", 826, Decimal("0.0043")),
    Destination("447700900", 3, "United Kingdom Mobile", "GB", 826, Decimal("0.0127")),
    Destination("1202555010", 1, "United States District of Columbia", "US", 840, Decimal("0.0032")),
    Destination("1212555010", 1, "United States New York", "US", 840, Decimal("0.0029")),
    Destination("1312555010", 1, "United States Illinois", "US", 840, Decimal("0.0030")),
    Destination("1416555010", 1, "Canada Toronto", "CA", 124, Decimal("0.0034")),
    Destination("493023125", 3, "Germany Berlin", "DE", 276, Decimal("0.0058")),
    Destination("496990009", 3, "Germany Frankfurt", "DE", 276, Decimal("0.0058")),
    Destination("498999998", 3, "Germany Munich", "DE", 276, Decimal("0.0058")),
    Destination("3319900", 4, "France Paris", "FR", 250, Decimal("0.0047")),
    Destination("3363998", 4, "France Mobile", "FR", 250, Decimal("0.0149")),
    Destination("6125550", 4, "Australia Sydney", "AU", 36, Decimal("0.0112")),
    Destination("6135550", 4, "Australia Melbourne", "AU", 36, Decimal("0.0112")),
    Destination("35320910", 4, "Ireland Dublin", "IE", 372, Decimal("0.0064")),
)
_SYLLABLES = ("al", "bor", "cen", "dal", "el", "far", "gan", "hol", "il", "jor", "kel", "lun", "mar", "nor")
_KINDS = (SESSION_KIND_CALL,) * 18 + (SESSION_KIND_ASR, SESSION_KIND_TTS)
_UNANSWERED_CAUSES = (17, 18, 19, 21, 31, 34, 41)


class Switch:
    """Customers, vendors and equipment, and the records that they produce; deterministic for a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._customers = [self._party("orig", number) for number in range(400)]
        self._vendors = [self._party("term", number) for number in range(40)]
        self._offices = [self._office(number) for number in range(64)]
        self._popularity = [1 / (rank + 1) for rank in range(400)]

    def rows(self, count: int) -> Iterator[Row]:
        """Yields records in order of setup, some set up a day earlier, some repeated."""
        recent: deque[Row] = deque(maxlen=RECENT_ROWS)
        for number in range(count):
            if recent and self._random.random() < DUPLICATES:
                yield self._random.choice(recent)
                continue
            row = self._row(FROM_US + US_PER_DAY + number * US_PER_SECOND // CALLS_PER_SECOND)
            recent.append(row)
            yield row

    def _row(self, now_us: int) -> Row:
        chance = self._random
        customer = chance.choices(self._customers, self._popularity)[0]
        destination, calling = chance.choice(DESTINATIONS), self._number(chance.choice(DESTINATIONS))
        called = self._number(destination)
        late_us = US_PER_DAY if chance.random() < LATE else 0
        row: Row = {
            "source": f"sbc-{chance.randrange(4)}.example.net",
            "session_id": self._id(),
            "revision": 1,
            "event": SESSION_EVENT_UNSPECIFIED,
            "kind": chance.choice(_KINDS),
            "is_last_attempt": chance.random() < 0.93,
            "src_prefix_routing": calling,
            "dst_prefix_routing": called,
            "dst_country_id": destination.country_id,
        }
        row |= customer | chance.choice(self._vendors) | chance.choice(self._offices)
        row |= self._leg("orig", calling, called, destination) | self._leg(
            "term", calling, called, destination
        )
        return row | self._course(now_us - late_us - chance.randrange(US_PER_SECOND), destination)

    def _course(self, setup_us: int, destination: Destination) -> Row:
        """Returns times, cause and price of a call."""
        chance = self._random
        ring_us = chance.randrange(1, 30 * US_PER_SECOND)
        if chance.random() >= ANSWERED:
            cause = chance.choice(_UNANSWERED_CAUSES)
            return {"setup_time": setup_us, "end_time": setup_us + ring_us, "disconnect_cause": cause}
        talk_us = int(chance.expovariate(1 / TALK_SECONDS_MEAN) * US_PER_SECOND)
        price = destination.price * talk_us / (60 * US_PER_SECOND)
        return {
            "setup_time": setup_us,
            "answer_time": setup_us + ring_us,
            "end_time": setup_us + ring_us + talk_us,
            "disconnect_cause": 16,
            "customer_price": f"{price:.6f}",
        }

    def _leg(self, leg: str, calling: str, called: str, destination: Destination) -> Row:
        return {
            f"{leg}_leg_id": f"{self._id()}@198.51.100.{self._random.randrange(256)}",
            f"{leg}_src_party_id": calling,
            f"{leg}_dst_party_id": called,
            f"{leg}_rates_code": destination.prefix[:6],
            f"{leg}_rates_code_name": destination.name,
            f"{leg}_rates_country": destination.country,
        }

    def _party(self, leg: str, number: int) -> Row:
        name = self._name()
        row: Row = {
            f"{leg}_companies_id": 1 + number % 25,
            f"{leg}_owner_users_id": 10 + number % 60,
            f"{leg}_clients_id": 1_000 + number,
            f"{leg}_clients_name": f"{name} Telecom",
            f"{leg}_accounts_id": 50_000 + number,
            f"{leg}_accounts_name": f"{name} wholesale {number}",
            f"{leg}_accounts_ident": f"{name.lower()}-{number}.example.com",
        }
        if leg == "orig":
            row |= {"account_id": str(50_000 + number), "tenant_id": 1 + number % 20}
            row |= {"auth_orig_ip": f"203.0.113.{number % 256}", "src_country_id": (826, 840)[number % 2]}
        return row

    def _office(self, number: int) -> Row:
        return {
            "app_id": 1 + number % 30,
            "comp_id": 1 + number % 8,
            "company": f"{self._name()} Limited",
            "organization": ("support", "sales", "billing")[number % 3],
            "folder": f"folder-{number}",
            "agent_id": f"agent-{self._random.randrange(1_000)}",
            "equipment_id": 1 + number % 12,
            "equipment_name": f"mgw-{1 + number % 12}.example.net",
        }

    def _name(self) -> str:
        return "".join(self._random.choices(_SYLLABLES, k=3)).capitalize()

    def _number(self, of: Destination) -> str:
        return f"{of.prefix}{self._random.randrange(10**of.digits):0{of.digits}d}"

    def _id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def message(row: Mapping[str, object]) -> SessionRecord:
    """Converts a row to a protobuf message."""
    record = SessionRecord(**{name: value for name, value in row.items() if name not in TIMES})  # type: ignore[arg-type]
    for name in TIMES:
        if name in row:
            getattr(record, name).FromMicroseconds(row[name])
    return record
