"""Shows the keywords of a query in the signature of its method, and refuses all others."""

import ast
import functools
import inspect
import itertools
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pegcount_client.suggestions import unknown_name

_MethodT = TypeVar("_MethodT", bound=Callable[..., Any])


def takes_query(query_type: Any) -> Callable[[_MethodT], _MethodT]:
    """Decorates a method whose `**query` is a TypedDict, so that help() and editors show each keyword.

    The method raises TypeError for an unknown keyword, or a missing one.
    """

    def decorate(method: _MethodT) -> _MethodT:
        checked: Any
        if inspect.iscoroutinefunction(method):

            @functools.wraps(method)
            async def checked(self: Any, *positional: Any, timeout: float | None = None, **query: Any) -> Any:
                check_keywords(method.__name__, query_type, positional, query)
                return await method(self, timeout=timeout, **query)
        else:

            @functools.wraps(method)
            def checked(self: Any, *positional: Any, timeout: float | None = None, **query: Any) -> Any:
                check_keywords(method.__name__, query_type, positional, query)
                return method(self, timeout=timeout, **query)

        checked.__signature__ = _signature(method, query_type)
        checked.__doc__ = _documentation(method, query_type)
        return typing.cast(_MethodT, checked)

    return decorate


def check_keywords(
    name: str, query_type: Any, positional: Iterable[object], query: Mapping[str, object]
) -> None:
    """Raises TypeError for what a method with these keywords does not take, or lacks."""
    known = list(query_type.__annotations__)
    for value in positional:
        raise TypeError(
            f"{name}() takes keywords only, such as {known[0]}=..., but got {value!r} without one"
        )
    for keyword in query:
        if keyword not in known:
            raise TypeError(f"{name}(): {unknown_name('keyword', keyword, [*known, 'timeout'])}")
    missing = [key for key in known if key in query_type.__required_keys__ and key not in query]
    if missing:
        raise TypeError(f"{name}() needs {' and '.join(missing)}")


def _signature(method: Callable[..., Any], query_type: Any) -> inspect.Signature:
    own = inspect.signature(method)
    before = [each for each in own.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    keywords = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if name in query_type.__required_keys__ else None,
            annotation=_value_type(kind),
        )
        for name, kind in typing.get_type_hints(query_type, include_extras=True).items()
    ]
    return own.replace(parameters=[*before[:1], *keywords, *before[1:]])


def _documentation(method: Callable[..., Any], query_type: Any) -> str:
    """Returns the docstring of a method with what its query says of each keyword."""
    lines = [inspect.getdoc(method) or "", "", "Arguments:"]
    texts = _keyword_docs(query_type)
    lines += [
        f"    {name}: {texts[name]}" if name in texts else f"    {name}"
        for name in query_type.__annotations__
    ]
    return "\n".join(lines)


@functools.cache
def _keyword_docs(query_type: Any) -> Mapping[str, str]:
    """Returns the texts below the keys of a TypedDict, which only its source has; none without the source."""
    try:
        (definition,) = ast.parse(inspect.getsource(query_type)).body
    except (OSError, TypeError):
        return {}
    return {
        key.target.id: " ".join(str(doc.value.value).split())
        for key, doc in itertools.pairwise(typing.cast(ast.ClassDef, definition).body)
        if isinstance(key, ast.AnnAssign) and isinstance(key.target, ast.Name)
        if isinstance(doc, ast.Expr)
        and isinstance(doc.value, ast.Constant)
        and isinstance(doc.value.value, str)
    }


def _value_type(kind: Any) -> Any:
    """Returns a type without the Required[] or NotRequired[] around it."""
    return (
        typing.get_args(kind)[0] if typing.get_origin(kind) in (typing.Required, typing.NotRequired) else kind
    )
