"""Takes a token apart (RFC 7515, section 3.1), and reads its claims only once its signature is verified.

PyJWT looks at each character of a token in Python, and reads the claims first: anybody could make the server
work for most of a millisecond with a token of 8 KiB. Its algorithms verify the signatures.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import jwt

from pegcount.auth.token_keys import TokenKey

_HEADER_MEMBER_COUNT_MAX: Final = 64
"""Commas and opening brackets of a header, which anybody may write; RFC 7515 knows eleven members."""
# The quadratic time of a long integer is not spent on a header, where no integer means anything.
_HEADER_DECODER: Final = json.JSONDecoder(parse_int=float)


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A token before its signature is verified: good for finding its key, and nothing else."""

    algorithm: str
    key_id: str | None
    _signed: bytes = field(repr=False)
    _signature: bytes = field(repr=False)
    _payload: bytes = field(repr=False)

    def is_signed_by(self, key: TokenKey) -> bool:
        """Returns whether the signature is one of the key, by the algorithm of the key."""
        algorithm = jwt.get_algorithm_by_name(key.algorithm)
        return bool(algorithm.verify(self._signed, key.material, self._signature))

    def claims(self) -> Mapping[str, Any]:
        """Returns the claims; raises ValueError or RecursionError if the token has none.

        Only for a token whose signature is verified: reading them may take long.
        """
        return _object(json.loads(_decoded(self._payload)))


def read_token(text: bytes) -> SignedToken:
    """Raises ValueError if a text is not a token, or if its header demands what the server does not know."""
    signed, _, signature = text.rpartition(b".")
    header_text, _, payload = signed.partition(b".")
    header = _header(_decoded(header_text))
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or not isinstance(key_id, str | None):
        raise ValueError("the algorithm or the id of the key is not a text")
    if "crit" in header or header.get("b64", True) is not True:
        raise ValueError("the header has extensions that must be understood")
    return SignedToken(algorithm, key_id, signed, _decoded(signature), payload)


def _header(content: bytes) -> Mapping[str, Any]:
    if sum(map(content.count, (b",", b"[", b"{"))) > _HEADER_MEMBER_COUNT_MAX:
        raise ValueError("the header has too many members")
    return _object(_HEADER_DECODER.decode(content.decode()))


def _object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _decoded(part: bytes) -> bytes:
    """Returns the bytes that a part stands for; each part has one spelling, so that a token has just one."""
    decoded = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(decoded).rstrip(b"=") != part:
        raise ValueError("not base64url without padding")
    return decoded
