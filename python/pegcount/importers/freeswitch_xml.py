"""freeswitch-xml: documents of FreeSWITCH's `mod_xml_cdr`, as it writes them and as FusionPBX keeps them."""

from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element

from pegcount.importers.freeswitch_documents import parse_legs
from pegcount.importers.freeswitch_leg import Leg, new_leg
from pegcount.importers.options import ImportOptions
from pegcount.importers.parsed_line import ParsedLine, UnreadableRowError
from pegcount.importers.text_pieces import read_pieces
from pegcount.importers.xml_documents import read_documents


def parse_freeswitch_xml(file: BinaryIO, options: ImportOptions) -> Iterator[ParsedLine]:
    """Parses documents, however they follow each other; see `read_documents`."""
    return parse_legs(read_documents(read_pieces(file), options.line_bytes_max), _leg, options)


def variables_of(root: object) -> tuple[dict[str, object], tuple[dict[str, object], ...]]:
    """Returns the variables of a document, and its callflow.

    Raises UnreadableRowError for a document without variables.
    """
    variables = root.find("variables") if isinstance(root, Element) else None
    if not isinstance(root, Element) or variables is None:
        raise UnreadableRowError("the document has no variables")
    # Of a variable with several values, the first.
    values: dict[str, object] = {element.tag: element.text for element in reversed(variables)}
    return values, tuple(_flow(element) for element in root.iter("callflow"))


def _leg(root: object) -> Leg:
    return new_leg(*variables_of(root))


def _flow(callflow: Element) -> dict[str, object]:
    return {
        "caller_profile": _texts(callflow.find("caller_profile")),
        "times": _texts(callflow.find("times")),
    }


def _texts(parent: Element | None) -> dict[str, object]:
    """Returns the texts of the elements in one; of an element with others in it, their names."""
    elements = () if parent is None else parent
    return {element.tag: [child.tag for child in element] or element.text for element in elements}
