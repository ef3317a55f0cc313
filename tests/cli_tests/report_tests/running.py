"""Runs commands of `pegcount` in this process."""

import sys

import pytest
from pegcount.cli import main


def run(patch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Returns the exit status of a command, which the fixture `capsys` hears."""
    patch.setattr(sys, "argv", ["pegcount", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code is None or isinstance(end.value.code, int)
    return end.value.code or 0
