"""Checks single values: their types and ranges."""

import re
from pathlib import Path
from typing import Any, Final, NoReturn

from pegcount.errors import PegcountError, quoted
from pegcount.host_port import HostPortError, host_and_port
from pegcount.settings.given import Given
from pegcount.settings.ranges import Range
from pegcount.settings.setting import NONE, SETTINGS, Kind, Setting, Value, is_url
from pegcount.suggestion import did_you_mean

_UNIX: Final = "unix:"
_FORM_OF_ADDRESS: Final = {
    Kind.ADDRESS: "HOST:PORT or unix:PATH",
    Kind.ADDRESS_OR_NONE: f'HOST:PORT or "{NONE}"',
}
_FLAG_OF_TEXT: Final = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("0", "false", "f", "no", "n", "off"), False),
}
_INTEGER: Final = re.compile(r"[+-]?[0-9]+(_[0-9]+)*")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(_[0-9]+)*(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DIGITS_MAX: Final = 40
_BEFORE_URL: Final = re.compile(r"\s+(?=[a-z]+://)")
"""Between two stores in a variable: a path may have blanks."""
_BYTES_OF_UNIT: Final = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZE: Final = re.compile(r"([0-9]+) ?([KMG]iB)")


class WrongValueError(PegcountError):
    """A value that its setting does not allow; the text says what it does allow."""


def checked(given: Given) -> Value:
    """Returns a value as its setting has it; raises WrongValueError.

    Paths get the directory that they are relative to.
    """
    setting = SETTINGS[given.key]
    _require_no_nul(given)
    if setting.kind in (Kind.INTEGER, Kind.NUMBER):
        return _number(setting, given)
    if setting.kind is Kind.FLAG:
        return _flag(given)
    if setting.kind is Kind.TEXTS:
        return _texts(given)
    if setting.kind is Kind.CHOICE:
        return _choice(setting, given)
    if setting.kind is Kind.STORES:
        return _stores(setting, given)
    if setting.kind in _FORM_OF_ADDRESS:
        return _address(setting, given)
    return _text(setting, given)


def _text(setting: Setting, given: Given) -> str:
    text = given.value
    if not isinstance(text, str):
        _fail(given, "a text")
    if setting.kind is Kind.PATH and not text:
        _fail(given, "a path")
    return _placed(setting, text, given.directory)


def _require_no_nul(given: Given) -> None:
    """Refuses the character that no path and no name of a file can have, in a text or a list of them."""
    texts = given.value if isinstance(given.value, list | tuple) else [given.value]
    if any(isinstance(text, str) and "\0" in text for text in texts):
        _fail(given, "a text without the character NUL")


def _address(setting: Setting, given: Given) -> str | None:
    text, allowed = given.value, _FORM_OF_ADDRESS[setting.kind]
    if not isinstance(text, str):
        _fail(given, allowed)
    if setting.kind is Kind.ADDRESS_OR_NONE and text == NONE:
        return None
    if text.startswith(_UNIX):
        if setting.kind is not Kind.ADDRESS or not text.removeprefix(_UNIX).strip("/"):
            _fail(given, allowed)
        return _placed(setting, text, given.directory)
    try:
        host_and_port(text)
    except HostPortError as error:
        _fail(given, allowed, f"; {error}")
    return text


def _placed(setting: Setting, text: str, directory: Path | None) -> str:
    """Returns a path, or the address of a Unix socket, with the directory that it is relative to."""
    if directory is None:
        return text
    if setting.kind is Kind.PATH or (setting.kind is Kind.STORES and not is_url(text)):
        return str(directory / text)
    if text.startswith(_UNIX):
        return f"{_UNIX}{directory / text.removeprefix(_UNIX)}"
    return text


def _number(setting: Setting, given: Given) -> int | float:
    assert isinstance(setting.allowed, Range)
    is_whole = setting.kind is Kind.INTEGER
    allowed = f"{'an integer' if is_whole else 'a number'} from {setting.allowed}"
    if is_whole and "bytes" in setting.name:
        allowed += ', or a size such as "64 MiB"'
    value = given.value
    if isinstance(value, str) and len(value) <= _DIGITS_MAX:
        value = _size(setting, value) or (_of_text(value, is_whole) if given.is_text else value)
    if isinstance(value, bool) or not isinstance(value, int if is_whole else int | float):
        _fail(given, allowed)
    if not setting.allowed.has(value):
        _fail(given, allowed)
    return value if is_whole else float(value)


def _size(setting: Setting, text: str) -> int | None:
    """Returns the bytes of a text such as "64 MiB"; None of others, and where bytes are not meant."""
    found = _SIZE.fullmatch(text)
    return int(found[1]) * _BYTES_OF_UNIT[found[2]] if found and "bytes" in setting.name else None


def _of_text(text: str, is_whole: bool) -> int | float | str:
    """Returns the number of a text, the text if it is not one."""
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if not is_whole and _NUMBER.fullmatch(text) else text


def _flag(given: Given) -> bool:
    if isinstance(given.value, bool):
        return given.value
    flag = _FLAG_OF_TEXT.get(given.value.strip().lower()) if given.is_text else None
    return _fail(given, "true or false") if flag is None else _of_variable(given, flag)


def _of_variable(given: Given, flag: bool) -> bool:
    """Returns what a variable says; that of `--no-call-log` says that `log.calls` is false."""
    return flag is SETTINGS[given.key].flag_value


def _texts(given: Given) -> tuple[str, ...]:
    found = given.value.split() if isinstance(given.value, str) and given.is_text else given.value
    if not isinstance(found, list | tuple) or not all(isinstance(text, str) and text for text in found):
        _fail(given, "a list of texts")
    return tuple(found)


def _stores(setting: Setting, given: Given) -> Value:
    """Returns one store, or a directory and the cluster that follows it."""
    texts = given.value
    if isinstance(texts, str):
        texts = _BEFORE_URL.split(texts) if given.is_text else [texts]
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) and text for text in texts):
        _fail(given, "a path, or a URL")
    stores = [_placed(setting, text, given.directory) for text in texts]
    if len(stores) == 1:
        return stores[0]
    if [is_url(store) for store in stores] != [False, True]:
        raise WrongValueError(
            f"these {len(stores)} stores cannot be used; allowed: one, or a data directory and then the URL"
            " of the cluster that its records move to"
        )
    return tuple(stores)


def _choice(setting: Setting, given: Given) -> str:
    assert isinstance(setting.allowed, tuple)
    if not isinstance(given.value, str):
        _fail(given, "a text")
    if given.value not in setting.allowed:
        _fail(given, ", ".join(setting.allowed), did_you_mean(given.value, setting.allowed))
    return str(given.value)


def _fail(given: Given, allowed: str, hint: str = "") -> NoReturn:
    raise WrongValueError(f"{_shown(given.value)} cannot be used; allowed: {allowed}{hint}")


def _shown(value: Any) -> str:
    """Returns a wrong value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, int) and abs(value) >= 10**_DIGITS_MAX:
        # Python does not write those of thousands of digits, which a file may give in hexadecimal.
        return f"a number of more than {_DIGITS_MAX} digits"
    return "a list" if isinstance(value, list) else str(value)
