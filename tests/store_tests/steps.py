"""Steps of the work of a store: the calls of its engine and of its catalogue."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from pegcount.store import embedded, files
from pegcount.store.catalog import Catalog

from store_tests.store_fixtures import StoreHarness


@contextlib.contextmanager
def intercept_steps(harness: StoreHarness, on_step: Callable[[str], None]) -> Iterator[None]:
    """Reopens the store, and calls `on_step` before and after each engine and catalogue call in the block."""
    listeners: list[Callable[[str], None]] = []

    def see(step: str) -> None:
        for listener in listeners:
            listener(step)

    with (
        mock.patch.object(files, "open_engine", _intercepted(files.open_engine, see)),
        mock.patch.object(embedded, "Catalog", _intercepted(Catalog, see)),
    ):
        harness.reopen()
    listeners.append(on_step)
    try:
        yield
    finally:
        listeners.clear()


@contextlib.contextmanager
def copies_at_each_change(harness: StoreHarness, folder: Path) -> Iterator[list[Path]]:
    """Reopens the store, and copies its directory in the block at each step before which a file has changed.

    A copy is what a crash between two steps would leave.
    """
    copies: list[Path] = []
    last: set[tuple[str, int, int, int]] = set()

    def copy(step: str) -> None:
        nonlocal last
        if (found := _files_of(harness.directory)) != last:
            last = found
            copies.append(Path(shutil.copytree(harness.directory, folder / f"{len(copies)} {step}")))

    with intercept_steps(harness, copy):
        yield copies


def _files_of(directory: Path) -> set[tuple[str, int, int, int]]:
    files = [(path, path.stat()) for path in directory.rglob("*") if path.is_file()]
    return {(str(path), each.st_ino, each.st_size, each.st_mtime_ns) for path, each in files}


def _intercepted(make: Callable[..., Any], see: Callable[[str], None]) -> Callable[..., Any]:
    return lambda *arguments, **more: _CallInterceptor(make(*arguments, **more), see)


class _CallInterceptor:
    """Forwards everything to `inner`, and reports the begin and the end of each call."""

    def __init__(self, inner: Any, see: Callable[[str], None]) -> None:
        vars(self).update(inner=inner, see=see)

    def __getattr__(self, name: str) -> Any:
        found = getattr(vars(self)["inner"], name)
        return self._call(name, found) if callable(found) else found

    def __setattr__(self, name: str, value: object) -> None:
        setattr(vars(self)["inner"], name, value)

    def _call(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        see = vars(self)["see"]

        def call(*arguments: Any, **more: Any) -> Any:
            see(f"before {name}")
            result = function(*arguments, **more)
            see(f"after {name}")
            return result

        return call
