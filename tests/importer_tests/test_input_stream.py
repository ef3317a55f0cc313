"""Files as parsers read them: compression, encodings of 16 bits, line ends, and last lines without one."""

import gzip
import io
import tracemalloc
from typing import Any

import pytest
import zstandard
from pegcount.errors import ImportFileError
from pegcount.importers.input_notes import HeldBackLine
from pegcount.importers.input_stream import OpenedInput, opened_input
from seeds import chance

from .reading import options

LINES = b"".join(b"line %d of a log\n" % number for number in range(20_000))


class Pipe(io.BytesIO):
    """Cannot be rewound, and gives few bytes at a time."""

    def seekable(self) -> bool:
        return False

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 0, 7))


def opened(data: bytes, takes_final_line: bool = False, **more: Any) -> OpenedInput:
    return opened_input(io.BytesIO(data), options(**more), takes_final_line)


def content(data: bytes, takes_final_line: bool = False, **more: Any) -> bytes:
    return opened(data, takes_final_line, **more).file.read()


def zstd(data: bytes) -> bytes:
    # Without the length of the content, as `zstd` writes what comes from a pipe.
    return zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress(data)


SKIPPABLE_FRAME = b"\x50\x2a\x4d\x18\x03\0\0\0abc"


@pytest.mark.parametrize(
    "packed",
    [
        LINES,
        gzip.compress(LINES),
        gzip.compress(LINES[:100]) + gzip.compress(b"") + gzip.compress(LINES[100:]),
        gzip.compress(LINES) + bytes(500),
        zstd(LINES),
        zstd(LINES[:100]) + zstd(b"") + zstd(LINES[100:]),
        SKIPPABLE_FRAME + zstd(LINES[:100]) + SKIPPABLE_FRAME + zstd(LINES[100:]) + SKIPPABLE_FRAME,
    ],
    ids=["text", "gzip", "members", "padded", "zstd", "frames", "skippable"],
)
def test_content_is_known_by_its_first_bytes(packed: bytes) -> None:
    found = opened(packed)
    assert found.file.read() == LINES
    assert (found.notes.damage, found.notes.held_back) == ("", None)
    assert found.notes.bytes_read == len(packed)
    # Compressed or not, it can be read twice.
    found.file.seek(0)
    assert found.file.read() == LINES
    pipe = opened_input(Pipe(packed), options(), takes_final_line=False)
    assert (pipe.file.read(), pipe.notes.damage, pipe.file.seekable()) == (LINES, "", False)


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_of_a_truncated_file_all_whole_lines_before_the_end_are_read(pack: Any) -> None:
    whole = b"a\n" * 500
    noise = chance("bytes that do not compress").randbytes(30_000).hex().encode() + b"\n"
    first, second = pack(whole), pack(noise)
    for size in (len(first) + 3, len(first) + len(second) // 2):
        found = opened((first + second)[:size])
        assert found.file.read() == whole
        assert "stops before its end" in found.notes.damage
        # Whatever the option, the beginning of the next line is not taken for a line.
        assert content((first + second)[:size], takes_final_line=True) == whole
    # Only the end of the checksum is missing.
    found = opened((first + second)[:-1])
    assert found.file.read() == whole + noise
    assert "stops before its end" in found.notes.damage


def test_of_one_truncated_member_what_was_decoded_is_read() -> None:
    found = opened(gzip.compress(LINES)[:-3000])
    text = found.file.read()
    assert LINES.startswith(text)
    assert text.endswith(b"\n")
    assert len(text) > len(LINES) / 2
    assert "stops before its end" in found.notes.damage


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_damage_and_foreign_bytes_are_noted(pack: Any) -> None:
    packed = pack(LINES)
    for damaged in (packed + b"garbage", packed[:-2] + bytes([packed[-2] ^ 1]) + packed[-1:]):
        found = opened(damaged)
        assert LINES.startswith(found.file.read())
        assert "is damaged" in found.notes.damage


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\0\0", "xz"),
        (b"PK\x03\x04\x14\0", "a ZIP archive or a spreadsheet"),
    ],
)
def test_other_compressions_are_refused(data: bytes, name: str) -> None:
    with pytest.raises(ImportFileError, match=f"the file is {name}; save it as text"):
        content(data)


@pytest.mark.parametrize("pack", [gzip.compress, zstd])
def test_a_decompression_bomb_takes_little_memory(pack: Any) -> None:
    packed = pack(bytes(300_000_000))
    assert len(packed) < 400_000
    found = opened(packed)
    tracemalloc.start()
    try:
        size = 0
        while chunk := found.file.readline(1_048_576):
            size += len(chunk)
        assert size == 300_000_000
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_wide_encodings_are_known_by_their_mark(encoding: str) -> None:
    text = "a,ü,中\r\nb,\U0001f4de\r\n"
    marked = text if encoding in ("utf-16", "utf-32") else "\ufeff" + text
    assert content(marked.encode(encoding)).decode().removeprefix("\ufeff") == text
    assert content(gzip.compress(marked.encode(encoding))).decode().removeprefix("\ufeff") == text
    pipe = opened_input(Pipe(marked.encode(encoding)), options(), takes_final_line=False)
    assert pipe.file.read().decode().removeprefix("\ufeff") == text


def test_an_option_tells_of_a_wide_encoding_without_a_mark() -> None:
    assert content("ü\n".encode("utf-16-be"), encoding="utf-16-be").decode() == "ü\n"
    with pytest.raises(ImportFileError, match="no byte order mark; give --encoding utf-16-le or -be"):
        content("ü\n".encode("utf-16-be"), encoding="utf-16")
    assert content(b"", encoding="utf-16") == b""


@pytest.mark.parametrize(
    ("data", "encoding", "said"),
    [
        ("\ufeffa\n".encode(), "latin-1", "UTF-8, not latin-1"),
        ("\ufeffa\n".encode("utf-16-le"), "cp1252", "UTF-16, not cp1252"),
        ("\ufeffa\n".encode(), "utf-16", "UTF-8, not utf-16"),
    ],
)
def test_a_mark_contradicts_an_option(data: bytes, encoding: str, said: str) -> None:
    with pytest.raises(ImportFileError, match=f"the byte order mark of the file says {said}"):
        content(data, encoding=encoding)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\rb\rc\r", b"a\nb\nc\n"),
        (b"a\r\rb\r", b"a\n\nb\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n"),
        (b'"x\ry"\nb\n', b'"x\ry"\nb\n'),
        (b"a\r", b"a\n"),
    ],
)
def test_cr_alone_ends_lines_if_no_lf_does(data: bytes, expected: bytes) -> None:
    assert content(data) == expected
    assert opened_input(Pipe(data), options(), takes_final_line=False).file.read() == expected
    assert content("\ufeff".encode("utf-16") + data.decode().encode("utf-16-le")).endswith(expected)


@pytest.mark.parametrize(
    ("data", "expected", "held_back"),
    [
        (b"a\nb,35\n", b"a\nb,35\n", None),
        (b"a\nb,3", b"a\n", HeldBackLine(2, b"b,3")),
        (b"a\r\nb,35\r", b"a\r\n", HeldBackLine(2, b"b,35\r")),
        (b"a\rb\rc", b"a\nb\n", HeldBackLine(3, b"c")),
        (b"a", b"", HeldBackLine(1, b"a")),
        (b"a\n \t", b"a\n", None),
        (b"", b"", None),
        # It is unreadable anyway, and takes no memory.
        (b"a\n" + b"x" * 100, b"a\n" + b"x" * 100, None),
    ],
)
def test_a_last_line_without_a_line_end_is_held_back(
    data: bytes, expected: bytes, held_back: HeldBackLine | None
) -> None:
    for file in (io.BytesIO(data), Pipe(data)):
        found = opened_input(file, options(line_bytes_max=20), takes_final_line=False)
        assert (found.file.read(), found.notes.held_back) == (expected, held_back)
    taken = opened(data, takes_final_line=True)
    assert taken.file.read() == expected + (held_back.raw if held_back else data[len(expected) :])
    assert taken.notes.held_back is None


def test_only_the_beginning_can_be_sought() -> None:
    found = opened(LINES)
    found.file.read(400_000)
    with pytest.raises(io.UnsupportedOperation, match="beginning"):
        found.file.seek(300_000_000)
    with pytest.raises(io.UnsupportedOperation, match="not seekable"):
        opened_input(Pipe(LINES), options(), takes_final_line=False).file.seek(0)
