"""Checks the arguments of `write_records`."""

import inspect

from pegcount_client.arguments import whole_number
from pegcount_client.retry import RetryPolicy


def checked_unanswered_max(unanswered_batch_max: int) -> int:
    """Returns the limit; raises ValueError below 1, with which nothing could ever be sent, and TypeError."""
    checked = whole_number("unanswered_batch_max", unanswered_batch_max)
    if checked < 1:
        raise ValueError(f"unanswered_batch_max={unanswered_batch_max!r} must be at least 1")
    return checked


def check_callback(name: str, callback: object) -> None:
    """Raises TypeError for what cannot be called."""
    if callback is not None and not callable(callback):
        raise TypeError(f"{name} is a function or None, not {callback!r}")


def refuse_coroutine_function(name: str, callback: object) -> None:
    """Raises TypeError for a callback that a writer of threads would call without effect."""
    call = getattr(callback, "__call__", None)  # noqa: B004 - an object whose __call__ is a coroutine function
    if inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(call):
        raise TypeError(
            f"{name} is a coroutine function, which nobody would await; next step: give a plain function,"
            " or use AsyncClient"
        )


def checked_policy(retry: RetryPolicy) -> RetryPolicy:
    """Returns the policy; raises TypeError for another type."""
    if not isinstance(retry, RetryPolicy):
        raise TypeError(f"retry is a RetryPolicy or None, not {retry!r}; next step: RetryPolicy(count_max=0)")
    return retry
