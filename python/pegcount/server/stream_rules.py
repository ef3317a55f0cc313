"""Checks the rule by which the ids of a stream's batches are made, once for each rule."""

from pegcount import core, request
from pegcount.config import Config
from pegcount.store import Store, require_source_rule

_KNOWN_COUNT_MAX = 64
"""Rules that a stream remembers; a stream of more sources looks at some of them again."""


class StreamRules:
    """The rules that batches of one stream may name."""

    def __init__(self, config: Config, store: Store) -> None:
        self._text_bytes_max = config.source_rule_bytes_max
        self._store = store
        self._known: set[request.SourceRule] = set()

    def check(self, batch: bytes, cancel_token: core.CancelToken) -> None:
        """Raises SourceRuleError if a batch names a rule that is not that of its source; may wait.

        Raises InvalidRequestError for a rule that cannot be read; see `require_source_rule` for more.
        """
        named = request.source_rule(batch, self._text_bytes_max)
        if named is None or named in self._known:
            return
        require_source_rule(self._store, named.source, named.rule, cancel_token)
        if len(self._known) >= _KNOWN_COUNT_MAX:
            self._known.clear()
        self._known.add(named)
