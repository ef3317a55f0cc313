"""Mutations that know the messages of the methods: bytes at random rarely stay a message."""

import random
from collections.abc import Callable, Sequence
from typing import cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from fuzz.call_targets import HEADER_BYTES, chosen, has_many, joined, message_class, split

Mutate = Callable[[bytes, int], bytes]
"""Mutates bytes, up to a length, without a notion of what they are."""

_TEXT_BYTES_MAX = 64
_COPIES_MAX = 4
_DEPTH_MAX = 3
_INTEGERS = (0, 1, -1, 2, 7, 60, 3600, 2**31 - 1, -(2**31), 2**32, 2**53, 2**63 - 1, -(2**63), 1_774_872_000)
_TEXTS = (
    "",
    "a1",
    "acme",
    "north",
    "2026-03-29",
    "2026-03-29T10:00:00Z",
    "Europe/Berlin",
    "session_id",
    "192.0.2.0/24",
)
_BITS_OF = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64),
    FieldDescriptor.CPPTYPE_ENUM: (-1, 20),
}


class MessageMutator:
    """Mutates inputs of the targets of `call_targets.py`."""

    def __init__(self, methods: Sequence[str], mutate: Mutate) -> None:
        self._methods = methods
        self._mutate = mutate

    def __call__(self, data: bytes, size_max: int, seed: int) -> bytes:
        """Returns a mutated input; `seed` decides how."""
        chance = random.Random(seed)
        if chance.random() < 0.2 or len(data) < HEADER_BYTES:
            return self._mutate(data, size_max)
        header, rest = data[:HEADER_BYTES], data[HEADER_BYTES:]
        if chance.random() < 0.1:
            header = bytes([header[0], chance.randrange(8)])
        method = chosen(self._methods, header[0])
        messages = split(rest) if has_many(method) else [rest]
        messages = messages or [b""]
        number = chance.randrange(len(messages))
        messages[number] = self._changed(message_class(method), messages[number], chance)
        if has_many(method) and chance.random() < 0.1:
            messages.append(messages[number])
        changed = header + (joined(messages) if has_many(method) else messages[0])
        return changed if len(changed) <= size_max else self._mutate(data, size_max)

    def _changed(self, kind: type[Message], data: bytes, chance: random.Random) -> bytes:
        message = kind()
        try:
            message.ParseFromString(data)
        except DecodeError:
            return self._mutate(data, max(len(data), _TEXT_BYTES_MAX))
        for _ in range(chance.randrange(1, 4)):
            self._change(message, chance, depth=0)
        return message.SerializeToString()

    def _change(self, message: Message, chance: random.Random, depth: int) -> None:
        fields = message.DESCRIPTOR.fields
        if not fields:
            return
        field = cast(FieldDescriptor, chance.choice(fields))
        if chance.random() < 0.15:
            message.ClearField(field.name)
        elif field.is_repeated:
            self._change_list(message, field, chance, depth)
        elif field.message_type is not None:
            inner = getattr(message, field.name)
            inner.SetInParent()
            if depth < _DEPTH_MAX:
                self._change(inner, chance, depth + 1)
        else:
            setattr(message, field.name, self._value(field, getattr(message, field.name), chance))

    def _change_list(
        self, message: Message, field: FieldDescriptor, chance: random.Random, depth: int
    ) -> None:
        values = getattr(message, field.name)
        if field.message_type is not None:
            inner = chance.choice(values) if values and chance.random() < 0.6 else values.add()
            if depth < _DEPTH_MAX:
                self._change(inner, chance, depth + 1)
        elif values and chance.random() < 0.5:
            values[chance.randrange(len(values))] = self._value(field, values[0], chance)
        else:
            value = self._value(field, values[0] if values else field.default_value or 0, chance)
            values.extend([value] * chance.randrange(1, _COPIES_MAX))

    def _value(self, field: FieldDescriptor, value: object, chance: random.Random) -> object:
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            return self._text(field, value, chance)
        if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            return chance.random() < 0.5
        if field.cpp_type in _BITS_OF:
            low, high = _BITS_OF[field.cpp_type]
            number = chance.choice(_INTEGERS) if chance.random() < 0.7 else chance.randrange(low, high)
            return low + (number - low) % (high - low)
        return chance.choice((0.0, -1.0, 0.5, 1e300, float("inf"), float("nan")))

    def _text(self, field: FieldDescriptor, value: object, chance: random.Random) -> str | bytes:
        if chance.random() < 0.4:
            text = chance.choice(_TEXTS)
            return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
        raw = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else b""
        mutated = self._mutate(raw, max(len(raw), _TEXT_BYTES_MAX))
        return mutated if field.type == FieldDescriptor.TYPE_BYTES else mutated.decode(errors="replace")
