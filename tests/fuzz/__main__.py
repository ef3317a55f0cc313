"""Searches for inputs that break a promise: python -m fuzz TARGET [options of libFuzzer] [FOLDER ...]

Needs atheris (requirements/fuzz.txt). New inputs go into the first folder.
"""

import sys

import atheris

with atheris.instrument_imports(include=["pegcount"]):
    from fuzz.call_targets import GROUPS
    from fuzz.mutation import MessageMutator
    from fuzz.targets import TARGETS


def main(arguments: list[str]) -> None:
    """Runs the search; the process ends with it, and with status 77 at the first input that fails."""
    program, name, *rest = arguments
    if name not in TARGETS:
        sys.exit(f"there is no target {name}; the targets are {', '.join(TARGETS)}")
    check = TARGETS[name]()
    mutator = MessageMutator(GROUPS[name], _mutate) if name in GROUPS else None
    atheris.Setup([program, *rest], check, custom_mutator=mutator)
    atheris.Fuzz()


def _mutate(data: bytes, size_max: int) -> bytes:
    # The search replaces the function in the module when it begins.
    mutated: bytes = atheris.Mutate(data, size_max)
    return mutated


if __name__ == "__main__":
    main(sys.argv)
