"""The files that a server reads before it starts."""

from collections.abc import Iterator

from pegcount.auth import Tokens, read_token_config
from pegcount.errors import PegcountError
from pegcount.server import TlsFiles, require_usable
from pegcount.settings import Loaded, ServeSettings, TlsPaths, settings_of
from pegcount.store import StoreLocation


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


def unusable_inputs(loaded: Loaded) -> Iterator[str]:
    """Yields why a server with these settings, which may lack the store, would not start."""
    settings = settings_of({**loaded.values, "store": loaded.values["store"] or "."})
    try:
        for store in (settings.store, settings.follower):
            StoreLocation.parse(store or ".")
    except PegcountError as error:
        yield str(error)
    try:
        if (files := tls_files(settings.tls)) is not None:
            require_usable(files)
    except PegcountError as error:
        yield str(error)
    try:
        tokens(settings)
    except PegcountError as error:
        yield str(error)
