"""Revised definitions: what differs between two versions of a module, project or run book, for the audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from dispatcher.core.parameters import ParameterType
from dispatcher.core.references import find
from dispatcher.services.secrets import MASK

Document = Mapping[str, Any]
Path = tuple[str, ...]

#: How many members are told one by one.
MAX_MEMBERS = 50
_SECRET = {int(ParameterType.PASSWORD): "value1", int(ParameterType.CREDENTIALS): "value2"}
#: What the columns of a parameter are called in library files (the password of credentials is in that of the choices).
_WORDS = {"value1": "value", "value2": "choices", "value3": "labels"}
#: The lists of a definition; what is in them has a name, or a what that has one.
_LISTS = ("parameters", "tasks", "modules", "steps")


def differences(before: Document, after: Document) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the members that differ, as they were and as they are, by their paths: ``tasks/copy/timeout_s``.

    Secrets are masked: one that was changed is ``changed`` afterwards. Definitions inside are told by their names.
    """
    old, new = dict(_members(before)), dict(_members(after))
    paths = [path for path in {**old, **new} if old.get(path) != new.get(path)]
    if len(paths) > MAX_MEMBERS:
        return {}, {"changed members": len(paths)}
    shown_old = {"/".join(path): _shown(old[path], MASK) for path in paths if path in old}
    shown_new = {
        "/".join(path): _shown(new[path], "changed" if old.get(path) else MASK) for path in paths if path in new
    }
    return shown_old, shown_new


class _Hidden(str):
    """A secret, sealed or not: it may be compared, and not be shown."""

    __slots__ = ()


def _shown(value: Any, mask: str) -> Any:
    return mask if isinstance(value, _Hidden) and value else value


def _members(document: Document) -> Iterator[tuple[Path, Any]]:
    """Give the members of *document* by their paths, those of lists by the names of what is in them."""
    for name, value in document.items():
        if name not in _LISTS:
            yield (name,), value
            continue
        inside = _numbered(value)
        yield (name,), list(inside)  # their order
        for called, one in inside.items():
            for path, member in _members_of(one):
                yield (name, called, *path), member


def _members_of(entry: Document) -> Iterator[tuple[Path, Any]]:
    """Give the members of something in a list: a parameter, a task, a module of a project or a step."""
    what = entry.get("module") or entry.get("what") or {}
    # A value of what is not declared any more may be one of a password that was.
    open_ones = {one["name"] for one in what.get("parameters", ()) if one["type"] not in _SECRET}
    for name, value in entry.items():
        if name in ("id", "name"):
            continue  # its path has the name
        if value is what:
            yield (name,), what["name"]
        elif isinstance(value, Mapping):
            for inner, one in value.items():
                is_open = name != "parameters" or (inner in open_ones and isinstance(one, str)) or _is_link(one)
                yield (name, inner), one if is_open else _Hidden(one)
        elif "is_input" in entry:  # a parameter
            is_hidden = name == _SECRET.get(entry["type"])
            yield (_WORDS.get(name, name),), _Hidden(value) if is_hidden else value
        else:
            yield (name,), value


def _is_link(text: Any) -> bool:
    """Whether *text* is the value of another parameter, and nothing else."""
    return isinstance(text, str) and [str(reference) for reference in find(text)] == [text]


def _numbered(entries: list[Document]) -> dict[str, Document]:
    """Return *entries* by their names; the second of a name is ``name #2``."""
    seen: Counter[str] = Counter()
    named = {}
    for entry in entries:
        name = str(entry.get("name") or entry.get("module", {}).get("name"))
        seen[name] += 1
        named[name if seen[name] == 1 else f"{name} #{seen[name]}"] = entry
    return named
