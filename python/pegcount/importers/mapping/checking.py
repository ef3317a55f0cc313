"""Checks a mapping file beside a file that it is for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pegcount.importers.input_stream import opened_input
from pegcount.importers.mapping.mapping import MappingFile
from pegcount.importers.mapping.problems import described
from pegcount.importers.mapping.reading import ZoneProblem, checked_mapping
from pegcount.importers.mapping.sample import sample_findings
from pegcount.importers.mapping.toml_file import read_toml
from pegcount.importers.options import ImportOptions


@dataclass(frozen=True, slots=True)
class MappingCheck:
    """What is wrong with a mapping, and what may be."""

    mapping: MappingFile
    problems: Sequence[str]
    """Each with its line and key. With a problem, the mapping lacks what the problem is about."""
    unmapped: Sequence[str]
    """Columns of the sample that the mapping does not name."""
    notes: Sequence[str]
    """What may be wrong, if other rows are unlike those of the sample."""


def check_mapping(
    path: Path, sample: BinaryIO, options: ImportOptions, zone_problem: ZoneProblem
) -> MappingCheck:
    """Checks a mapping file; raises ImportFileError if it is not TOML, or if the sample cannot be read."""
    file = read_toml(path)
    mapping, problems = checked_mapping(file, zone_problem)
    opened = opened_input(sample, options, takes_final_line=True)
    found = sample_findings(opened.file, mapping, options)
    all_problems = described(file, [*problems.found, *found.problems])
    return MappingCheck(mapping, all_problems, found.unmapped, found.notes)
