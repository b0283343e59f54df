"""Parameters: typed values that a module, project or run book takes in and gives out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

from dispatcher.core.errors import InvalidValue


class ParameterType(IntEnum):
    """The six types. The numbers are stored and must never change."""

    TEXT = 0
    LIST = 1
    CREDENTIALS = 2
    MULTISELECT = 3
    MULTILINE = 4
    PASSWORD = 5

    @property
    def is_secret(self) -> bool:
        """Whether a value of this type must be encrypted at rest and masked everywhere."""
        return self in SECRET_TYPES


SECRET_TYPES = frozenset({ParameterType.CREDENTIALS, ParameterType.PASSWORD})
#: Values by the names of their parameters: ``[value1]``, of credentials ``[value1, value2]``. The lists are shared.
Values = dict[str, list[str]]
#: Any ``GivenValue``: making a tuple costs a tenth of that, and many have 20 for each job.
Given = tuple[str, str | None, str | None]


@dataclass(slots=True)
class Parameter:
    """One parameter with its value.

    ``value1`` is the value (user name for credentials); ``value2`` the choices joined by ``;`` (password for
    credentials); ``value3`` the labels of the choices, in the same order.
    """

    name: str
    type: ParameterType = ParameterType.TEXT
    value1: str = ""
    value2: str = ""
    value3: str = ""
    description: str = ""
    hint: str = ""
    is_input: bool = True
    is_output: bool = False

    @property
    def choices(self) -> list[str]:
        """The allowed values of a list parameter, in order; empty when anything is allowed."""
        if self.value2 and self.type in (ParameterType.LIST, ParameterType.MULTISELECT):
            return self.value2.split(";")
        return []

    def with_value(self, value1: str, value2: str | None = None) -> Parameter:
        """Return the same parameter with another value, and another ``value2`` unless that is None."""
        # Spelled out: ``dataclasses.replace`` costs ten times as much, for every parameter of every job.
        return Parameter(
            self.name,
            self.type,
            value1,
            self.value2 if value2 is None else value2,
            self.value3,
            self.description,
            self.hint,
            self.is_input,
            self.is_output,
        )

    def masked(self) -> Parameter:
        """Return the parameter as it may be shown: secrets empty."""
        if self.type is ParameterType.PASSWORD:
            return replace(self, value1="", value2="", value3="")
        if self.type is ParameterType.CREDENTIALS:
            return replace(self, value2="", value3="")
        return self


class GivenValue(NamedTuple):
    """A value that a caller sent for a parameter, before it is matched with the declaration."""

    name: str
    value1: str | None = None
    value2: str | None = None


def values_of(parameters: Iterable[Parameter]) -> Values:
    """Return the values of *parameters*."""
    return {parameter.name: _values(parameter) for parameter in parameters}


def merge(declared: Sequence[Parameter], given: Iterable[Given]) -> Values:
    """Return the values of the *declared* parameters with the *given* ones in place, as ``Form.filled`` does."""
    return Form(declared).filled([*given])


class Form:
    """Declared parameters, ready to be given values again and again."""

    def __init__(self, declared: Sequence[Parameter]) -> None:
        self.declared = declared
        #: Those whose values are sealed when they are stored.
        self.secrets = [parameter for parameter in declared if parameter.type in SECRET_TYPES]
        self._defaults = values_of(declared)
        # A value goes as it is to the text with its name, unless that stands for another parameter, too.
        are_clear = len({name.casefold() for name in self._defaults}) == len(declared)
        self._texts = {one.name for one in declared if are_clear and one.type is ParameterType.TEXT}

    def filled(self, given: Sequence[Given]) -> Values:
        """Return the values of the declared parameters with the *given* ones in place, in declared order.

        A value not given keeps its default, as does an empty secret (callers send masked secrets back);
        unknown names are ignored; names match exactly, then case-insensitively, and so do the values of lists.

        :raises InvalidValue: if a list value is none of the declared choices; the error names the parameter.
        """
        texts, defaults, is_done = self._texts, self._defaults, True
        filled = defaults.copy()
        for name, value1, _ in given:
            if name in texts:
                filled[name] = defaults[name] if value1 is None else [value1]
            else:
                is_done = False
        return filled if is_done else filled | self._matched(given)

    def _matched(self, given: Sequence[Given]) -> Values:
        """Return the *given* values of those parameters that are no texts, or are not named exactly."""
        by_name = {value[0]: value for value in given}
        by_any_case: dict[str, Given] | None = None
        matched = {}
        for parameter in self.declared:
            name = parameter.name
            found = by_name.get(name)
            if found is None:
                if by_any_case is None:
                    by_any_case = {value[0].casefold(): value for value in reversed(given)} | by_name
                found = by_any_case.get(name.casefold())
            elif name in self._texts:
                continue
            if found is not None and (value1 := found[1]) is not None:
                matched[name] = _merged(parameter, value1, found[2])
        return matched


def _values(parameter: Parameter) -> list[str]:
    if parameter.type is ParameterType.CREDENTIALS:
        return [parameter.value1, parameter.value2]
    return [parameter.value1]


def _merged(parameter: Parameter, value1: str, value2: str | None) -> list[str]:
    if parameter.type is ParameterType.PASSWORD:
        return [value1 or parameter.value1]
    if parameter.type is ParameterType.CREDENTIALS:
        return [value1, value2 or (parameter.value2 if value1 == parameter.value1 else "")]
    value = _as_declared(parameter, value1)
    check_choice(parameter, value)
    return [value]


def _as_declared(parameter: Parameter, value: str) -> str:
    """Return *value* with the choices in it spelled as declared: callers compare them without regard to case."""
    choices = parameter.choices
    if not choices or value in choices:
        return value
    spelled = {choice.casefold(): choice for choice in reversed(choices)}
    parts = value.split(";") if parameter.type is ParameterType.MULTISELECT else [value]
    return ";".join(one if one in choices else spelled.get(one.casefold(), one) for one in parts)


def check_choice(parameter: Parameter, value: str) -> None:
    """Do nothing if *parameter* may have *value*.

    :raises InvalidValue: if it is none of the declared choices; the error names the parameter.
    """
    choices = parameter.choices
    if not choices:
        return
    chosen = [value]
    if parameter.type is ParameterType.MULTISELECT:
        chosen = value.split(";") if value else []
    for one in chosen:
        if one not in choices:
            raise InvalidValue(f"Parameters/{parameter.name}", f"{one!r} is none of {', '.join(choices)}")
