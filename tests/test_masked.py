"""What is shown of numbers and addresses of parties."""

import hypothesis.strategies as st
import pytest
from hypothesis import given
from pegcount.masked import KEPT_DIGITS, masked, masked_address, masked_digits


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("112", "***"),
        ("+112", "****"),
        ("11833", "118**"),
        ("+15550100", "+155*****"),
        ("0049 30 23125-000", "004* ** *****-***"),
        ("sip:+442079460000@192.0.2.7:5060;user=phone", "***:+442*********@***.*.*.*:****;****=*****"),
        ("tel:+1-555-0100", "***:+1-55*-****"),
        ("Anna Müller", "**** ******"),
        ("\N{CYRILLIC CAPITAL LETTER DE}" * 4 + "7", "****7"),
        ("e\N{COMBINING ACUTE ACCENT}5550100", "**555****"),
        ("\N{ARABIC-INDIC DIGIT ONE}" * 5, "*****"),
        ("\N{FULLWIDTH PLUS SIGN}1555\N{EN DASH}0100", "*155******"),
        ("\N{SUPERSCRIPT TWO}\N{ROMAN NUMERAL FIVE}12345", "**123**"),
        ("%2B15550100", "%2*15******"),
        ("anna\x00\n5550100", "****\x00\n555****"),
    ],
)
def test_three_digits_and_separators_stay(text: str, shown: str) -> None:
    assert masked(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("192.0.2.10", "192.0.*.*"),
        ("192.0.2.0/24", "192.0.*.*/24"),
        ("192.0.2.10/555000100", "192.0.*.*/555******"),
        ("2001:db8::7", "2001:db8:*"),
        ("2001:DB8:1:2:3:4:5:6/64", "2001:db8:*/64"),
        ("::1", "0:0:*"),
        ("fe80::1%eth0", "fe80:0:*"),
        ("::ffff:192.0.2.10", "::ffff:192.0.*.*"),
        ("::ffff:192.0.2.0/120", "::ffff:192.0.*.*/120"),
        ("192.0.2.300", "192.*.*.***"),
        ("192.0.2.10:5060", "192.*.*.**:****"),
        ("2001:db8::7::1", "200*:***::*::*"),
        ("gateway.example", "*******.*******"),
    ],
)
def test_the_network_of_an_address_stays(text: str, shown: str) -> None:
    assert masked_address(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("1234", "1234"),
        ("answer 12", "answer 12"),
        ("Anna +15550100", "Anna +155*****"),
        ("2026-03-29", "202*-**-**"),
        ("\N{ARABIC-INDIC DIGIT ONE}" * 5, "\N{ARABIC-INDIC DIGIT ONE}" * 3 + "**"),
    ],
)
def test_of_another_text_letters_stay(text: str, shown: str) -> None:
    assert masked_digits(text) == shown


@given(st.text())
def test_nothing_but_three_digits_and_separators_stays(text: str) -> None:
    shown = masked(text)
    assert len(shown) == len(text)
    assert sum(character.isalnum() for character in shown) <= KEPT_DIGITS
    assert all(character in ("*", of_text) for character, of_text in zip(shown, text, strict=True))


@given(st.ip_addresses())
def test_half_of_an_address_is_never_shown(address: object) -> None:
    assert str(address) not in masked_address(str(address))
