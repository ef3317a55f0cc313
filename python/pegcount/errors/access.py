"""Errors about who calls, and about credentials."""

from typing import Final

from pegcount.errors.base import InvalidRequestError, NotFoundError, PegcountError, Violation, shortened


class CredentialNotFoundError(NotFoundError):
    """No credential has an id, or the credential has ended."""

    def __init__(self, credential_id: str, message: str) -> None:
        super().__init__("CREDENTIAL_NOT_FOUND", "credential", message, id=shortened(credential_id))


class CredentialLimitError(InvalidRequestError):
    """With one more credential, a store would have more than it keeps, and none of them has ended."""

    def __init__(self, asked: int, allowed: int) -> None:
        message = f"{asked} credentials; {allowed} are allowed (credential_count_max): revoke those in no use"
        metadata = {"asked": str(asked), "allowed": str(allowed)}
        super().__init__([Violation("name", "LIST_LIMIT_EXCEEDED", message, metadata)])


class CredentialRefusedError(PegcountError):
    """A call has no credential that the server accepts, whatever is wrong with it.

    Its text never says what is wrong: it would tell those who try which keys exist.
    """

    reason = "CREDENTIAL_REFUSED"

    def __init__(self) -> None:
        super().__init__(
            "this server needs a credential that it accepts: send either a key as metadata x-api-key, or a"
            " token as metadata authorization, after the word Bearer"
        )


class CredentialUnexpectedError(PegcountError):
    """A call carries a credential, which a server without authentication cannot check."""

    reason = "CREDENTIAL_UNEXPECTED"

    def __init__(self) -> None:
        super().__init__(
            "the call carries a credential, but this server runs without authentication and cannot check it:"
            " call without one, or call the server that knows it"
        )


class AccessDeniedError(PegcountError):
    """The credential of a call lacks the scope that its method needs."""

    reason = "ACCESS_DENIED"

    def __init__(self, *scopes: str) -> None:
        """`scopes` are those of which one will do, as the command line names them, such as `read_reports`."""
        text = ", ".join(scopes)
        what = f"the scope {text}" if len(scopes) == 1 else f"one of the scopes {text}"
        super().__init__(f"the method needs a credential with {what}", scope=text)


_WRITER_ADVICE: Final = "write the record with a credential for it"


class OutsideScopeError(PegcountError):
    """A request names what is outside the data scope of its credential, or hidden from it; or a record is.

    The text is the same whether what it names exists or not.
    """

    reason = "ACCESS_DENIED"

    def __init__(self, field: str, value: str, problem: str, index: int | None = None) -> None:
        """`field` is that of the request, or of the record at a position of its batch."""
        self._given = (field, value, problem, index)
        where = field if index is None else f"records[{index}].{field}"
        metadata = {"field": field, "value": shortened(value)}
        # A record without the value would be outside, too.
        advice = "leave it out, or call with a credential for it" if index is None else _WRITER_ADVICE
        super().__init__(
            f"{where}: {problem}; {advice}",
            **(metadata if index is None else {**metadata, "index": index}),
        )

    def within(self, prefix: str) -> "OutsideScopeError":
        """Returns the same error of a request that is a part of another one, at `prefix`."""
        field, value, problem, index = self._given
        return OutsideScopeError(f"{prefix}{field}", value, problem, index)


class RotationInProgressError(PegcountError):
    """Two keys of a credential are accepted, which is the most."""

    reason = "ROTATION_IN_PROGRESS"

    def __init__(self, credential_id: str, until: str) -> None:
        super().__init__(
            f"two keys of credential {credential_id} are accepted, until {until}; rotate it after that, or"
            " make a credential and revoke this one",
            id=credential_id,
        )


class FirstCredentialIsLocalError(PegcountError):
    """A caller that nobody authenticated asks to manage credentials."""

    reason = "FIRST_CREDENTIAL_IS_LOCAL"

    def __init__(self) -> None:
        super().__init__(
            "this server runs without authentication, so that anybody could ask this: stop it, and run"
            " `pegcount key create --store DIR|URL --name NAME --scope root` on its store"
        )


class LastRootCredentialError(PegcountError):
    """Without a credential, no other one could manage credentials."""

    reason = "LAST_ROOT_CREDENTIAL"

    def __init__(self, credential_id: str) -> None:
        super().__init__(
            f"{credential_id} is the last credential with the scope root; make another one first",
            id=credential_id,
        )
