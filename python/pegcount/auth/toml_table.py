"""Takes the keys of a TOML table one by one, and names what is wrong with them."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from pegcount.auth.token_files import TokenFileError
from pegcount.errors import quoted
from pegcount.suggestion import did_you_mean


class TomlTable:
    """A table of a file. All methods raise TokenFileError, which begins with the place of the table."""

    def __init__(self, place: str, content: Mapping[str, Any]) -> None:
        self._place = place
        self._content = content
        self._taken: list[str] = []

    def names(self) -> Sequence[str]:
        """Returns the keys that the table has."""
        return tuple(self._content)

    def text(self, name: str, default: str = "") -> str:
        """Returns a text that is not empty, or the default."""
        found: str = self._take(name, str, "a text", default)
        if name in self._content and not found:
            self.fail(f'"{name}" is empty')
        return found

    def required_text(self, name: str) -> str:
        """Returns a text, which the table must have."""
        return self.text(name) or self.fail(f'"{name}" is missing')

    def texts(self, name: str) -> tuple[str, ...]:
        """Returns the texts of a list, or a single one; none if the table lacks the key."""
        found = self._take(name, (str, list), "a text or a list of texts", [])
        texts = [found] if isinstance(found, str) else found
        if not all(isinstance(text, str) and text for text in texts):
            self.fail(f'"{name}" must be a list of texts that are not empty')
        return tuple(texts)

    def integer(self, name: str, least: int, greatest: int) -> int | None:
        """Returns an integer from `least` to `greatest`, None if the table lacks the key."""
        allowed = f"an integer from {least} to {greatest}"
        found = self._take(name, (int, type(None)), allowed, None)
        if found is not None and (isinstance(found, bool) or not least <= found <= greatest):
            self.fail(f'"{name}" must be {allowed}')
        return found

    def integers(self, name: str, least: int, greatest: int) -> tuple[int, ...]:
        """Returns the integers of a list, or a single one, each from `least` to `greatest`.

        Returns none if the table lacks the key.
        """
        found = self._take(name, (int, list), "an integer or a list of integers", [])
        numbers = found if isinstance(found, list) else [found]
        if not all(isinstance(each, int) and not isinstance(each, bool) for each in numbers):
            self.fail(f'"{name}" must be a list of integers')
        for each in numbers:
            if not least <= each <= greatest:
                self.fail(f'"{name}": {each} is not within {least} to {greatest}')
        return tuple(numbers)

    def flag(self, name: str) -> bool:
        """Returns whether a key is true; false if the table lacks it."""
        found: bool = self._take(name, bool, "true or false", False)
        return found

    def table(self, name: str) -> "TomlTable":
        """Returns a table in the table; an empty one if the key is missing."""
        return TomlTable(f"{self._place}, {name}", self._take(name, dict, "a table", {}))

    def tables(self, name: str) -> list["TomlTable"]:
        """Returns the tables of an array of tables."""
        found = self._take(name, list, f"an array of tables; write [[{name}]]", [])
        if not all(isinstance(each, dict) for each in found):
            self.fail(f'"{name}" must be an array of tables; write [[{name}]]')
        return [TomlTable(f"{self._place}: {name} {number}", each) for number, each in enumerate(found, 1)]

    def require_nothing_else(self) -> None:
        """Ends the reading: a key that was not taken is an error."""
        for name in self._content:
            if name not in self._taken:
                hint = did_you_mean(name, self._taken) or f"; the keys are {', '.join(self._taken)}"
                self.fail(f"unknown key {quoted(name)}{hint}")

    def fail(self, text: str) -> NoReturn:
        """Raises the error about this table."""
        raise TokenFileError(f"{self._place}: {text}")

    def _take(self, name: str, kind: type | tuple[type, ...], allowed: str, default: Any) -> Any:
        self._taken.append(name)
        found = self._content.get(name, default)
        return found if isinstance(found, kind) else self.fail(f'"{name}" must be {allowed}')
