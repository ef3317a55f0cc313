"""Dimension data of the peer bench: the fields of each account, address, agent, route, number and cause.

All data is made up. Addresses are from ranges for documentation and benchmarks; digits are routing
prefixes rather than numbers.
"""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray
from pegcount.v1.records_pb2 import SESSION_KIND_CALL

Fields = dict[str, int | str]
"""Fields of a record by name."""

ACCOUNT_COUNT = 500
ADDRESSES_PER_ACCOUNT = 4
APP_COUNT, COMP_COUNT, TENANT_COUNT = 100, 16, 20
EQUIPMENT_COUNT, VENDOR_COUNT = 40, 50
AGENT_COUNT, FOLDER_COUNT = 1_000, 64
COMPANY, ORGANIZATION = "acme", "support"
COUNTRY_COUNT = 200
CALLED_PER_COUNTRY, CALLER_PER_COUNTRY = 100, 10
PREFIX_DIGITS = 7
FIRST_COUNTRY_ID = 1_000
PRICE_UNITS = 10_000
"""Integer units per 1.0 of price, i.e. four decimals."""
PRICE_MAX = 10 * PRICE_UNITS - 1
ANSWERED_CAUSES, ANSWERED_SHARES = (16, 31), (0.95, 0.05)
UNANSWERED_CAUSES, UNANSWERED_SHARES = (17, 18, 19, 21, 34), (0.4, 0.1, 0.3, 0.1, 0.1)
CAUSES = (*ANSWERED_CAUSES, *UNANSWERED_CAUSES)

# As in the real numbering plan, none of the codes is a prefix of another.
_SHORT_CODES = (
    *(44, 1, 49, 33, 39, 34, 91, 86, 7, 81, 55, 61, 31, 32, 41, 43, 45, 46, 47, 48, 20, 27, 30, 36, 40),
    *(51, 52, 53, 54, 56, 57, 58, 60, 62, 63, 64, 65, 66, 82, 84, 90, 92, 93, 94, 95, 98),
)
_LONG_GROUPS = (35, 37, 38, 42, 97, 96, 50, 59, 21, 22, 23, 24, 25, 26, 29, 67, 68)
_LONG_CODES = tuple(group * 10 + digit for group in _LONG_GROUPS for digit in range(10))
COUNTRY_CODES = tuple(map(str, (_SHORT_CODES + _LONG_CODES)[:COUNTRY_COUNT]))
"""Calling codes, the most frequent first."""

_BLOCKS = ("198.51.100", "203.0.113", "192.0.2")
_FIXED_SEED = 44


def zipf(count: int, exponent: float) -> NDArray[np.float64]:
    """Returns cumulative shares of ranks, proportional to a negative power of the rank."""
    shares = np.arange(1, count + 1, dtype=np.float64) ** -exponent
    return np.asarray(np.cumsum(shares / shares.sum()))


def price_text(units: int) -> str:
    """Formats a price as records carry it."""
    return f"{units // PRICE_UNITS}.{units % PRICE_UNITS:04d}"


def _accounts() -> Iterator[Fields]:
    for rank in range(ACCOUNT_COUNT):
        # Accounts of similar size get distant ids: 211 and 500 are coprime.
        number = rank * 211 % ACCOUNT_COUNT
        yield {
            "account_id": f"{100_000 + number}",
            "tenant_id": 1 + number % TENANT_COUNT,
            "orig_clients_name": f"carrier-{number:03d}",
        }


def _addresses() -> Iterator[Fields]:
    """Yields an address per account slot; the consecutive slots of one account are in several blocks."""
    documented = [f"{block}.{host}" for host in range(1, 255) for block in _BLOCKS]
    count = ACCOUNT_COUNT * ADDRESSES_PER_ACCOUNT - len(documented)
    others = [f"198.{18 + i % 2}.{i // 2 % 200}.{1 + i * 7 % 250}" for i in range(count)]
    chance = np.random.default_rng(_FIXED_SEED)
    for i in chance.permutation(len(documented) + count):
        yield {"auth_orig_ip": (documented + others)[i]}


def _agents() -> Iterator[Fields]:
    for number in range(AGENT_COUNT):
        yield {
            "company": COMPANY,
            "organization": ORGANIZATION,
            "folder": f"folder-{number % FOLDER_COUNT:02d}",
            "agent_id": f"agent-{number:04d}",
        }


def _routes() -> Iterator[Fields]:
    for equipment, vendor in product(range(EQUIPMENT_COUNT), range(VENDOR_COUNT)):
        yield {
            "source": f"switch-{equipment % 4}",
            "equipment_id": 1 + equipment,
            "term_clients_name": f"vendor-{vendor:02d}",
        }


def _numbers(side: str, per_country: int) -> Iterator[Fields]:
    """Yields the prefixes of all countries, `per_country` for each, ordered by country."""
    chance = np.random.default_rng([_FIXED_SEED, per_country])
    for country, code in enumerate(COUNTRY_CODES):
        digits = PREFIX_DIGITS - len(code)
        for rest in chance.choice(10**digits, per_country, replace=False):
            yield {
                f"{side}_country_id": FIRST_COUNTRY_ID + country,
                f"{side}_prefix_routing": f"{code}{rest:0{digits}d}",
            }


def _causes() -> Iterator[Fields]:
    for cause in CAUSES:
        yield {"kind": SESSION_KIND_CALL, "is_last_attempt": True, "disconnect_cause": cause}


DIMENSIONS: dict[str, Sequence[Fields]] = {
    "account": list(_accounts()),
    "address": list(_addresses()),
    "application": [
        {"app_id": 1 + app, "comp_id": 1 + comp} for app, comp in product(range(APP_COUNT), range(COMP_COUNT))
    ],
    "agent": list(_agents()),
    "route": list(_routes()),
    "caller": list(_numbers("src", CALLER_PER_COUNTRY)),
    "called": list(_numbers("dst", CALLED_PER_COUNTRY)),
    "cause": list(_causes()),
}
"""The fields that each code of a column stands for."""
