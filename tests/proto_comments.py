"""Reads the comments of the proto files, so that tests can compare them with the behaviour."""

import re
from importlib.resources import files
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

# Field numbers in descriptor.proto, from which the source path of an element is built.
_ENUM_OF_FILE, _VALUE_OF_ENUM = 5, 2


_PERHAPS = re.compile(r"(?:^|; )perhaps ")
"""Follows the metadata that all errors of a reason have."""


def proto_files() -> list[FileDescriptorProto]:
    """Returns the descriptors of Pegcount's proto files, with source comments."""
    content = files("pegcount.server").joinpath("contract.binpb").read_bytes()
    described = FileDescriptorSet.FromString(content).file
    return [file for file in described if file.name.startswith("pegcount/")]


def enum_comments() -> dict[str, str]:
    """Returns the comment of each enum value by the value's name, joined into one line."""
    comments = {}
    for file in proto_files():
        by_path = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
        for i, enum in enumerate(file.enum_type):
            for j, value in enumerate(enum.value):
                comment = by_path.get((_ENUM_OF_FILE, i, _VALUE_OF_ENUM, j), "")
                comments[value.name] = " ".join(comment.split())
    return comments


def metadata_names(reason: str) -> set[str]:
    """Returns the metadata keys that the comment of an `ErrorReason` (given without prefix) promises."""
    return _keys(_PERHAPS.split(_metadata_of(reason), maxsplit=1)[0])


def possible_metadata_names(reason: str) -> set[str]:
    """Returns the metadata keys that only some errors of an `ErrorReason` have."""
    return _keys("".join(_PERHAPS.split(_metadata_of(reason), maxsplit=1)[1:]))


def _metadata_of(reason: str) -> str:
    return enum_comments()[f"ERROR_REASON_{reason}"].partition("Metadata: ")[2]


def _keys(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))


def names_of(enum: Any, prefix: str) -> list[str]:
    """Returns the names of an enum without the prefix and without the unspecified value."""
    return [name.removeprefix(prefix) for name, number in enum.items() if number]
