"""A number, a name and addresses that nothing else has, and the search for more of them than may be shown."""

NUMBER = "+493023125987"
NAME = "sip:annacanary@pbx.example"
ADDRESS = "198.51.100.237"
ADDRESS_6 = "2001:db8:5eed:7e57::5eed"
_SHOWN_DIGITS = 3
_WINDOW = 5
"""Digits in a row beyond the shown ones that no text has by chance, apart from ids of calls."""


def found_in(text: str) -> set[str]:
    """Returns what a text shows of the canaries beyond what may stay."""
    hidden = NUMBER.removeprefix("+")[_SHOWN_DIGITS:]
    windows = {hidden[i : i + _WINDOW] for i in range(len(hidden) - _WINDOW + 1)}
    pieces = {"annacanary", "100.237", ":5eed", *windows}
    # Rounded numbers have a point after the first digit.
    return {piece for piece in pieces if piece in text.lower()}
