"""Targets for the file formats, and for the texts of times on the command line."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from pegcount.calendar import zone
from pegcount.cli.report.human_times import Clock, HumanTimeError, first_of_last_days, read_day, read_moment
from pegcount.config import Config
from pegcount.core import CancelToken
from pegcount.errors import ImportFileError
from pegcount.importers import (
    ASTERISK_ANSWERS,
    ASTERISK_CALLS,
    ASTERISK_COLUMN_ORDERS,
    ImportCounts,
    ImportOptions,
    Pending,
    RejectsFile,
    import_file,
    prepared_files,
    read_mapping,
    shipped_mappings,
    shipped_names,
)
from pegcount.store import EmbeddedStore
from service import NOW_US

from fuzz.refusals import may_refuse

_CONFIG = Config()
_INPUTS_PER_STORE = 2_000
_LINE_BYTES_MAX = 4_096
_ENCODINGS = ("utf-8", "latin-1")


class Imports:
    """Imports files of any bytes into a store."""

    def __init__(self, format_name: str) -> None:
        self._format_name = format_name
        self._directory = Path(tempfile.mkdtemp(prefix="pegcount-fuzz-"))
        self._path, self._rejects = self._directory / "input", self._directory / "rejects.csv"
        self._input_count = 0
        self._store = self._new_store()

    def check(self, data: bytes) -> None:
        """Imports a file; the first byte chooses the options."""
        options = _options(data[0] if data else 0)
        self._path.write_bytes(data[1:])
        with may_refuse(ImportFileError):
            _check_counts(self._imported(options))
        self._input_count += 1
        if self._input_count % _INPUTS_PER_STORE == 0:
            self._store.close()
            EmbeddedStore(self._directory / "data", _CONFIG, clock=lambda: NOW_US).close()
            shutil.rmtree(self._directory / "data")
            self._store = self._new_store()

    def _imported(self, options: ImportOptions) -> ImportCounts:
        with (
            RejectsFile(self._rejects, _CONFIG) as rejects,
            prepared_files([self._path], self._format_name, options) as (prepared,),
        ):
            return import_file(
                prepared, self._format_name, options, self._submit, rejects, lambda _, __: None, _CONFIG
            )

    def _submit(self, batch: bytes) -> Pending:
        return self._store.submit(batch, CancelToken(None))

    def _new_store(self) -> EmbeddedStore:
        return EmbeddedStore(self._directory / "data", _CONFIG, create=True, clock=lambda: NOW_US)


def import_target(format_name: str) -> Callable[[], Callable[[bytes], None]]:
    """Returns what starts the imports of a format."""
    return lambda: Imports(format_name).check


def human_times_target() -> Callable[[bytes], None]:
    """Reads any text as a time, a day and a length on the command line."""
    berlin = zone("Europe/Berlin")
    assert berlin is not None
    clock = Clock(NOW_US, berlin)

    def check(data: bytes) -> None:
        text = data.decode(errors="surrogateescape")
        for read in (read_moment, read_day, first_of_last_days):
            with may_refuse(HumanTimeError):
                assert read("--from", text, clock)

    return check


def mapping_file_target() -> Callable[[bytes], None]:
    """Reads any text as a mapping file."""
    path = Path(tempfile.mkdtemp(prefix="pegcount-fuzz-")) / "calls.toml"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        with may_refuse(ImportFileError):
            assert read_mapping(path, lambda name: "" if zone(name) else "no zone").name

    return check


def _check_counts(counts: ImportCounts) -> None:
    """Asserts that no row is lost: each has one outcome."""
    outcomes = (counts.accepted, counts.replaced, counts.duplicates, counts.rejected, counts.skipped)
    assert counts.rows == sum(outcomes), counts
    assert counts.outranked + counts.suspected_reuse <= 2 * counts.rows, counts


def _options(number: int) -> ImportOptions:
    utc = zone("UTC" if number % 2 else "Europe/Berlin")
    assert utc is not None
    return ImportOptions(
        source="fuzz",
        zone=utc,
        asterisk_columns=ASTERISK_COLUMN_ORDERS[number // 2 % 3],
        asterisk_calls=ASTERISK_CALLS[number // 6 % 4],
        asterisk_answered=ASTERISK_ANSWERS[number // 24 % 2],
        encoding=_ENCODINGS[number // 48 % 2],
        takes_final_line=number // 96 % 2 == 0,
        mapping=shipped_mappings()[shipped_names()[number % len(shipped_names())]],
        line_bytes_max=_LINE_BYTES_MAX,
    )
