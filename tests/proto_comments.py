"""What the comments of the proto files say; other tests hold the service to it."""

import re
from importlib.resources import files
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

# Numbers of fields of descriptor.proto, of which the path to an element is made.
_ENUM_OF_FILE, _VALUE_OF_ENUM = 5, 2


def proto_files() -> list[FileDescriptorProto]:
    """The files of the contract, with their comments."""
    content = files("pegcount.v1").joinpath("descriptors.binpb").read_bytes()
    described = FileDescriptorSet.FromString(content).file
    return [file for file in described if file.name.startswith("pegcount/")]


def enum_comments() -> dict[str, str]:
    """The comment of each enum value of the contract, in one line, by the value's name."""
    comments = {}
    for file in proto_files():
        by_path = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
        for i, enum in enumerate(file.enum_type):
            for j, value in enumerate(enum.value):
                comment = by_path.get((_ENUM_OF_FILE, i, _VALUE_OF_ENUM, j), "")
                comments[value.name] = " ".join(comment.split())
    return comments


def metadata_names(reason: str) -> set[str]:
    """Keys of the metadata that the contract promises for an `ErrorReason`, given without its prefix."""
    comment = enum_comments()[f"ERROR_REASON_{reason}"]
    return set(re.findall(r"`(\w+)`", comment.partition("Metadata: ")[2]))


def names_of(enum: Any, prefix: str) -> list[str]:
    """Names of an enum's values but the unspecified one, without their prefix."""
    return [name.removeprefix(prefix) for name, number in enum.items() if number]
