"""Texts of errors that list what there is."""

import pytest
from pegcount.errors import CodeDeckNotFoundError


@pytest.mark.parametrize(
    ("ids", "text", "allowed"),
    [
        ((), "there is no code deck 7; the store has none", ""),
        ((9, 1), "there is no code deck 7; the ids are 1, 9", "1, 9"),
        (
            range(10, 22),
            "there is no code deck 7; the ids are 10, 11, 12, 13, 14, 15, 16, 17, 18, 19 and 2 more",
            "10, 11, 12, 13, 14, 15, 16, 17, 18, 19 and 2 more",
        ),
    ],
)
def test_an_unknown_code_deck_names_the_first_ten_that_exist(
    ids: range | tuple[int, ...], text: str, allowed: str
) -> None:
    error = CodeDeckNotFoundError(7, ids)
    assert (str(error), error.metadata) == (text, {"allowed": allowed, "code_deck": "7"})
