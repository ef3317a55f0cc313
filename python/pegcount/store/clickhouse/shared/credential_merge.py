"""Joins two changes of one credential that two servers made without knowing of each other."""

from dataclasses import fields, replace
from typing import Final

from pegcount.model import CredentialRow, KeyRow

_MERGED_FIELDS: Final = {"keys", "expire_us", "revoke_us", "last_use_us"}


def merged(base: CredentialRow | None, put: CredentialRow, present: CredentialRow) -> CredentialRow:
    """Returns a credential with what `put` changes of `base`, on top of what it is at present.

    `base` is what the writer of `put` last saw; None: it saw none with this id. What ends earlier by one of
    both sides ends then: nothing that one server has ended is accepted again by the change of another.
    """
    if base is None:
        return replace(put, revoke_us=_earliest(put.revoke_us, present.revoke_us))
    if base == present:
        return put
    chosen = {
        name: getattr(put if getattr(put, name) != getattr(base, name) else present, name)
        for name in (each.name for each in fields(CredentialRow))
        if name not in _MERGED_FIELDS
    }
    return replace(
        present,
        **chosen,
        keys=_merged_keys(base.keys, put.keys, present.keys),
        expire_us=_merged_end(base.expire_us, put.expire_us, present.expire_us),
        revoke_us=_merged_end(base.revoke_us, put.revoke_us, present.revoke_us),
        last_use_us=_latest(put.last_use_us, present.last_use_us),
    )


def _merged_keys(
    base: tuple[KeyRow, ...], put: tuple[KeyRow, ...], present: tuple[KeyRow, ...]
) -> tuple[KeyRow, ...]:
    """Both sides' new keys, without those that one side dropped, the newest first."""
    of_base, of_put, of_present = _by_digest(base), _by_digest(put), _by_digest(present)
    keys: list[KeyRow] = []
    for digest in of_present | of_put:
        ours, theirs, before = of_put.get(digest), of_present.get(digest), of_base.get(digest)
        if ours is not None and theirs is not None:
            end_us = _merged_end(before.expire_us if before else None, ours.expire_us, theirs.expire_us)
            keys.append(replace(ours, expire_us=end_us))
        elif before is None:
            keys += [key for key in (ours, theirs) if key is not None]
    return tuple(sorted(keys, key=lambda key: key.create_us, reverse=True))


def _by_digest(keys: tuple[KeyRow, ...]) -> dict[bytes, KeyRow]:
    return {key.digest: key for key in keys}


def _merged_end(base_us: int | None, put_us: int | None, present_us: int | None) -> int | None:
    """The change of the one side that made one, the earlier end if both did."""
    if put_us == base_us:
        return present_us
    return put_us if present_us == base_us else _earliest(put_us, present_us)


def _earliest(*ends_us: int | None) -> int | None:
    return min((us for us in ends_us if us is not None), default=None)


def _latest(*times_us: int | None) -> int | None:
    return max((us for us in times_us if us is not None), default=None)
