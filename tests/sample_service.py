"""Serves samples/pegcount.csv, imported into a new store as the README says."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pegcount import calendar, core
from pegcount.config import Config
from pegcount.importers import ImportOptions, PreparedFile, RejectsFile, import_file
from service import Service

_SAMPLE = Path(__file__).parents[1] / "samples" / "pegcount.csv"


@contextmanager
def service_over_samples(directory: Path) -> Iterator[Service]:
    """Runs the service in a directory; its clock stands still."""
    utc = calendar.zone("UTC")
    assert utc is not None
    with Service(directory / "data") as service, RejectsFile(directory / "rejects.csv", Config()) as rejects:
        submit = partial(service.store.submit, cancel_token=core.CancelToken(None))
        options = ImportOptions("demo", utc)
        sample = PreparedFile(_SAMPLE)
        import_file(sample, "pegcount-csv", options, submit, rejects, lambda *_: None, Config())
        service.store.flush()
        yield service
