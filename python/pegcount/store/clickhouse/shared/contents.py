"""The contents of settings in a cluster: JSON objects of one version, of which every field is known."""

import json
from collections.abc import Collection, Mapping
from typing import Any, Final

from pegcount.errors import DataDamagedError, quoted

_VERSION: Final = 1


def packed(fields: Mapping[str, Any]) -> str:
    """Returns the content with these fields, whose values are those of JSON."""
    return json.dumps({"version": _VERSION, **fields}, separators=(",", ":"))


def unpacked(content: str, names: Collection[str]) -> dict[str, Any]:
    """Returns the fields of a content, which must have these names.

    Raises DataDamagedError for anything else: a program that ignored a field that it does not know would
    hold records to another rule than the one that was set.
    """
    try:
        fields = json.loads(content)
    except ValueError as error:
        raise DataDamagedError("a setting of the cluster is not a JSON text") from error
    if not isinstance(fields, dict) or fields.pop("version", None) != _VERSION:
        raise DataDamagedError("a setting of the cluster was written by a newer version of Pegcount")
    if strange := sorted(fields.keys() ^ set(names)):
        listed = ", ".join(map(quoted, strange))
        raise DataDamagedError(
            f"a setting of the cluster has unknown fields, or lacks some: {listed}; a newer version of"
            " Pegcount may have written it"
        )
    return fields
