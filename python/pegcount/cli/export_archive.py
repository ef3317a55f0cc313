"""`pegcount export --format archive`: a whole store as one file."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from pegcount.cli.atomic_file import atomic_file
from pegcount.cli.disk_full import disk_full_as_sentence
from pegcount.config import Config
from pegcount.store import StoreLocation
from pegcount.store.clickhouse import ClickHouseStore
from pegcount.store.moving.directory import DirectorySource
from pegcount.store.moving.moving import write_archive
from pegcount.store.moving.sides import ArchiveSource
from pegcount.version import VERSION


def write_archive_file(location: StoreLocation, out: Path) -> int:
    """Writes a store into a file, which only its owner may read; returns how many records that has.

    Raises OSError, NoSpaceError or an error of the store, and leaves an older file then.
    """
    config = Config()
    with _source(location, config) as source, disk_full_as_sentence(out), atomic_file(out) as file:
        return write_archive(source, file, f"pegcount {VERSION}", config)


@contextmanager
def _source(location: StoreLocation, config: Config) -> Iterator[ArchiveSource]:
    if location.cluster is None:
        assert location.directory is not None, "one of both is set"
        yield DirectorySource(location.directory, config)
    else:
        with closing(ClickHouseStore(location.cluster, config)) as store:
            yield store.archive_source()
