"""Submits the batches of streams, those that name a rule under the rule of their source."""

from pegcount import core, request
from pegcount.config import Config
from pegcount.store import PendingWrite, SourceRules, Store


class StreamRules:
    """The rules that batches of all streams may name."""

    def __init__(self, config: Config, store: Store, rules: SourceRules) -> None:
        self._text_bytes_max = config.source_rule_bytes_max
        self._store = store
        self._rules = rules

    def submit(
        self, batch: bytes, cancel_token: core.CancelToken, writer: core.RecordScope | None
    ) -> PendingWrite:
        """Submits a batch; may wait. `writer` is what its writer reaches, None everything.

        Raises SourceRuleError if it names another rule than that of its source, and InvalidRequestError for a
        rule that cannot be read or a record of another source; see `SourceRules.submit` for more.
        """
        named = request.source_rule(batch, self._text_bytes_max)
        if named is None:
            return self._store.submit(batch, cancel_token, writer)
        return self._rules.submit(batch, named.source, named.rule, cancel_token, writer)
