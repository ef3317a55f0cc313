"""What `pegcount import` prints of a file: its counts, what to do about some of them, and its first calls."""

from collections import Counter
from collections.abc import Sequence

import typer

from pegcount import core
from pegcount.cli.report.figures import printable
from pegcount.cli.stored_calls import StoredCall, stored_calls
from pegcount.config import Config
from pegcount.importers import (
    DISPOSITION_BY_CAUSE,
    ImportCounts,
    ImportOptions,
    InputPaths,
    PreparedFile,
    RejectKinds,
    RejectsFile,
    ReportedCall,
    SkipReason,
)
from pegcount.v1.records_pb2 import SessionRecord
from pegcount.zone import US_PER_SECOND, Zone

_COUNTS = ("accepted", "replaced", "identical", "outranked")
_REMEDIES = {
    "outranked": "rank below what is stored, and say something else; if this file is right,"
    " --correct replaces it",
    "suspected_reuse": "look like other calls under ids that are stored already. If the same calls were"
    " imported in a wrong way, such as in another time zone, --correct replaces them; else import each"
    " switch into a source of its own (--source)",
    "rounded_prices": "have a price with more than 9 decimals, which was rounded to 9, half to even",
    "dropped_alert_times": "have an alert time before the setup or after the answer, which was left out: the"
    " clock or the rounding of the switch, or a wrong time zone, is a usual cause",
}
_CLASSES = {1: "1 switch", 2: "2 party", 3: "3 far side"}


def print_summary(
    argument: InputPaths,
    files: Sequence[tuple[PreparedFile, ImportCounts]],
    options: ImportOptions,
    takes_encoding: bool,
) -> None:
    """Prints the counts of an argument, and a sentence for each count of its files that needs attention.

    Of a directory, which may have a file for each call, the files that were imported without any rejected row
    have no line of their own.
    """
    _print_figures(argument, [counts for _, counts in files], ("rows", *_COUNTS, "rejected", "skipped"))
    rule = next((file.rule for file, _ in files if file.rule is not None), None)
    if rule is not None:
        new = sum(counts.accepted for _, counts in files)
        rows = sum(counts.rows - counts.rejected for _, counts in files)
        typer.echo(f"{argument.argument}: new calls: {new:,}, from {rows:,} rows by the rule {rule!r}")
    for file, counts in files:
        if options.corrects and counts.accepted:
            typer.echo(
                f"{file.path}: {counts.accepted:,} rows are new, as nothing was stored of their calls; if"
                " something should be, look at --source"
            )
    _print_files(argument, files, options, takes_encoding)


def print_dry_summary(
    argument: InputPaths,
    files: Sequence[tuple[PreparedFile, ImportCounts]],
    options: ImportOptions,
    takes_encoding: bool,
) -> None:
    """As `print_summary`, for files of which nothing was written: what they count as, only a store knows."""
    _print_figures(argument, [counts for _, counts in files], ("rows", "valid", "rejected", "skipped"))
    _print_files(argument, files, options, takes_encoding)


def _print_figures(argument: InputPaths, counts: Sequence[ImportCounts], names: Sequence[str]) -> None:
    figures = ", ".join(f"{sum(getattr(count, name) for count in counts):,} {name}" for name in names)
    typer.echo(f"{argument.argument}: {figures}")


def _print_files(
    argument: InputPaths,
    files: Sequence[tuple[PreparedFile, ImportCounts]],
    options: ImportOptions,
    takes_encoding: bool,
) -> None:
    for file, counts in files:
        if counts.rejected and not argument.is_single:
            typer.echo(f"{file.path}: {counts.rejected:,} of {counts.rows:,} rows rejected")
        _print_sentences(file, counts, options, takes_encoding)


def _print_sentences(
    file: PreparedFile, counts: ImportCounts, options: ImportOptions, takes_encoding: bool
) -> None:
    for name, remedy in _REMEDIES.items():
        if count := getattr(counts, name):
            typer.echo(f"{file.path}: {count:,} rows {remedy}")
    if counts.undecoded:
        typer.echo(f"{file.path}: {counts.undecoded:,} rows {_undecoded(options, takes_encoding)}")
    if counts.held_back_line:
        typer.echo(
            f"{file.path}: line {counts.held_back_line:,} was held back: it has no line end, and may be"
            " incomplete; the next import takes it once it has one, or --final-line now"
        )
    if counts.damage:
        typer.echo(f"{file.path}: {counts.damage}", err=True)


def print_skipped(counts: Sequence[ImportCounts]) -> None:
    """Prints why rows of all files were skipped, and a warning if they have nothing but legs of calls."""
    by_reason: Counter[str] = Counter()
    for count in counts:
        by_reason.update(count.skipped_by_reason)
    if not by_reason:
        return
    reasons = ", ".join(f"{reason}: {count:,}" for reason, count in sorted(by_reason.items()))
    typer.echo(f"skipped, as they are not calls of their own; {reasons}")
    has_legs = any(reason in by_reason for reason in SkipReason)
    if has_legs and not any(count.accepted + count.replaced + count.duplicates for count in counts):
        typer.echo(
            "these legs are all there is, and no call was counted: import the a-legs, which the switch has"
            " logged elsewhere or not at all"
        )


def print_rejected(rejects: RejectsFile, row_count: int, config: Config) -> None:
    """Prints to standard error, if rows were rejected, how many of all, where they are, and why."""
    kinds = rejects.kinds
    if kinds.row_count:
        typer.echo(f"rejected rows: {kinds.row_count:,} of {row_count:,}, in {rejects.path}", err=True)
        print_reject_kinds(kinds, config)


def print_reject_kinds(kinds: RejectKinds, config: Config) -> None:
    """Prints to standard error why rows were rejected, the most frequent reasons first."""
    shown_count = config.tuning.reject_kind_shown_count_max
    found = kinds.most_frequent()
    for kind in found[:shown_count]:
        where = f"first {kind.first_file} line {kind.first_line:,}"
        typer.echo(f"  {_rows(kind.row_count)}: {printable(kind.reason)}; {where}", err=True)
    further = kinds.row_count - sum(kind.row_count for kind in found[:shown_count])
    if further:
        # Rows of kinds that are not held are of one more kind, or of several.
        has_others = sum(kind.row_count for kind in found) < kinds.row_count
        count = len(found[shown_count:]) + has_others
        more = f"{'at least ' if has_others else ''}{count:,} more {'kind' if count == 1 else 'kinds'}"
        typer.echo(f"  {_rows(further)}: {more}", err=True)


def print_calls(calls: Sequence[ReportedCall], options: ImportOptions, config: Config) -> None:
    """Prints calls with the rows that they were made of, as a store without other rows has them.

    Times are local.
    """
    zone = options.zone
    for call, stored in zip(calls, stored_calls(calls, config, options.accepts_stored), strict=True):
        for record in stored.records:
            typer.echo(f"call {record.session_id}: {_described(record, zone)}")
        if not stored.records:
            typer.echo(f"call {call.rows[0][1].session_id}: not stored")
        notes = _notes(call, stored)
        cells = [(*_row_cells(line, record, zone), notes.get(line, "")) for line, record in call.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            typer.echo(f"    {'  '.join(padded)}".rstrip())
        if call.omitted_row_count:
            typer.echo(f"    and {call.omitted_row_count:,} more rows, which the call above lacks")


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _undecoded(options: ImportOptions, takes_encoding: bool) -> str:
    encoding = options.encoding.upper()
    other = "latin-1" if options.encoding == "utf-8" else "cp1252"
    remedy = f"; for another encoding, give --encoding, such as {other}" if takes_encoding else ""
    return f"had bytes that are not {encoding}, replaced by U+FFFD{remedy}"


def _notes(call: ReportedCall, stored: StoredCall) -> dict[int, str]:
    """Returns by line what the times of a row do not say: that it was rejected, or repeats a part."""
    notes = {}
    line_of_part: dict[int | None, int] = {}
    for line, record in call.rows:
        part = record.part if record.HasField("part") else None
        if line in stored.rejected:
            notes[line] = f"rejected: {stored.rejected[line]}"
        elif line_of_part.setdefault(part, line) != line:
            notes[line] = f"same part as line {line_of_part[part]}"
    return notes


def _described(record: SessionRecord, zone: Zone) -> str:
    setup, answer, end = (_time(record, name, zone) for name in ("setup_time", "answer_time", "end_time"))
    parties = f"{record.orig_src_party_id or '-'} to {record.orig_dst_party_id or '-'}"
    talk = "not answered"
    if record.HasField("answer_time"):
        seconds = (record.end_time.ToMicroseconds() - record.answer_time.ToMicroseconds()) / US_PER_SECOND
        talk = f"answered {answer} by {record.term_dst_party_id or '-'}, {seconds:.3f} s"
        if not record.HasField("end_time"):
            talk = f"answered {answer}, still active"
    return f"{parties}, setup {setup}, {talk}, end {end}, cause {record.disconnect_cause}"


def _row_cells(line: int, record: SessionRecord, zone: Zone) -> list[str]:
    """Returns line, class, times, disposition and channels of a row."""
    cause = record.disconnect_cause
    disposition = DISPOSITION_BY_CAUSE.get(cause, "-") if record.HasField("part") else f"cause {cause}"
    times = [_time(record, name, zone) for name in ("setup_time", "answer_time", "end_time")]
    part_class = f"class {_CLASSES.get(record.part_class, '-')}"
    return [
        f"line {line}",
        part_class,
        *times,
        disposition,
        f"{record.orig_leg_id} > {record.term_leg_id or '-'}",
    ]


def _time(record: SessionRecord, name: str, zone: Zone) -> str:
    return core.format_time(getattr(record, name).ToMicroseconds(), zone) if record.HasField(name) else "-"
