"""Credentials as the values that stores keep of them: lists are JSON texts."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from pegcount.data_scope import CredentialLimits, DataScope, Metric, OrganizationScope
from pegcount.model import CredentialRow, KeyRow

CREDENTIAL_FIELDS: Final = (
    "credential_id",
    "name",
    "scopes",
    "certificate_names",
    "keys",
    "create_us",
    "expire_us",
    "revoke_us",
    "last_use_us",
    "data_scope",
    "limits",
)
"""The names of the values of a credential, in order."""


def credential_of(
    credential_id: str,
    name: str,
    scopes: str,
    certificate_names: str,
    keys: str,
    create_us: int,
    expire_us: int | None,
    revoke_us: int | None,
    last_use_us: int | None,
    data_scope: str | None,
    limits: str | None,
) -> CredentialRow:
    """Returns the credential of which these are the values."""
    return CredentialRow(
        id=credential_id,
        name=name,
        scopes=tuple(json.loads(scopes)),
        certificate_names=tuple(json.loads(certificate_names)),
        keys=tuple(KeyRow(bytes.fromhex(digest), *rest) for digest, *rest in json.loads(keys)),
        create_us=create_us,
        expire_us=expire_us,
        revoke_us=revoke_us,
        last_use_us=last_use_us,
        data_scope=None if data_scope is None else _data_scope(json.loads(data_scope)),
        limits=None if limits is None else CredentialLimits(**json.loads(limits)),
    )


def credential_values(row: CredentialRow) -> Sequence[Any]:
    """Returns the values of a credential, each a text, an integer or None."""
    keys = [[key.digest.hex(), key.prefix, key.create_us, key.expire_us] for key in row.keys]
    lists = (json.dumps(value) for value in (row.scopes, row.certificate_names, keys))
    times_us = (row.create_us, row.expire_us, row.revoke_us, row.last_use_us)
    return (row.id, row.name, *lists, *times_us, _json(row.data_scope), _json(row.limits))


def _json(value: DataScope | CredentialLimits | None) -> str | None:
    return None if value is None else json.dumps(asdict(value))


def _data_scope(members: dict[str, Any]) -> DataScope:
    values = {name: tuple(value) for name, value in members.items()}
    values["organization"] = tuple(OrganizationScope(**each) for each in members["organization"])
    values["hidden_metrics"] = tuple(map(Metric, members["hidden_metrics"]))
    return DataScope(**values)
