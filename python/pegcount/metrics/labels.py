"""Labels of metrics: their names, and values that every reader of the text can take."""

from pegcount.server import UNKNOWN_METHOD

OF_METHOD = ("grpc_service", "grpc_method")
OF_CALL = ("grpc_type", *OF_METHOD)


def method_values(method: str | None) -> tuple[str, str]:
    """Returns the values of `OF_METHOD` for `package.Service/Method`; None is all unknown methods."""
    if method is None:
        return UNKNOWN_METHOD, UNKNOWN_METHOD
    service, _, name = method.rpartition("/")
    return service, name


def label_value(text: str) -> str:
    r"""Returns a text of a client as the value of a label: other texts never give the same one.

    Characters that are not printable become escapes such as `\x00`, at which some readers would end, and a
    backslash becomes two.
    """
    escaped = text.replace("\\", "\\\\")
    if escaped.isprintable():
        return escaped
    return "".join(each if each.isprintable() else _escape(each) for each in escaped)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
