"""The notice in the answer to a report that the credential of the call expires soon."""

from collections.abc import Callable
from typing import Any

from pegcount import calendar, response
from pegcount.auth import Caller, Credentials
from pegcount.config import Config
from pegcount.server.call import Call
from pegcount.server.calls import UnaryBehavior
from pegcount.zone import US_PER_SECOND


class ExpiryNotices:
    """Adds the notice to answers, from `credential_notice_seconds` before the end of the key in use.

    Tokens get none: whoever issues them gives them a short life.
    """

    def __init__(self, config: Config, credentials: Credentials, clock: Callable[[], int]) -> None:
        """`clock` returns the present time in microseconds UTC."""
        self._answer_bytes_max = config.answer_bytes_max
        self._notice_us = config.credential_notice_seconds * US_PER_SECOND
        self._credentials = credentials
        self._clock = clock

    def added(self, behavior: UnaryBehavior, message_class: Callable[..., Any]) -> UnaryBehavior:
        """Returns a behavior whose answers, serialized messages of a class, have the notice if it is due."""

        async def answer(data: bytes, call: Call) -> bytes:
            answered = await behavior(data, call)
            if call.caller is None or call.caller.expire_us is None:
                return answered
            notices = self._notices(call.caller, call.caller.expire_us, message_class)
            has_room = len(answered) + len(notices) <= self._answer_bytes_max
            return answered + notices if has_room else answered

        return answer

    def _notices(self, caller: Caller, expire_us: int, message_class: Callable[..., Any]) -> bytes:
        if expire_us - self._clock() > self._notice_us or caller.id not in self._credentials:
            return b""
        utc = calendar.zone("UTC")
        assert utc is not None, "tzdata has UTC"
        notice = response.credential_notice(caller.id, expire_us, utc)
        return response.more_notices(message_class, [notice])
