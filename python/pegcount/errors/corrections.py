"""Errors about corrections, and about the rule by which a source makes calls."""

from pegcount.errors.base import InvalidRequestError, PegcountError, Violation, quoted, shortened


class CorrectedSourceLimitError(InvalidRequestError):
    """A stream corrects records of more sources than one may; nothing of the batch is taken."""

    def __init__(self, asked: int, allowed: int) -> None:
        message = f"the stream corrects {asked} sources; {allowed} are allowed (corrected_source_count_max)"
        metadata = {"asked": str(asked), "allowed": str(allowed)}
        super().__init__([Violation("records", "LIST_LIMIT_EXCEEDED", message, metadata)])


class SourceRuleError(PegcountError):
    """Another rule makes the calls of the source, so that calls would count twice or be mixtures of both."""

    reason = "SOURCE_RULE_DIFFERS"

    def __init__(self, source: str, rule: str, rule_of_source: str) -> None:
        """`rule_of_source` is empty if an older version or another client wrote the records."""
        found = f"the rule {quoted(rule_of_source)}" if rule_of_source else "a rule that is not known"
        super().__init__(
            f"the calls of source {quoted(source)} are made by {found}, not by {quoted(rule)}: calls would"
            " count twice or be mixed. Write into another source (--source), or make calls in the same"
            f" way{_options_of_rule(rule_of_source)}",
            source=source,
            rule=rule,
            rule_of_source=rule_of_source,
        )


class CorrectionInProgressError(PegcountError):
    """Another stream corrects records of the source, and the batch waited for its end in vain."""

    reason = "CORRECTION_IN_PROGRESS"

    def __init__(self, source: str, limit_seconds: float) -> None:
        super().__init__(
            f"another stream corrects the records of source {quoted(source)}, and did not end within"
            f" {limit_seconds:g} s (correction_wait_seconds); send the corrections again once it has ended",
            source=source,
            limit_seconds=f"{limit_seconds:g}",
        )


_OPTIONS_OF_RULES = {
    "": "--calls rows, only if a `pegcount import` that kept no rules yet imported them",
    "asterisk linkedid": "--calls linkedid --answered party",
    "asterisk linkedid switch": "--calls linkedid --answered switch",
    "asterisk uniqueid": "--calls uniqueid --answered party",
    "asterisk uniqueid switch": "--calls uniqueid --answered switch",
    "asterisk rows": "--calls rows",
}
"""Options of `pegcount import` that make calls by a rule; other clients have rules of their own."""


def _options_of_rule(rule: str) -> str:
    return f" ({_OPTIONS_OF_RULES[rule]})" if rule in _OPTIONS_OF_RULES else ""


class SourceOfRecordError(InvalidRequestError):
    """A record of a batch has another source than the batch names with its rule."""

    def __init__(self, index: int, source: str, source_of_rule: str) -> None:
        metadata = {"value": shortened(source), "source": shortened(source_of_rule)}
        message = (
            f"is {quoted(source)}; the records of a batch with source_rule.source {quoted(source_of_rule)}"
        )
        violation = (f"records[{index}].source", "SOURCE_OF_RECORD_DIFFERS", f"{message} are of that source")
        super().__init__([Violation(*violation, metadata)])


class SourceRuleLimitError(InvalidRequestError):
    """A source or the name of its rule is too long."""

    def __init__(self, field: str, asked: int, allowed: int) -> None:
        metadata = {"asked": str(asked), "allowed": str(allowed)}
        message = f"has {asked} bytes; {allowed} are allowed"
        super().__init__([Violation(f"source_rule.{field}", "TEXT_TOO_LONG", message, metadata)])
