"""What the certificate of a client says, if its connection has one."""

import grpc

_SECURITY = "transport_security_type"
_NAMES = ("peer_dns", "peer_uri", "peer_email")
"""Where gRPC keeps the subject alternative names of a certificate that it has verified."""


def certificate_names(context: "grpc.aio.ServicerContext[object, object]") -> tuple[str, ...]:
    """Returns the names of the client's certificate: DNS names, then URIs, then e-mail addresses.

    They are exactly as in the certificate. Empty without TLS, and without a certificate that an authority of
    `--client-ca` signed: gRPC asks for one only where it must be valid, and ends the handshake if it is not.
    """
    found = context.auth_context()
    if b"ssl" not in found.get(_SECURITY, ()):
        return ()
    return tuple(name.decode("ascii") for kind in _NAMES for name in found.get(kind, ()) if name.isascii())
