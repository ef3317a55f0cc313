"""The seed of a run: given or drawn, and the same in all processes of the run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import seeds

_FOLDER = Path(__file__).parent


def seed_of_a_process(*without: str, **more: str) -> tuple[int, bool]:
    """Returns the seed of a new process, and whether it was given."""
    environment = {name: value for name, value in os.environ.items() if name not in without}
    code = "import seeds; print(seeds.SEED, int(seeds.IS_GIVEN))"
    process = subprocess.run(
        [sys.executable, "-c", code],
        cwd=_FOLDER,
        env=environment | more,
        check=True,
        capture_output=True,
        text=True,
    )
    seed, is_given = process.stdout.split()
    return int(seed), is_given == "1"


def test_a_process_of_the_run_has_its_seed() -> None:
    assert seed_of_a_process() == (seeds.SEED, seeds.IS_GIVEN)


def test_the_seed_can_be_given() -> None:
    assert seed_of_a_process(PEGCOUNT_SEED="17") == (17, True)


def test_each_run_draws_a_seed_of_its_own() -> None:
    drawn = {seed_of_a_process("PEGCOUNT_SEED", "PEGCOUNT_DRAWN_SEED") for _ in range(3)}
    assert {is_given for _, is_given in drawn} == {False}
    assert len(drawn) > 1


def test_seed_and_names_determine_what_is_drawn() -> None:
    assert seeds.chance("a", 1).random() == seeds.chance("a", 1).random() != seeds.chance("a", 2).random()


def test_hypothesis_draws_from_the_seed_of_the_run(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getoption("--hypothesis-seed") is not None
