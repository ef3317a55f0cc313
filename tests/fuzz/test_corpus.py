"""The inputs that are kept in the repository, among them all that ever failed, still pass."""

from pathlib import Path

import pytest
from pegcount.server.access import RULES

from fuzz.call_targets import GROUPS, number_of
from fuzz.targets import CORE_PREFIX, CORPUS, TARGETS

CORPUS_BYTES_MAX = 2 * 2**20
SUITE_NAMES = {path.name for path in CORPUS.iterdir()}


@pytest.mark.parametrize("name", TARGETS)
def test_every_kept_input_passes_its_target(name: str) -> None:
    check = TARGETS[name]()
    inputs = sorted((CORPUS / name).iterdir())
    assert inputs, f"{name} has no inputs"
    for path in inputs:
        print(path)
        check(path.read_bytes())


def test_each_folder_belongs_to_a_target() -> None:
    assert {name for name in SUITE_NAMES if not name.startswith(CORE_PREFIX)} == set(TARGETS)


def test_every_method_is_called() -> None:
    assert {method for methods in GROUPS.values() for method in methods} == set(RULES)
    for methods in GROUPS.values():
        assert len(set(map(number_of, methods))) == len(methods), "two methods have one number"


def test_the_corpus_stays_small() -> None:
    files = [path for path in Path(CORPUS).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < CORPUS_BYTES_MAX
