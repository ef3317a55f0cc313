"""XML documents in a file, one after the other, each with the root element `cdr`.

A damaged document costs itself only, as the next one is found by how it begins.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from urllib.parse import unquote_to_bytes
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from pegcount.importers.document import Document
from pegcount.importers.parsed_line import UnreadableLine
from pegcount.importers.undecoded import ESCAPE

_NOT_CLOSED = "the document is not closed"
_EDGE = re.compile(r"<\?xml(?=\s)|<cdrs?(?=[\s>])|</cdr\s*>")
# An edge of which only a part has come.
_EDGE_CHARS_MAX = 16
# Files that were joined may have an element around the documents.
_BETWEEN = re.compile(r"(?:\s|<\?xml[^<>]*>|</?cdrs[^<>]*>|<!--(?:(?!-->).)*-->)*", re.DOTALL)
_CLOSING_TAG = re.compile(r"</([\w.-]+)>")
_RAW_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#\w+);)")
_ENCODED_BEGINNINGS = ("%3C", "%3c")
_PART_OF_ESCAPE = re.compile(r"%[0-9A-Fa-f]?\Z")


def read_documents(pieces: Iterable[str], chars_max: int) -> Iterator[Document | UnreadableLine]:
    """Finds the documents, of up to `chars_max` characters each, in the text of a file; values are `Element`.

    A document begins with an XML declaration or `<cdr`, and ends with `</cdr>`; a damaged one also ends where
    the next begins.
    """
    splitter = _Splitter(chars_max)
    for piece in decoded_pieces(pieces):
        yield from splitter.take(piece)
    yield from splitter.finish()


def decoded_pieces(pieces: Iterable[str]) -> Iterator[str]:
    """Decodes a text that is URL-encoded as a whole, as `mod_xml_cdr` keeps what it could not post."""
    rest = iter(pieces)
    first = next(rest, "")
    while len(first) < len("cdr=%3C") and (more := next(rest, "")):
        first += more
    if not first.removeprefix("cdr=").startswith(_ENCODED_BEGINNINGS):
        yield from chain([first], rest)
        return
    decoder = codecs.getincrementaldecoder("utf-8")(ESCAPE)
    held = ""
    for piece in chain([first.removeprefix("cdr=")], rest):
        text = held + piece
        part = _PART_OF_ESCAPE.search(text)
        held = "" if part is None else part[0]
        raw = text[: len(text) - len(held)].encode()
        yield decoder.decode(unquote_to_bytes(raw))
    yield decoder.decode(held.encode(), final=True)


class _Splitter:
    """The text whose documents are not complete yet."""

    def __init__(self, chars_max: int) -> None:
        self._chars_max = chars_max
        self._text = ""
        self._line = 1
        self._place = 0
        self._crossed = 0
        """The place up to which edges were crossed."""
        self._is_open = False
        """Whether a document begins at the place."""
        self._has_root = False
        """Whether the root element of the open document has begun."""
        self._is_skipping = False
        """Whether the rest of a text that is too long is being skipped."""

    def take(self, piece: str) -> Iterator[Document | UnreadableLine]:
        """Yields what a further piece completes."""
        self._crossed = max(self._crossed, len(self._text) - _EDGE_CHARS_MAX) - self._place
        self._text, self._place = self._text[self._place :] + piece, 0
        for edge in _EDGE.finditer(self._text, self._crossed):
            yield from self._cross(edge)
            self._crossed = edge.end()
        if len(self._text) - self._place > self._chars_max:
            yield from self._overflow()

    def finish(self) -> Iterator[UnreadableLine]:
        """Yields what is left at the end of the file."""
        yield from self._leave(len(self._text))

    def _cross(self, edge: re.Match[str]) -> Iterator[Document | UnreadableLine]:
        """Ends or begins a document at an edge."""
        if edge[0].startswith("</"):
            if self._has_root:
                yield self._document(edge.end())
            else:
                yield from self._leave(edge.end())
            self._is_open = self._has_root = False
        elif edge[0] == "<cdr" and self._is_open and not self._has_root:
            self._has_root = True
        elif edge[0] == "<cdrs":
            # The declaration is that of the element around the documents.
            self._is_open = self._is_open and self._has_root
            yield from self._leave(edge.start())
            self._is_open = self._has_root = False
        else:
            yield from self._leave(edge.start())
            self._is_open, self._has_root = True, edge[0] == "<cdr"

    def _overflow(self) -> Iterator[UnreadableLine]:
        if not self._is_skipping:
            yield self._too_long(len(self._text))
        self._advance(len(self._text))
        self._is_open = self._has_root = False
        self._is_skipping = True

    def _leave(self, end: int) -> Iterator[UnreadableLine]:
        """Leaves a text that is not a whole document; what may stand between documents counts as nothing."""
        if self._is_skipping:
            self._advance(end)
        elif self._is_open:
            yield self._unreadable(end, _NOT_CLOSED)
        elif _BETWEEN.fullmatch(self._text, self._place, end):
            self._advance(end)
        else:
            yield self._unreadable(end, "the text is not an XML document of FreeSWITCH")
        self._is_skipping = False

    def _document(self, end: int) -> Document | UnreadableLine:
        if end - self._place > self._chars_max:
            return self._too_long(end)
        line, text = self._line, self._text[self._place : end]
        try:
            root = _root(text)
        except (ParseError, DefusedXmlException, ValueError) as error:
            return self._unreadable(end, f"no XML: {_described(error)}")
        self._advance(end)
        return Document(line, text, root)

    def _too_long(self, end: int) -> UnreadableLine:
        return self._unreadable(end, f"the document has more than {self._chars_max} characters")

    def _unreadable(self, end: int, reason: str) -> UnreadableLine:
        text = self._text[self._place : end]
        line = self._line + text.count("\n", 0, len(text) - len(text.lstrip()))
        self._advance(end)
        return UnreadableLine(line, reason, text.strip()[: self._chars_max])

    def _advance(self, place: int) -> None:
        self._line += self._text.count("\n", self._place, place)
        self._place = place


def _root(text: str) -> Element:
    """Parses a document, without entities and document types; raises ParseError or DefusedXmlException."""
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except ParseError:
        root = fromstring(_with_escaped_texts(text), forbid_dtd=True)
    return root


def _with_escaped_texts(text: str) -> str:
    """Escapes markup in the texts of elements.

    A document that was decoded as a whole has addresses such as `<sip:100@192.0.2.1>` in them; FusionPBX
    mends such documents, too.
    """
    pieces = []
    place = 0
    for closing in _CLOSING_TAG.finditer(text):
        opening = f"<{closing[1]}>"
        start = text.find(opening, place, closing.start())
        if start >= 0:
            start += len(opening)
            content = _RAW_AMPERSAND.sub("&amp;", text[start : closing.start()])
            pieces += [text[place:start], content.replace("<", "&lt;").replace(">", "&gt;")]
            place = closing.start()
        pieces.append(text[place : closing.end()])
        place = closing.end()
    return "".join([*pieces, text[place:]])


def _described(error: Exception) -> str:
    if isinstance(error, DefusedXmlException):
        return "it declares a document type or entities"
    return str(error)
