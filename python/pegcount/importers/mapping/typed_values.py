"""Values of a mapping file by key, of the type that the key needs."""

from collections.abc import Iterable, Mapping
from typing import Any

from pegcount.importers.mapping.problems import Problems
from pegcount.importers.mapping.toml_file import KeyPath
from pegcount.suggestion import did_you_mean

_TYPE_NAMES = {str: "a text", bool: "true or false", int: "a whole number", dict: "a table", list: "an array"}


def typed(
    table: Mapping[str, Any], key: str, wanted: type, default: Any, at: KeyPath, problems: Problems
) -> Any:
    """Returns a value, the default if it is missing or of another type, which is a problem."""
    value = table.get(key, default)
    is_other = not isinstance(value, wanted) or (wanted is int and isinstance(value, bool))
    if key in table and is_other:
        problems.add((*at, key), f"{_TYPE_NAMES[wanted]} is needed")
        return default
    return value


def list_of_texts(table: Mapping[str, Any], key: str, at: KeyPath, problems: Problems) -> list[str]:
    """Returns the texts of a list, or the only one; none if the key is missing."""
    value = table.get(key, [])
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        problems.add((*at, key), "a text is needed, or a list of texts")
        return []
    return texts


def value_text(value: object) -> str | None:
    """Returns the text that a value stands for, as in a cell; None for tables, arrays and dates."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else None


def require_known(table: Mapping[str, Any], known: Iterable[str], at: KeyPath, problems: Problems) -> None:
    """Notes the keys of a table that do not exist."""
    names = tuple(known)
    for key in table:
        if key not in names:
            hint = did_you_mean(key, names) or f"; the keys are {', '.join(names)}"
            problems.add((*at, key), f"unknown key{hint}")
