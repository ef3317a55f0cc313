"""Joins a credential of an archive with the one of the same id that the store has."""

from collections.abc import Iterable
from dataclasses import replace

from pegcount.model import CredentialRow, KeyRow


def joined_credential(moved: CredentialRow, held: CredentialRow) -> CredentialRow:
    """Returns what the store has, without what has ended in the archive, and with later keys of the archive.

    A key of the archive that the store lacks was made after the store got the credential if it is newer than
    all keys there; otherwise the store has dropped it, and it stays so.
    """
    ends_us = {key.digest: key.expire_us for key in moved.keys}
    keys = [replace(key, expire_us=_earliest((key.expire_us, ends_us.get(key.digest)))) for key in held.keys]
    newest_us = max((key.create_us for key in held.keys), default=0)
    later: list[KeyRow] = [key for key in moved.keys if key.create_us > newest_us]
    return replace(
        held,
        keys=(*later, *keys),
        expire_us=_earliest((held.expire_us, moved.expire_us)),
        revoke_us=_earliest((held.revoke_us, moved.revoke_us)),
        last_use_us=max((us for us in (held.last_use_us, moved.last_use_us) if us is not None), default=None),
    )


def _earliest(ends_us: Iterable[int | None]) -> int | None:
    return min((us for us in ends_us if us is not None), default=None)
