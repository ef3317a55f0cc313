"""Who may do what: the callers of the server, and the credentials by which it knows them. Knows no gRPC."""

from pegcount.auth.caller import Caller, Scope
from pegcount.auth.credentials import Credentials, Issued, RequireAccepted, accept_anybody
from pegcount.auth.hidden_fields import ACTIVE_FIELDS, SCOPE_FIELDS, default_hidden_fields, hidden_fields
from pegcount.auth.scope_rules import Contradiction, contradictions
from pegcount.auth.token_claims import TokenRefusal
from pegcount.auth.token_config import TokenConfig, read_token_config
from pegcount.auth.token_files import TokenFileError, read_secret_file
from pegcount.auth.tokens import Tokens

__all__ = [
    "ACTIVE_FIELDS",
    "SCOPE_FIELDS",
    "Caller",
    "Contradiction",
    "Credentials",
    "Issued",
    "RequireAccepted",
    "Scope",
    "TokenConfig",
    "TokenFileError",
    "TokenRefusal",
    "Tokens",
    "accept_anybody",
    "contradictions",
    "default_hidden_fields",
    "hidden_fields",
    "read_secret_file",
    "read_token_config",
]
