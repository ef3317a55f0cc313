"""Detects formats of texts."""

import io
from collections.abc import Mapping
from typing import Any

import pytest
from pegcount.importers.detection import Detected, UndetectedError, detected, read_head
from pegcount.importers.mapping import FieldSource, MappingFile

from .reading import options


def table(*columns: str, **more: Any) -> MappingFile:
    """A mapping that needs columns."""
    return MappingFile("table", sources=(FieldSource("session_id", columns, ("columns",)),), **more)


def found(data: str | bytes, mappings: Mapping[str, MappingFile] | None = None, **more: Any) -> Detected:
    raw = data.encode() if isinstance(data, str) else data
    return detected(read_head(io.BytesIO(raw), options(**more)), mappings or {})


def refusal(data: str | bytes, mappings: Mapping[str, MappingFile] | None = None, **more: Any) -> str:
    with pytest.raises(UndetectedError) as caught:
        found(data, mappings, **more)
    return str(caught.value)
