"""Who may do what: the callers of the server, and the credentials by which it knows them. Knows no gRPC."""

from pegcount.auth.caller import Caller, Scope
from pegcount.auth.credentials import Credentials, Issued

__all__ = ["Caller", "Credentials", "Issued", "Scope"]
