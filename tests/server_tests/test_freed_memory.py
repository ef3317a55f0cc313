"""Memory that gRPC has freed returns to the operating system, and the search for it costs little."""

import ctypes
from dataclasses import dataclass, field

import pytest
from pegcount.config import Config
from pegcount.process.freed_memory import FreedMemory, ProcessMemory, process_memory

_CONFIG = Config(freed_memory_look_seconds=10.0, freed_memory_bytes_min=64)
_PIECE_BYTES = 4_000
_PIECE_COUNT = 60_000
_KEPT_STRIDE = 50
"""One of so many pieces stays in use, so that the allocator keeps what is between them."""


@dataclass
class Held:
    """What a process holds, of which a part is in use."""

    resident: int = 100
    used: int = 100
    tries_s: list[float] = field(default_factory=list)
    now_s: float = 0.0

    def memory(self) -> ProcessMemory:
        return ProcessMemory(lambda: self.resident, self._return_freed)

    def look_for(self, seconds: int, freed: FreedMemory) -> None:
        for _ in range(2 * seconds):
            self.now_s += 0.5
            freed.look(self.now_s)

    def _return_freed(self) -> None:
        self.tries_s.append(self.now_s)
        self.resident = self.used


def test_memory_that_was_freed_is_given_back() -> None:
    memory = process_memory()
    if memory is None:
        pytest.skip("NOT TESTED: freed memory, as the allocator here is not that of glibc")
    freed = FreedMemory(Config(freed_memory_look_seconds=0.0, freed_memory_bytes_min=2**20), memory)
    freed.look(0.0)
    before = memory.resident_bytes()
    kept = _pieces_between_freed_ones()
    held = memory.resident_bytes() - before
    assert held > _PIECE_BYTES * _PIECE_COUNT / 2, "the test needs an allocator that keeps memory"
    freed.look(1.0)
    assert memory.resident_bytes() - before < held / 4
    for piece in kept:
        _libc().free(piece)


def test_it_begins_only_once_the_process_has_grown() -> None:
    held = Held()
    freed = FreedMemory(_CONFIG, held.memory())
    held.look_for(60, freed)
    held.resident = held.used = 163
    held.look_for(60, freed)
    assert held.tries_s == []
    held.resident = 164
    held.look_for(10, freed)
    assert len(held.tries_s) == 1


def test_it_tries_ever_less_often_in_vain() -> None:
    held = Held()
    freed = FreedMemory(_CONFIG, held.memory())
    held.look_for(1, freed)
    held.resident = held.used = 1_000
    held.look_for(3_600, freed)
    waits = [round(then - now) for now, then in zip(held.tries_s, held.tries_s[1:], strict=False)]
    assert waits[:5] == [20, 40, 80, 80, 80]


def test_what_is_freed_late_is_given_back() -> None:
    """Calls of a flood stay in use until the server has refused each of them."""
    held = Held()
    freed = FreedMemory(_CONFIG, held.memory())
    held.look_for(1, freed)
    held.resident = held.used = 3_000
    held.look_for(100, freed)
    held.used = 110
    held.look_for(100, freed)
    assert held.resident == 110


def test_more_growth_makes_it_try_at_once() -> None:
    held = Held()
    freed = FreedMemory(_CONFIG, held.memory())
    held.look_for(1, freed)
    held.resident = held.used = 1_000
    held.look_for(150, freed)
    count = len(held.tries_s)
    held.resident = 5_000_000
    held.look_for(11, freed)
    assert len(held.tries_s) == count + 1
    assert held.resident == 1_000


def test_another_allocator_is_left_alone() -> None:
    freed = FreedMemory(_CONFIG, None)
    freed.look(0.0)
    freed.look(100.0)


def _pieces_between_freed_ones() -> list[int]:
    """Allocates pieces with the allocator of the C library, frees most, and returns the others."""
    libc = _libc()
    pieces = [libc.malloc(_PIECE_BYTES) for _ in range(_PIECE_COUNT)]
    for piece in pieces:
        ctypes.memset(piece, 1, _PIECE_BYTES)
    for number, piece in enumerate(pieces):
        if number % _KEPT_STRIDE:
            libc.free(piece)
    return pieces[::_KEPT_STRIDE]


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]
    return libc
