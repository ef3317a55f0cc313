"""Line ends: CR alone becomes LF, and a last line without one is held back."""

from collections.abc import Iterator

from pegcount.importers.input_notes import HeldBackLine, InputNotes


def with_line_feeds(chunks: Iterator[bytes], line_bytes_max: int) -> Iterator[bytes]:
    """Converts the line ends of a file that has CR alone, as old spreadsheets write it.

    The first line tells: a file without LF in its first `line_bytes_max` bytes, but with CR.
    """
    head = b""
    for chunk in chunks:
        head += chunk
        if b"\n" in chunk or len(head) >= line_bytes_max:
            break
    if b"\n" in head or b"\r" not in head:
        yield head
        yield from chunks
        return
    yield head.replace(b"\r", b"\n")
    for chunk in chunks:
        yield chunk.replace(b"\r", b"\n")


def without_unended_line(
    chunks: Iterator[bytes], notes: InputNotes, line_bytes_max: int, takes_final_line: bool
) -> Iterator[bytes]:
    """Holds back a last line without a line end, unless `takes_final_line`; notes it.

    The rest of a line that is longer than `line_bytes_max`, which is unreadable anyway, passes. The beginning
    of a line where compressed data was damaged never does.
    """
    line_count, rest, is_too_long = 0, b"", False
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if end:
            yield rest + chunk[:end]
            line_count += chunk.count(b"\n")
            rest, is_too_long = chunk[end:], False
        else:
            rest += chunk
        if len(rest) > line_bytes_max:
            yield rest
            rest, is_too_long = b"", True
    if notes.damage:
        return
    if takes_final_line or is_too_long:
        yield rest
    elif rest.strip():
        notes.held_back = HeldBackLine(line_count + 1, rest)
