"""Prices with more decimals than a record can hold: 9.

PostgreSQL prints a numeric with all its decimals, which may be 20 or 40. A call must not be lost for them,
so the importers round to 9 decimals, half to even. Records that are written otherwise are rejected, as only
their sender can know what rounding is right.
"""

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

from pegcount.v1.records_pb2 import SessionRecord

PRICE_FIELDS = tuple(field.name for field in SessionRecord.DESCRIPTOR.fields if field.name.endswith("_price"))
"""Text fields that hold a price."""

_DECIMAL_COUNT_MAX = 9
_UNIT = Decimal(1).scaleb(-_DECIMAL_COUNT_MAX)
# A price of more than 20 digits before the point is out of range however it is rounded.
_TOO_EXACT = re.compile(rf"([+-]?[0-9]{{1,20}}\.[0-9]{{{_DECIMAL_COUNT_MAX}}})([0-9]+)")
_CONTEXT = Context(prec=40, rounding=ROUND_HALF_EVEN)
# The shortest text with too many decimals: a digit and the point before them.
_TOO_EXACT_CHARS_MIN = 2 + _DECIMAL_COUNT_MAX + 1


def round_prices(record: SessionRecord) -> bool:
    """Shortens the prices of a record to 9 decimals; returns whether it changed the value of one.

    Leaves other texts than prices to the store, which rejects them.
    """
    is_rounded = False
    for name in PRICE_FIELDS:
        text = getattr(record, name)
        if len(text) >= _TOO_EXACT_CHARS_MIN and (match := _TOO_EXACT.fullmatch(text)):
            kept, cut = match.groups()
            # Zeros at the end are how a database prints the scale of a column, not decimals.
            if cut.strip("0"):
                kept = f"{Decimal(text).quantize(_UNIT, context=_CONTEXT):f}"
                is_rounded = True
            setattr(record, name, kept)
    return is_rounded
