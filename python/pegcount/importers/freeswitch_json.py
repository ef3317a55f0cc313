"""freeswitch-json: documents of FreeSWITCH's `mod_json_cdr`."""

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from pegcount.importers.freeswitch_documents import parse_legs
from pegcount.importers.freeswitch_leg import Leg, new_leg
from pegcount.importers.json_documents import read_documents
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_line import ParsedLine, UnreadableRowError
from pegcount.importers.text_pieces import read_pieces

_WRAPPER_KEY = "cdr"


def parse_freeswitch_json(file: BinaryIO, options: ImportOptions) -> Iterator[ParsedLine]:
    """Parses documents, however they follow each other; see `read_documents`."""
    documents = read_documents(read_pieces(file), options.line_bytes_max)
    return parse_legs(documents, _leg, options)


def variables_of(value: object) -> tuple[Mapping[str, object], tuple[Mapping[str, object], ...]]:
    """Returns the variables of a document, and its callflow.

    Raises UnreadableRowError for a document without variables.
    """
    document = _mapping(value)
    if "variables" not in document:
        document = _mapping(document.get(_WRAPPER_KEY))
    callflow = document.get("callflow")
    flows = callflow if isinstance(callflow, list) else [callflow]
    if "variables" not in document:
        raise UnreadableRowError("the document has no variables")
    return _mapping(document["variables"]), tuple(map(_mapping, flows))


def _leg(value: object) -> Leg:
    return new_leg(*variables_of(value))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
