"""Numbers of parties in several forms, and the files of a directory that have one of them."""

from collections.abc import Iterable
from pathlib import Path

NUMBER = "+49 30 23125 001"
FORMS = (
    "+493023125001",
    "0049 (30) 23125-001",
    "493023125001",
    "+49.30.23125.001",
    "sip:+493023125001@192.0.2.7",
    '"Anna" <SIP:0049-30-23125-001@example.com;user=phone>',
    "tel:+49-30-23125-001",
)
"""`NUMBER` as various switches write it."""
OTHER = "+493023125002"
"""A number of somebody else."""


def files_with(directory: Path, texts: Iterable[str] = FORMS) -> dict[str, list[str]]:
    """Returns the texts that each file has, of those files that have one."""
    wanted = list(texts)
    found = {
        path.relative_to(directory).as_posix(): _texts_in(path, wanted)
        for path in directory.rglob("*")
        if path.is_file()
    }
    return {name: held for name, held in sorted(found.items()) if held}


def _texts_in(path: Path, texts: list[str]) -> list[str]:
    content = path.read_bytes()
    return [text for text in texts if text.encode() in content]
