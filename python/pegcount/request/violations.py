"""Collects the violations of one request."""

from pegcount.errors import InvalidRequestError, Violation


class Violations:
    """The first violations of a request, and the number of further ones."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._listed: list[Violation] = []
        self.count = 0

    def add(self, field: str, reason: str, description: str, /, **metadata: object) -> None:
        """Adds a violation. The caller shortens texts of the request in `description` and `metadata`."""
        self.count += 1
        if len(self._listed) < self._count_max:
            texts = {name: str(value) for name, value in metadata.items()}
            self._listed.append(Violation(field, reason, description, texts))

    def raise_any(self) -> None:
        """Raises InvalidRequestError if there is a violation."""
        if self.count:
            raise InvalidRequestError(self._listed, self.count - len(self._listed))
