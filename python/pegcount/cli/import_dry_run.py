"""`pegcount import --dry-run`: reads files as an import does, and asks no store."""

from dataclasses import dataclass, field
from typing import Any

import typer
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from pegcount import core
from pegcount.config import Config
from pegcount.importers import is_used
from pegcount.model import RejectedRecord, WriteOutcome
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.zone import Zone

_SHOWN_RECORD_COUNT = 3


@dataclass(frozen=True, slots=True)
class CheckedBatch:
    """A batch of which every store would reject the same records; the others count as accepted."""

    outcome: WriteOutcome

    def wait(self) -> WriteOutcome:
        """Returns the outcome at once."""
        return self.outcome


@dataclass(frozen=True, slots=True)
class DryRun:
    """Stands in for a store, and keeps the first records."""

    config: Config
    first_records: list[tuple[str, int, SessionRecord]] = field(default_factory=list)
    """File and line of each, and the record."""

    def submit(self, batch: bytes) -> CheckedBatch:
        """Finds the records of a batch that break a rule; raises as `core.decode_batch` does."""
        decoded = core.decode_batch(batch, self.config)
        rejected = tuple(RejectedRecord(one.index, one.reason, one.description) for one in decoded.rejected)
        return CheckedBatch(WriteOutcome(len(decoded.versions), 0, 0, rejected))

    def take(self, file: str, line: int, record: SessionRecord) -> None:
        """Takes the record of a line, which must not be changed afterwards."""
        if len(self.first_records) < _SHOWN_RECORD_COUNT:
            self.first_records.append((file, line, record))


def print_dry_run(run: DryRun, zone: Zone, is_zone_given: bool, corrects: bool) -> None:
    """Prints the first records, the zone of local times, and that nothing was written."""
    for file, line, record in run.first_records:
        typer.echo(f"{file}: line {line}:")
        for descriptor, value in record.ListFields():
            typer.echo(f"    {descriptor.name}: {_shown(descriptor, value, zone)}")
    if is_used(zone):
        otherwise = "" if is_zone_given else "; if they are local times of another zone, give --time-zone"
        typer.echo(f"local times were read as {zone.name}{otherwise}")
    elif run.first_records:
        typer.echo(f"every time states its UTC offset; none was read as one of {zone.name}")
    purpose = "; with --correct, rows replace what is stored of their calls" if corrects else ""
    typer.echo(f"dry run: no store was asked, and nothing was written{purpose}")


def _shown(descriptor: FieldDescriptor, value: Any, zone: Zone) -> object:
    if isinstance(value, Timestamp):
        return core.format_time(value.ToMicroseconds(), zone)
    if descriptor.enum_type is not None:
        return descriptor.enum_type.values_by_number[value].name
    return value
