"""Library validation: what a pydantic model finds wrong, told at the place in the file where it is."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from dispatcher.services.library.source import Path, Source

_TEXTS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "model_type": "holds members, such as name:",
    "dict_type": "holds members, such as name:",
    "list_type": "is a list",
    "string_type": "is a text",
    "bool_parsing": "is true or false",
    "uuid_parsing": "is no id, such as 5cf59e5a-343c-4d85-a83c-8b18e4731040",
}


def note_errors(source: Source, error: ValidationError, path: Path) -> None:
    """Note everything in *error*, which is about the value at *path* in *source*."""
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        source.add((*path, *_path(source, path, detail)), _text(detail))


def _path(source: Source, path: Path, detail: ErrorDetails) -> Path:
    """Return the part of the error's place that is a place in the file, too."""
    found: Path = ()
    for part in detail["loc"]:
        if detail["type"] != "missing" and (*path, *found, part) not in source.lines:
            break
        found = (*found, part)
    return found


def _text(detail: ErrorDetails) -> str:
    text = _TEXTS.get(detail["type"], detail["msg"])
    return text.removeprefix("Value error, ").removeprefix("Input ")
