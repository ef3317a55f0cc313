"""The files that a server reads before it starts."""

from pegcount.auth import Tokens, read_token_config
from pegcount.server import TlsFiles
from pegcount.settings import ServeSettings, TlsPaths


def tls_files(paths: TlsPaths) -> TlsFiles | None:
    """Returns the files of TLS, of settings that are consistent; None for plain text."""
    if paths.certificate is None or paths.key is None:
        return None
    return TlsFiles(paths.certificate, paths.key, paths.client_authorities)


def tokens(settings: ServeSettings) -> Tokens | None:
    """Returns the tokens of the settings, None without a configuration of them; raises TokenFileError."""
    if settings.token_config is None:
        return None
    return Tokens(read_token_config(settings.token_config, settings.config), settings.config)
