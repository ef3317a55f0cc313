"""Formats of documents, which show what they are by the elements that FreeSWITCH writes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from pegcount.importers import freeswitch_json, freeswitch_xml, json_documents, xml_documents
from pegcount.importers.detection.findings import Finding, Misses, tallied
from pegcount.importers.detection.head import Head
from pegcount.importers.document import Document
from pegcount.importers.parsed_line import UnreadableLine, UnreadableRowError

_DOCUMENT_COUNT = 20
"""Documents of a file that are looked at."""
_BEGINS_LIKE_IT, _IS_ENCODED = 0.5, 0.9
_FORM = "variables and a uuid"

_Variables = Callable[[object], tuple[Mapping[str, object], tuple[Mapping[str, object], ...]]]


def detect_freeswitch_json(head: Head) -> Finding:
    """Tells documents by their variables."""
    if head.data.lstrip().startswith((b"%7B", b"cdr=%7B")):
        return Misses("its text is URL-encoded as a whole: decode it first", _IS_ENCODED)
    nearness = _BEGINS_LIKE_IT if head.kind_of_document == "JSON" else 0.0
    if b'"variables"' not in head.data:
        return Misses("its documents have no variables", nearness)
    documents = json_documents.read_documents(head.pieces(), head.options.line_bytes_max)
    return _tallied(head, documents, freeswitch_json.variables_of, nearness)


def detect_freeswitch_xml(head: Head) -> Finding:
    """Tells documents by their root element and variables."""
    nearness = _BEGINS_LIKE_IT if head.kind_of_document == "XML" else 0.0
    if not any(mark in head.data for mark in (b"<cdr", b"%3Ccdr", b"%3ccdr")):
        return Misses("its text has no element cdr", nearness)
    documents = xml_documents.read_documents(head.pieces(), head.options.line_bytes_max)
    return _tallied(head, documents, freeswitch_xml.variables_of, nearness)


def _tallied(
    head: Head, found: Iterable[Document | UnreadableLine], variables_of: _Variables, nearness: float
) -> Finding:
    documents = list(islice(found, _DOCUMENT_COUNT + 1))
    has_more = len(documents) > _DOCUMENT_COUNT or not head.is_whole
    if len(documents) <= _DOCUMENT_COUNT and not head.is_whole:
        # The head ends within the last one.
        documents = documents[:-1] or documents
    return tallied(_forms(documents[:_DOCUMENT_COUNT], variables_of, nearness), "document", has_more)


def _forms(
    documents: Iterable[Document | UnreadableLine], variables_of: _Variables, nearness: float
) -> Iterator[str | Misses]:
    for document in documents:
        if isinstance(document, UnreadableLine):
            yield Misses(document.reason, nearness)
            continue
        try:
            variables, _ = variables_of(document.value)
        except UnreadableRowError as error:
            yield Misses(str(error), nearness)
            continue
        yield _FORM if variables.get("uuid") else Misses("the document has no uuid", nearness)
