"""Data directories of the peer bench, which later runs reuse."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from pegcount.store import catalog_tables

from peers import pegcount_engine
from peers.pegcount_engine import LoadTimes

_SOURCE_FILES = ("dimensions.py", "calls.py", "wire.py", "tables.py")
"""The source files that determine the data."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """A number of calls and active sessions, deterministic for a seed."""

    record_count: int
    active_count: int
    seed: int
    root: Path

    @property
    def directory(self) -> Path:
        """Returns the directory of this data set; its name changes with the generating code."""
        digest = hashlib.sha256(f"{self.active_count}".encode())
        for name in _SOURCE_FILES:
            digest.update(Path(__file__).with_name(name).read_bytes())
        return self.root / f"{self.record_count}-{self.seed}-{digest.hexdigest()[:12]}"

    @property
    def pegcount(self) -> Path:
        return self.directory / "ours"

    def is_pegcount_loaded(self) -> bool:
        return self._is_complete("ours", str(catalog_tables.FORMAT_VERSION))

    def load_pegcount(self, *, fresh: bool) -> LoadTimes:
        """Loads Pegcount unless it is loaded in the current format; returns the times of the actual load."""
        times_file = self.directory / "ours.json"

        def load() -> None:
            times = pegcount_engine.load(self.pegcount, self.record_count, self.active_count, self.seed)
            times_file.write_text(json.dumps(asdict(times)), encoding="utf-8")

        self._load("ours", load, str(catalog_tables.FORMAT_VERSION), fresh=fresh)
        return LoadTimes(**json.loads(times_file.read_text(encoding="utf-8")))

    def load_peers(self, *, fresh: bool) -> None:
        """Loads all peers that are not loaded yet."""
        # Imported here, so that the bench also runs without the peers installed.
        from peers import clickhouse_engine, duckdb_engine, tables  # noqa: PLC0415

        directory = self.directory
        parquet = directory / "parquet"

        def write_tables() -> None:
            parquet.mkdir()
            tables.write(parquet, self.record_count, self.active_count, self.seed)

        self._load("parquet", write_tables, fresh=fresh)
        self._load(
            "duckdb.db",
            lambda: duckdb_engine.load(directory / "duckdb.db", parquet),
            _source_digest(duckdb_engine),
            fresh=fresh,
        )
        self._load(
            "clickhouse",
            lambda: clickhouse_engine.load(directory / "clickhouse", parquet),
            _source_digest(clickhouse_engine),
            fresh=fresh,
        )

    def _load(self, name: str, load: Callable[[], None], version: str = "", *, fresh: bool) -> None:
        """Fills a target and marks it complete, unless it already is."""
        if self._is_complete(name, version) and not fresh:
            return
        target = self.directory / name
        self._marker(name).unlink(missing_ok=True)
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        start_time = time.perf_counter()
        load()
        print(f"loaded {name} in {time.perf_counter() - start_time:.0f} s", flush=True)
        self._marker(name).write_text(version, encoding="utf-8")

    def _is_complete(self, name: str, version: str) -> bool:
        marker = self._marker(name)
        return marker.is_file() and marker.read_text(encoding="utf-8") == version

    def _marker(self, name: str) -> Path:
        return self.directory / f"{name}.complete"


def _source_digest(module: object) -> str:
    """Returns a digest of the code that fills an engine."""
    source = getattr(module, "__file__", None)
    assert isinstance(source, str)
    return hashlib.sha256(Path(source).read_bytes()).hexdigest()
