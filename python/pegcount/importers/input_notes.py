"""What reading a file found beside its lines."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeldBackLine:
    """A last line without a line end, which may be the beginning of a longer one."""

    line: int
    raw: bytes


@dataclass(slots=True)
class InputNotes:
    """What is known of a file once it was read."""

    bytes_read: int = 0
    """Bytes of the file itself, compressed or not."""
    damage: str = ""
    """Why the rest of a compressed file could not be read."""
    held_back: HeldBackLine | None = None
