"""References: ``$[Name]`` (parameter), ``^[Name]`` (global variable) and ``@[Name]`` (agent fact) in texts.

A task never gets values put into its text: it gets them as environment variables, and references become expansions
of those (``core.shells``). Only texts that nothing parses again, such as a directory, are filled with values.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from dispatcher.core.errors import InvalidValue

#: One reference; group 1 is the sign, group 2 the name.
PATTERN = re.compile(r"([$^@])\[([^\[\]\r\n]{1,255})\]")
_PASSWORD = "_PASSWORD"  # noqa: S105 - the end of a variable's name
# An escape is "_0x<hex>_". The first branch escapes the one underscore that could be taken for its beginning.
_NEEDS_ESCAPE = re.compile(r"_(?=0x)|[^A-Za-z0-9_]")


class Kind(Enum):
    """What a reference names; the value is its sign."""

    PARAMETER = "$"
    VARIABLE = "^"
    FACT = "@"

    @property
    def prefix(self) -> str:
        """What the names of its environment variables begin with."""
        return {Kind.PARAMETER: "PARAM_", Kind.VARIABLE: "VAR_", Kind.FACT: "FACT_"}[self]


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that a text refers to."""

    kind: Kind
    name: str

    @property
    def variable(self) -> str:
        """The environment variable that holds the value."""
        return variable_name(self.kind, self.name)

    def __str__(self) -> str:
        return f"{self.kind.value}[{self.name}]"


class NamedValue(Protocol):
    """A parameter with its value, and its password if it is a credential."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def value(self) -> str: ...  # noqa: D102
    @property
    def password(self) -> str | None: ...  # noqa: D102


def to_reference(match: re.Match[str]) -> Reference:
    """Return the reference that ``PATTERN`` matched."""
    return Reference(Kind(match[1]), match[2])


def find(text: str) -> list[Reference]:
    """Return every reference in *text*, in order, repeated ones too."""
    return [to_reference(match) for match in PATTERN.finditer(text)]


def variable_name(kind: Kind, name: str) -> str:
    """Return the name of the environment variable for *name*: ``PARAM_Line``, ``VAR_Site``, ``FACT_os``.

    ASCII letters, digits and underscores stay as they are; anything else becomes ``_0x<hex>_``. No two names give
    the same variable (on Windows, where the case of variables does not count, but for names that differ in case only).
    """
    return kind.prefix + _NEEDS_ESCAPE.sub(lambda match: f"_0x{ord(match[0]):x}_", name)


def environment(values: Iterable[NamedValue], variables: Mapping[str, str], facts: Mapping[str, str]) -> dict[str, str]:
    """Return the environment variables for all that a text may refer to.

    Credentials give two: the user under the parameter's own name, the password under that name and ``_PASSWORD``.

    :raises InvalidValue: if a value holds a NUL, which no environment can carry, or if a parameter is called like
        the password of another.
    """
    result: dict[str, str] = {}
    for given in values:
        name = variable_name(Kind.PARAMETER, given.name)
        pairs = [(name, given.value)]
        if given.password is not None:
            pairs.append((name + _PASSWORD, given.password))
        for variable, value in pairs:
            if variable in result:
                raise InvalidValue(given.name, f"another value is already called {variable}")
            result[variable] = value
    result.update((variable_name(Kind.VARIABLE, name), value) for name, value in variables.items())
    result.update((variable_name(Kind.FACT, name), value) for name, value in facts.items())
    for variable, value in result.items():
        if "\0" in value:
            raise InvalidValue(variable, "a value may not hold a NUL character")
    return result


def require(references: Iterable[Reference], environment: Mapping[str, str]) -> None:
    """Check that each of *references* has a value in *environment*.

    :raises InvalidValue: for the first that has none.
    """
    for reference in references:
        if reference.variable not in environment:
            raise InvalidValue(str(reference), "nothing of this name is declared")


def fill(text: str, environment: Mapping[str, str]) -> str:
    """Return *text* with every reference replaced by its value, once: references in values are not followed.

    Only for texts that are taken as they are; never for a command or a script.

    :raises InvalidValue: if a reference has no value.
    """
    require(find(text), environment)
    return PATTERN.sub(lambda match: environment[to_reference(match).variable], text)
