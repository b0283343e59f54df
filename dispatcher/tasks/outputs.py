"""Output parameters: the values a task sets by writing ``Name=value`` lines to the file ``$DISPATCHER_OUTPUT``."""

from __future__ import annotations

import re
from pathlib import Path

from dispatcher.core.errors import InvalidValue

#: The environment variable that names the file.
VARIABLE = "DISPATCHER_OUTPUT"
#: The largest file that is read, in bytes.
MAX_BYTES = 131_072
#: What no value may hold but a tab: XML has no way to say it, and PostgreSQL cannot store a NUL.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\ufffe\uffff]")


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
    for number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip("\r")
        if control := _CONTROL.search(line):
            raise InvalidValue(VARIABLE, f"line {number} has the control character U+{ord(control[0]):04X}")
        name, separator, value = line.partition("=")
        if separator and name:
            outputs[name] = value
        elif line.strip():
            raise InvalidValue(VARIABLE, f"line {number} is not Name=value")
    return outputs
