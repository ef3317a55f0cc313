"""The gRPC server; apart from `pegcount.client`, only this package imports gRPC."""

from pegcount.server.app import ListeningServer, ListenOptions, RunningServer, now_us
from pegcount.server.authentication import Authentication
from pegcount.server.certificate_files import TlsFiles, require_usable
from pegcount.server.listening import require_safe
from pegcount.server.observed_call import UNKNOWN_METHOD, CallKind, CallObserver, ObservedCall
from pegcount.server.server_state import LaneLoad, MethodCalls, ServerState
from pegcount.server.status import code_of_call, outcome_of
from pegcount.server.unix_socket import is_unix

__all__ = [
    "UNKNOWN_METHOD",
    "Authentication",
    "CallKind",
    "CallObserver",
    "LaneLoad",
    "ListenOptions",
    "ListeningServer",
    "MethodCalls",
    "ObservedCall",
    "RunningServer",
    "ServerState",
    "TlsFiles",
    "code_of_call",
    "is_unix",
    "now_us",
    "outcome_of",
    "require_safe",
    "require_usable",
]
