"""JSON documents in a file, of one line each or pretty-printed over many."""

from collections.abc import Iterable, Iterator

from pegcount.importers.parsed_line import UnreadableLine
from pegcount.importers.text_lines import TextLine

_NOT_CLOSED = "the document is not closed"


def read_documents(
    lines: Iterable[TextLine | UnreadableLine], document_chars_max: int
) -> Iterator[TextLine | UnreadableLine]:
    """Joins the lines of each document.

    A line that begins with an unindented `{` begins a document. If the line contains only
    `{`, the document ends at the next line that contains only an unindented `}`; otherwise
    the line is the whole document. A damaged document therefore never swallows the next one.
    """
    document: _Document | None = None
    for line in lines:
        if document is not None and line.text.startswith("{"):
            yield document.unreadable(_NOT_CLOSED)
            document = None
        if document is None and line.text.rstrip() == "{":
            document = _Document(document_chars_max)
        if document is None:
            yield line
            continue
        document.add(line)
        if line.text.rstrip() == "}":
            yield document.finished()
            document = None
    if document is not None:
        yield document.unreadable(_NOT_CLOSED)


class _Document:
    """The lines of an unfinished document."""

    def __init__(self, chars_max: int) -> None:
        self._chars_max = chars_max
        self._chars = 0
        self._number = 0
        self._texts: list[str] = []
        self._problem = ""

    def add(self, line: TextLine | UnreadableLine) -> None:
        self._number = self._number or line.line
        self._chars += len(line.text) + 1
        if isinstance(line, UnreadableLine):
            self._problem = self._problem or f"line {line.line}: {line.reason}"
        if self._chars > self._chars_max:
            self._problem = self._problem or f"the document has more than {self._chars_max} characters"
        else:
            self._texts.append(line.text)

    def finished(self) -> TextLine | UnreadableLine:
        if self._problem:
            return self.unreadable(self._problem)
        return TextLine(self._number, "\n".join(self._texts))

    def unreadable(self, reason: str) -> UnreadableLine:
        return UnreadableLine(self._number, reason, "\n".join(self._texts))
