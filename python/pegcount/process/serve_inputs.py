"""What a server reads before it starts, and which of its settings contradict each other."""

from pegcount.auth import Tokens, read_token_config
from pegcount.errors import PegcountError
from pegcount.server import ListenOptions, TlsFiles, is_unix
from pegcount.settings import ServeSettings, TlsPaths


class ServeOptionError(PegcountError):
    """Options that do not go together."""


def tls_files(paths: TlsPaths) -> TlsFiles | None:
    """Returns the files of TLS, None for plain text; raises ServeOptionError if an option is missing."""
    certificate, key, client_authorities = paths.certificate, paths.key, paths.client_authorities
    require_client_cert = paths.require_client_certificate
    if certificate is None and key is None:
        if client_authorities is not None or require_client_cert:
            raise ServeOptionError(
                "--client-ca and --require-client-cert need TLS: give --tls-cert and --tls-key, too"
            )
        return None
    if certificate is None or key is None:
        given, missing = ("--tls-key", "--tls-cert") if certificate is None else ("--tls-cert", "--tls-key")
        raise ServeOptionError(f"{given} needs {missing}, too")
    if client_authorities is not None and not require_client_cert:
        raise ServeOptionError(
            "--client-ca needs --require-client-cert, too: gRPC for Python asks clients for a certificate"
            " only if each of them must have one"
        )
    if require_client_cert and client_authorities is None:
        raise ServeOptionError(
            "--require-client-cert needs --client-ca, which says whose certificates to accept"
        )
    return TlsFiles(certificate, key, client_authorities)


def tokens(settings: ServeSettings) -> Tokens | None:
    """Returns the tokens of the settings, None without a configuration of them.

    Raises TokenFileError, and ServeOptionError if nothing would ask for tokens.
    """
    if settings.token_config is None:
        return None
    if not settings.has_authentication:
        raise ServeOptionError("--no-auth lets everybody in, whatever --token-config says: leave one out")
    return Tokens(read_token_config(settings.token_config, settings.config), settings.config)


def require_consistent(listen: str, options: ListenOptions) -> None:
    """Raises ServeOptionError if an option would have no effect."""
    if options.tls is not None and all(map(is_unix, options.addresses(listen))):
        raise ServeOptionError("a Unix socket has no TLS: leave out --tls-cert, or listen on HOST:PORT")
    if options.admin_address is not None and not (options.has_admin or options.has_reflection):
        raise ServeOptionError(
            "--admin-listen offers nothing with --no-admin and --no-reflection: leave one of the three out"
        )
