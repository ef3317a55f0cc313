"""Numbers that a spreadsheet has rounded: `442079460001` saved as `4.42079E+11`.

The number cannot be recovered, and rows of different numbers would become those of one. So such a text is
rejected in every field that holds a telephone number, an account or an id. Fields of names keep any text.
tests/rounded_number_cases.txt has a line for each form.
"""

import re

from pegcount.importers.parsed_line import UnreadableRowError
from pegcount.masked import masked_digits

NUMBER_FIELDS = frozenset(
    {
        *("session_id", "account_id", "agent_id", "src_prefix_routing", "dst_prefix_routing"),
        *("orig_leg_id", "orig_src_party_id", "orig_dst_party_id", "orig_accounts_ident", "orig_rates_code"),
        *("term_leg_id", "term_src_party_id", "term_dst_party_id", "term_accounts_ident", "term_rates_code"),
    }
)
"""Text fields that hold a number or an id."""

# Spreadsheets write a sign and at least two digits of the exponent; programs that read their files may leave
# out the sign, but then write decimals. `1E5`, which may be a real id, is neither.
_ROUNDED = re.compile(r"[0-9](?:[.,][0-9]+)?[Ee]\+[0-9]{2,3}|[0-9][.,][0-9]+[Ee][0-9]{1,3}")


def read_number(text: str) -> str:
    """Returns the text of a number or id; raises UnreadableRowError if a spreadsheet has rounded it."""
    # Most numbers have neither letter, and a search for one is several times as fast as the expression.
    if ("E" in text or "e" in text) and _ROUNDED.fullmatch(text):
        raise UnreadableRowError(f"{masked_digits(text)!r} is a number that a spreadsheet has rounded")
    return text
