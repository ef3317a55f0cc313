"""What a test knows about a client."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Client:
    """A client that has been built."""

    answers: Callable[[str, Path], list[str]]
    """Sends the requests of a file to the server at an address; returns the answers as JSON, in order."""
    example: Callable[[str], Sequence[str | Path]] | None = None
    """Returns the command of the example; tools have none."""
    example_environment: Mapping[str, str] = field(default_factory=dict)
