"""The attacks of `token_attacks`, without a server."""

from pathlib import Path

import pytest
from pegcount.auth import Tokens
from pegcount.config import Config
from token_issuer import NOW_S

from security.token_attacks import TokenAttack, good_tokens, token_attacks, trusted_issuers

NOW_US = NOW_S * 1_000_000
ATTACKS = list(token_attacks())


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    directory: Path = tmp_path_factory.mktemp("issuers")
    return Tokens(trusted_issuers(directory), Config())


@pytest.mark.parametrize("good", list(good_tokens()), ids=lambda good: good.name)
def test_good_tokens_are_accepted(good: TokenAttack, tokens: Tokens) -> None:
    assert tokens.caller_of_token(good.token, NOW_US) is not None


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attacks_are_refused(attack: TokenAttack, tokens: Tokens) -> None:
    assert tokens.caller_of_token(attack.token, NOW_US) is None


def test_each_attack_has_a_name_of_its_own() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
