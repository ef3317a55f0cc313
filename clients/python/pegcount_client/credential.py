"""What shows a server who calls: a key or a token, as metadata of each call."""

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Token: TypeAlias = str | Callable[[], str]
"""A token, or what returns the present one; it is asked before each call, so that tokens may be renewed."""
AsyncToken: TypeAlias = Token | Callable[[], Awaitable[str]]
"""The same for `AsyncClient`, whose tokens may have to be awaited."""

_Metadata: TypeAlias = list[tuple[str, str]]

_API_KEY: Final = "x-api-key"
_AUTHORIZATION: Final = "authorization"
_KEY_TEXT: Final = re.compile(r"[\x20-\x7e]+")
_TOKEN_TEXT: Final = re.compile(r"[\x21-\x7e]+")
_BEARER: Final = "bearer "


@dataclass(frozen=True, slots=True)
class Credential:
    """A key, a token, or neither. Raises ValueError for both, and for what cannot be sent.

    No text of it, nor of an error, has the key or the token.
    """

    api_key: str | None = field(default=None, repr=False)
    token: AsyncToken | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.api_key is not None and self.token is not None:
            raise ValueError("a call carries one credential: give either api_key or token")
        if self.api_key is not None and not _KEY_TEXT.fullmatch(self.api_key):
            raise ValueError("api_key must be printable ASCII text, and not empty")
        if self.token is not None and not callable(self.token):
            _authorization(self.token)

    @property
    def name(self) -> str | None:
        """The argument that gave it; None without a credential."""
        if self.api_key is not None:
            return "api_key"
        return None if self.token is None else "token"

    @property
    def is_renewed(self) -> bool:
        """Whether a later call may carry another token."""
        return callable(self.token)

    def metadata(self) -> _Metadata:
        """Returns what a call carries; raises TypeError and ValueError for a token that cannot be sent."""
        return self._metadata(self.token() if callable(self.token) else self.token)

    async def async_metadata(self) -> _Metadata:
        """Returns the same with a token that may have to be awaited; raises as `metadata`."""
        token = self.token() if callable(self.token) else self.token
        return self._metadata(await token if inspect.isawaitable(token) else token)

    def _metadata(self, token: object) -> _Metadata:
        if self.api_key is not None:
            return [(_API_KEY, self.api_key)]
        return [] if self.token is None else [(_AUTHORIZATION, _authorization(token))]


def _authorization(token: object) -> str:
    if not isinstance(token, str):
        raise TypeError(f"token must be a text, or return one, not {type(token).__name__}")
    if token.lower().startswith(_BEARER):
        raise ValueError("token must be the token alone: leave out the word Bearer")
    if not _TOKEN_TEXT.fullmatch(token):
        raise ValueError("token must be printable ASCII text without spaces or line ends, and not empty")
    return f"Bearer {token}"
