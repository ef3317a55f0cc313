"""Which rule made the ids of a source's records, so that two rules never count the same calls twice.

The rule of a source is a settings document. It is kept when the first records come, and stays: another
importer that begins at the same time either finds it, or finds that somebody else has put it.
"""

from pegcount.core import CancelToken
from pegcount.errors import DocumentChangedError, SourceRuleError
from pegcount.model import OneOf, Predicate, Present
from pegcount.store.interface import Store

RULE_OF_OLDER_VERSIONS = "asterisk rows"
"""Versions that kept no rules imported each row of Asterisk as a call."""

_DOCUMENT_PREFIX = "source_rule/"
# Each attempt but the last follows one in which another importer was faster.
_ATTEMPT_COUNT_MAX = 8


def require_source_rule(store: Store, source: str, rule: str, cancel_token: CancelToken) -> None:
    """Returns if the ids of a source are made by this rule; a source without records gets it.

    Raises SourceRuleError if they are made by another rule, or if the source has records and its rule is not
    known; StoreReadOnlyError if the rule cannot be kept; CancelledError, DeadlineError or DataDamagedError
    as `Store.any_match` does.
    """
    for attempt in range(_ATTEMPT_COUNT_MAX):
        kept = store.document(_DOCUMENT_PREFIX + source)
        if kept is not None:
            _require_same(source, rule, kept.content.decode())
            return
        if rule != RULE_OF_OLDER_VERSIONS and store.any_match([_is_of(source)], cancel_token):
            raise SourceRuleError(source, rule, "")
        try:
            store.put_document(_DOCUMENT_PREFIX + source, rule.encode(), None)
        except DocumentChangedError:
            if attempt == _ATTEMPT_COUNT_MAX - 1:
                raise
        else:
            return


def _require_same(source: str, rule: str, rule_of_source: str) -> None:
    if rule_of_source != rule:
        raise SourceRuleError(source, rule, rule_of_source)


def _is_of(source: str) -> Predicate:
    return OneOf("source", (source,)) if source else Present("source", wanted=False)
