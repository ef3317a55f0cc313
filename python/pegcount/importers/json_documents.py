"""JSON documents in a file: one on each line, one after the other without line ends, or over many lines.

They may be the elements of an array. A damaged document costs itself only, as the next one is found by how
it begins.
"""

import json
import re
from collections.abc import Iterable, Iterator

from pegcount.importers.document import Document
from pegcount.importers.parsed_line import UnreadableLine

_NOT_CLOSED = "the document is not closed"
_SEPARATOR = re.compile(r"[\s,\[\]]*")
_GARBAGE = re.compile(r"[^\n{]*")
# `mod_json_cdr` writes this key first; within a string, its quotes would be escaped.
_FIRST_KEY = '"core-uuid"'
# What stands before that key: a brace, or also one of an object around the document or its first keys, which
# is how a form and FusionPBX keep it.
_OPENING = re.compile(r'(?:\{\s*"(?:cdr|@attributes)"\s*:\s*)?\{\s*\Z')
_OPENING_CHARS_MAX = 200
_WRAPPER = re.compile(r'\{\s*"(?!core-uuid")[^"\\]{1,40}"\s*:\s*')
# A text that is not closed ends with its line. To look for its end from each quote took quadratic time.
_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*+"?|[{}]')
_TAKEN_CHARS_MAX = 65_536
_DECODER = json.JSONDecoder()


def read_documents(pieces: Iterable[str], chars_max: int) -> Iterator[Document | UnreadableLine]:
    """Finds the documents, of up to `chars_max` characters each, in the text of a file.

    A document ends with the brace that closes it. A damaged one ends there, too, or else where the next
    begins: at `{"core-uuid":`, or at a line that begins with an unindented `{`.
    """
    splitter = _Splitter(chars_max)
    for piece in pieces:
        yield from splitter.take(piece)
    yield from splitter.finish()


class _Splitter:
    """The text whose documents are not complete yet."""

    def __init__(self, chars_max: int) -> None:
        self._chars_max = chars_max
        self._text = ""
        self._place = 0
        self._line = 1
        self._is_last = False
        self._has_no_start = False
        """Whether no further document begins in the text, as far as can be told."""
        self._is_skipping = False
        """Whether the rest of a document that is too long is being skipped."""

    def take(self, piece: str) -> Iterator[Document | UnreadableLine]:
        """Yields what a further piece completes."""
        self._text, self._place = self._text[self._place :] + piece, 0
        self._has_no_start = False
        while not self._is_skipping or self._skip():
            found = self._next()
            if found is None:
                break
            yield found
        if not self._is_skipping and len(self._text) - self._place > self._chars_max:
            yield self._too_long(len(self._text))
            self._is_skipping = True

    def finish(self) -> Iterator[Document | UnreadableLine]:
        """Yields what is left at the end of the file."""
        self._is_last = True
        yield from self.take("")

    def _skip(self) -> bool:
        """Goes on to where the next document begins; returns whether that has come."""
        start = self._next_start(self._place)
        self._is_skipping = start is None
        # A part of the beginning may have come.
        self._advance(max(self._place, len(self._text) - _OPENING_CHARS_MAX) if start is None else start)
        return not self._is_skipping

    def _next(self) -> Document | UnreadableLine | None:
        """Takes what stands first, None if it needs more text."""
        self._advance(_end(_SEPARATOR, self._text, self._place))
        if self._place == len(self._text):
            return None
        if self._text[self._place] != "{":
            return self._garbage()
        try:
            value, end = _DECODER.raw_decode(self._text, self._place)
        except (ValueError, RecursionError) as error:
            return self._damaged(error)
        if end - self._place > self._chars_max:
            return self._too_long(end)
        line, text = self._line, self._text[self._place : end]
        self._advance(end)
        return Document(line, text, value)

    def _garbage(self) -> UnreadableLine | None:
        end = _end(_GARBAGE, self._text, self._place)
        if end == len(self._text) and not self._is_last:
            return None
        is_encoded = self._text.startswith(("%7B", "cdr="), self._place)
        hint = ", but URL-encoded as a whole, as a form posts it: decode it first" if is_encoded else ""
        return self._unreadable(end, f"the text is not a JSON document{hint}")

    def _damaged(self, error: Exception) -> UnreadableLine | None:
        """Takes a document that is damaged, None if the rest of it may be to come."""
        limit = self._next_start(self._place + 1)
        if limit is None and not self._is_last and len(self._text) - self._place <= self._chars_max:
            return None
        end = _closing_end(self._text, self._place, len(self._text) if limit is None else limit)
        if end is not None:
            return self._unreadable(end, f"no JSON: {_described(error, self._place)}")
        if limit is None and not self._is_last:
            return None
        return self._unreadable(len(self._text) if limit is None else limit, _NOT_CLOSED)

    def _next_start(self, place: int) -> int | None:
        """Returns where the next document begins, from a place in the present one."""
        if self._has_no_start:
            return None
        starts = [
            start for start in (self._start_of_line(place), self._start_by_key(place)) if start is not None
        ]
        self._has_no_start = not starts
        return min(starts, default=None)

    def _start_of_line(self, place: int) -> int | None:
        found = self._text.find("\n{", max(0, place - 1))
        if found >= 0 and _WRAPPER.fullmatch(self._text, self._place, found + 1):
            found = self._text.find("\n{", found + 1)
        return None if found < 0 else found + 1

    def _start_by_key(self, place: int) -> int | None:
        found = place
        while (found := self._text.find(_FIRST_KEY, found)) >= 0:
            opening = _OPENING.search(self._text, max(place, found - _OPENING_CHARS_MAX), found)
            if opening is not None and not _WRAPPER.fullmatch(self._text, self._place, opening.start()):
                return opening.start()
            found += len(_FIRST_KEY)
        return None

    def _too_long(self, end: int) -> UnreadableLine:
        return self._unreadable(end, f"the document has more than {self._chars_max} characters")

    def _unreadable(self, end: int, reason: str) -> UnreadableLine:
        line, text = self._line, self._text[self._place : end].rstrip()
        self._advance(end)
        return UnreadableLine(line, reason, text[: self._chars_max])

    def _advance(self, place: int) -> None:
        self._line += self._text.count("\n", self._place, place)
        self._place = place
        if place > _TAKEN_CHARS_MAX:
            # An error of the JSON reader counts the lines before it, of the whole text.
            self._text, self._place = self._text[place:], 0


def _end(pattern: re.Pattern[str], text: str, place: int) -> int:
    """Returns the end of what a pattern, which may match nothing, finds at a place."""
    match = pattern.match(text, place)
    return place if match is None else match.end()


def _closing_end(text: str, start: int, limit: int) -> int | None:
    """Returns the place after the brace that closes the one at `start`."""
    depth = 0
    for token in _TOKEN.finditer(text, start, limit):
        if token[0] == "{":
            depth += 1
        elif token[0] == "}":
            depth -= 1
            if depth == 0:
                return token.end()
    return None


def _described(error: Exception, start: int) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos - start + 1}"
    return str(error)
