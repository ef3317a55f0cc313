"""Sources that are known to have records, by the rule that makes their calls."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from pegcount.errors import SourceRuleError


class BoundSources:
    """Tells whether a batch goes without a look at the rule of its source. Thread-safe."""

    def __init__(self, count_max: int) -> None:
        """Remembers up to `count_max` sources; of more, some are looked at again."""
        self._count_max = count_max
        self._rule_of: dict[str, str] = {}
        self._inside = 0
        self._changed = Condition()

    @contextmanager
    def entered(self, source: str, rule: str) -> Iterator[bool]:
        """Yields whether the source is bound to this rule; `release_all` waits for the end of the block then.

        Raises SourceRuleError if the source is bound to another rule.
        """
        with self._changed:
            bound = self._rule_of.get(source)
            if bound not in (None, rule):
                raise SourceRuleError(source, rule, bound)
            self._inside += bound is not None
        try:
            yield bound is not None
        finally:
            with self._changed:
                self._inside -= bound is not None
                self._changed.notify_all()

    def bind(self, source: str, rule: str) -> None:
        """Remembers that a source has records by a rule."""
        with self._changed:
            if len(self._rule_of) >= self._count_max:
                self._rule_of.clear()
            self._rule_of[source] = rule

    def release_all(self) -> dict[str, str]:
        """Forgets all sources and returns them, once no block of one is left."""
        with self._changed:
            released, self._rule_of = self._rule_of, {}
            self._changed.wait_for(lambda: not self._inside)
        return released
