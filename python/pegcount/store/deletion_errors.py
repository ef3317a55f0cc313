"""What a store says to deletions that cannot be: of rules beyond its limits, or that do not exist."""

from collections.abc import Iterable

from pegcount.config import Config
from pegcount.errors import DeletionLimitError, NotFoundError
from pegcount.model import Deletion, DeletionRule


def require_room(kept: Iterable[DeletionRule], deletion: Deletion, config: Config) -> None:
    """Raises DeletionLimitError if a store that keeps these rules cannot keep that of a deletion, too."""
    rules = list(kept)
    allowed = config.deletion_count_max
    if (asked := len(rules) + 1) > allowed:
        raise DeletionLimitError("once", "rules", asked, allowed, "deletion_count_max")
    id_count = sum(rule.session_id_count or 0 for rule in rules)
    allowed = config.deletion_session_id_total_max
    if (asked := id_count + len(deletion.session_ids)) > allowed and deletion.session_ids:
        limit = "deletion_session_id_total_max"
        raise DeletionLimitError("session_ids", "session ids in all rules", asked, allowed, limit)


def deletion_not_found(rule_id: int) -> NotFoundError:
    """Returns the error of a number that no rule has."""
    text = f"no deletion has the number {rule_id}; ListDeletions, or `pegcount delete --list`, lists them"
    return NotFoundError("DELETION_NOT_FOUND", "deletion", text, rule_id=rule_id)
