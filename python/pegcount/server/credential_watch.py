"""What a running server does for its credentials from time to time: it says which expire, and saves uses."""

import asyncio
import logging
from collections.abc import Callable

from pegcount.auth import Credentials
from pegcount.config import Config
from pegcount.errors import PegcountError, cause_of

_LOG = logging.getLogger(__name__)


async def watch_credentials(credentials: Credentials, config: Config) -> None:
    """Logs the credentials that expire soon, now and daily, and saves when each was used, until cancelled."""
    loop = asyncio.get_running_loop()
    next_log_s = loop.time()
    while True:
        if loop.time() >= next_log_s:
            credentials.log_expiring()
            next_log_s += config.credential_log_seconds
        await asyncio.sleep(config.credential_save_seconds)
        await asyncio.to_thread(save_uses, credentials)


def save_uses(credentials: Credentials) -> None:
    """Saves when each credential was last used, which may wait; if the store cannot, the log says so."""
    try:
        credentials.save_uses()
    except PegcountError as error:
        _LOG.warning("the last uses of the credentials are not saved: %s", error)


async def follow_credentials(credentials: Credentials, look_seconds: float) -> None:
    """Takes up what other servers change, again and again, until cancelled."""
    is_failing = False
    while True:
        await asyncio.sleep(look_seconds)
        if not credentials.is_behind:
            continue
        try:
            await asyncio.to_thread(credentials.take_up_changes)
            is_failing = False
        except PegcountError as error:
            if not is_failing:
                _LOG.warning("changed credentials cannot be read: %s", cause_of(error))
            is_failing = True


async def end_refused_streams(end_refused: Callable[[], None], look_seconds: float) -> None:
    """Ends streams whose credential has expired, again and again, until cancelled."""
    while True:
        await asyncio.sleep(look_seconds)
        end_refused()
