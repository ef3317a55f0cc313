"""Settings from texts, as tests give them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pegcount.settings import Loaded, SettingsError, Sources, load


def loaded(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    fields: tuple[str, ...] = (),
) -> Loaded:
    return load(Sources(file, environment or {}, options, fields))


def problems(
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    options: Mapping[str, Any] | None = None,
    fields: tuple[str, ...] = (),
) -> list[str]:
    with pytest.raises(SettingsError) as raised:
        loaded(file, environment, options, fields)
    return [str(each) for each in raised.value.problems]


def written(directory: Path, text: str) -> Path:
    file = directory / "pegcount.toml"
    file.write_text(text, encoding="utf-8")
    return file
