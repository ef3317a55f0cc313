"""Environment variables that no setting reads, although somebody seems to have meant one."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

from pegcount.settings.origin import Problem
from pegcount.settings.setting import ACTIVE_TTL, CONFIG, DATA, FILE_VARIABLE, SETTINGS, TUNING, field_prefix
from pegcount.suggestion import nearest, suggestion

_PREFIX: Final = "PEGCOUNT_"
_SIMILARITY_MIN: Final = 0.85
"""Other commands, and people, have variables of their own, of which none may be taken for a setting's."""


def unknown_variables(variables: Mapping[str, str]) -> Iterator[Problem]:
    """Yields the variables whose name is near that of a setting; those of fields are errors elsewhere."""
    known = {*_meant().values(), FILE_VARIABLE, DATA.variable}
    of_fields = (field_prefix(CONFIG), field_prefix(TUNING))
    given = [name for name, value in variables.items() if name.startswith(_PREFIX) and value]
    for variable in sorted(given):
        if variable.startswith(of_fields) or variable in known:
            continue
        name = nearest(variable.removeprefix(_PREFIX), _meant(), _SIMILARITY_MIN)
        if name is not None:
            text = f"has no effect, as no setting has this variable{suggestion(_meant()[name])}"
            yield Problem(variable, text)


@cache
def _meant() -> Mapping[str, str]:
    """Returns the variables of settings by what people may write after the prefix: also keys of the file."""
    names = {FILE_VARIABLE.removeprefix(_PREFIX): FILE_VARIABLE}
    for setting in (*SETTINGS.values(), ACTIVE_TTL):
        names[setting.key.replace(".", "_").upper()] = setting.variable
        names[setting.variable.removeprefix(_PREFIX)] = setting.variable
        if setting.key.startswith((f"{CONFIG}.", f"{TUNING}.")):
            names[setting.name.upper()] = setting.variable
    return names
