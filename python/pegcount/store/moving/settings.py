"""The settings that an archive has, and their JSON form."""

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from pegcount.errors import ArchiveError
from pegcount.model import CredentialRow, Deletion, Retention
from pegcount.privacy import Masking
from pegcount.store.credential_values import CREDENTIAL_FIELDS, credential_of, credential_values


@dataclass(frozen=True, slots=True)
class MovedErasure:
    """An erasure: digests of numbers with the key of the store that made them."""

    key: bytes = field(repr=False)
    digests: tuple[bytes, ...]
    create_us: int
    records: int
    """Records that had one of its numbers."""

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON form."""
        digests = [digest.hex() for digest in self.digests]
        own = {"create_us": self.create_us, "records": self.records}
        return {"key": self.key.hex(), "digests": digests, **own}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns what `to_json` was asked of."""
        digests = tuple(map(bytes.fromhex, content["digests"]))
        return cls(bytes.fromhex(content["key"]), digests, content["create_us"], content["records"])


@dataclass(frozen=True, slots=True)
class MovedSettings:
    """All settings of a store but its code decks."""

    deletions: Mapping[int, Deletion]
    """The rules that reject records, by number."""
    erasures: tuple[MovedErasure, ...]
    masking: Masking | None
    retention: Retention
    first_retained_day: int | None
    """First UTC day, in days since 1970-01-01, that these limits have left; None: none was dropped yet."""
    documents: Mapping[str, bytes]
    credentials: tuple[CredentialRow, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return {
            "deletions": [{"rule_id": number, **asdict(rule)} for number, rule in self.deletions.items()],
            "erasures": [erasure.to_json() for erasure in self.erasures],
            "masking": None if self.masking is None else asdict(self.masking),
            "retention": asdict(self.retention),
            "first_retained_day": self.first_retained_day,
            "documents": {name: base64.b64encode(each).decode() for name, each in self.documents.items()},
            "credentials": [
                dict(zip(CREDENTIAL_FIELDS, credential_values(row), strict=True)) for row in self.credentials
            ],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Returns what `to_json` was asked of; raises ArchiveError if a newer version has other settings."""
        names = {each.name for each in fields(cls)}
        if content.keys() != names:
            strange = ", ".join(sorted(content.keys() ^ names))
            raise ArchiveError(f"the archive was written by another version of Pegcount: see {strange}")
        masking = content["masking"]
        return cls(
            {rule["rule_id"]: _deletion(rule) for rule in content["deletions"]},
            tuple(map(MovedErasure.from_json, content["erasures"])),
            None if masking is None else Masking(**masking),
            Retention(**content["retention"]),
            content["first_retained_day"],
            {name: base64.b64decode(each) for name, each in content["documents"].items()},
            tuple(map(_credential, content["credentials"])),
        )


def _deletion(rule: Mapping[str, Any]) -> Deletion:
    return Deletion(rule["source"], rule["from_us"], rule["to_us"], tuple(rule["session_ids"]))


def _credential(values: Mapping[str, Any]) -> CredentialRow:
    return credential_of(*(values[name] for name in CREDENTIAL_FIELDS))
