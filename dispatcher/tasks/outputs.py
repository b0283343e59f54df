"""Output parameters: what a task writes to the file ``$DISPATCHER_OUTPUT``, and what becomes of it.

A line is ``Name=value``. A value of several lines stands between ``Name<<MARK`` and a line that is ``MARK`` alone. A
credential is ``Name=user`` and ``Name.password=secret``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dispatcher.core.errors import InvalidValue
from dispatcher.core.parameters import Parameter, ParameterType, check_choice

#: The environment variable that names the file.
VARIABLE = "DISPATCHER_OUTPUT"
#: The largest file that is read, in bytes.
MAX_BYTES = 131_072
#: What no line may hold but a tab: XML has no way to say it, and PostgreSQL cannot store a NUL.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\ufffe\uffff]")
_PASSWORD = ".password"  # noqa: S105 - the end of a name


@dataclass(slots=True)
class Accepted:
    """What a task has changed: parameters with their new values, and names that nothing is declared for."""

    changed: list[Parameter] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def read(file: Path) -> dict[str, str]:
    """Return the output parameters in *file*; the last value of a name counts. No file, no parameters.

    :raises InvalidValue: if the file is too large, is not UTF-8, or has another kind of line or a control character.
    """
    if not file.exists():
        return {}
    with file.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InvalidValue(VARIABLE, f"more than {MAX_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidValue(VARIABLE, f"byte {error.start} is not UTF-8") from None
    outputs = {}
    lines = _lines(text)
    for number, line in lines:
        name, sign, value = _split(line)
        if name and sign == "=":
            outputs[name] = value
        elif name and value:
            outputs[name] = _block(lines, number, value)
        elif line.strip():
            raise InvalidValue(VARIABLE, f"line {number} is neither Name=value nor Name<<MARK")
    return outputs


def accept(outputs: Mapping[str, str], declared: Sequence[Parameter]) -> Accepted:
    """Return what *outputs*, as ``read`` gives them, make of the *declared* parameters of the task's module.

    Those that do not leave the module are accepted too: the tasks after this one see them.

    :raises InvalidValue: if a value is none of its parameter's choices.
    """
    accepted = Accepted()
    given = dict(outputs)
    for parameter in declared:
        value = given.pop(parameter.name, None)
        if parameter.type is ParameterType.CREDENTIALS:
            changed = _credentials(parameter, value, given.pop(parameter.name + _PASSWORD, None))
        else:
            changed = parameter if value is None else parameter.with_value(value)
        if changed is not parameter:
            check_choice(parameter, changed.value1)
            accepted.changed.append(changed)
    accepted.unknown = list(given)
    return accepted


def _credentials(parameter: Parameter, user: str | None, password: str | None) -> Parameter:
    """Return *parameter* with what is given; the password of another user is never kept."""
    if user is None and password is None:
        return parameter
    if user is None or user == parameter.value1:
        return parameter.with_value(parameter.value1, password)
    return parameter.with_value(user, password or "")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Return the lines with their numbers, from 1.

    :raises InvalidValue: at a line that has a control character.
    """
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if control := _CONTROL.search(line):
            raise InvalidValue(VARIABLE, f"line {number} has the control character U+{ord(control[0]):04X}")
        yield number, line


def _split(line: str) -> tuple[str, str, str]:
    """Return the name, ``=`` or ``<<``, whichever comes first, and the rest."""
    name, sign, rest = line.partition("=")
    if "<<" in name or not sign:
        return line.partition("<<")
    return name, sign, rest


def _block(lines: Iterator[tuple[int, str]], start: int, mark: str) -> str:
    found: list[str] = []
    for _, line in lines:
        if line == mark:
            return "\n".join(found)
        found.append(line)
    raise InvalidValue(VARIABLE, f"line {start} begins a value that {mark!r} never ends")
