"""Library mentions: the names by which entries refer to others, found also where an entry is not as it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dispatcher.core import references
from dispatcher.services.library.items import Item
from dispatcher.services.library.sections import Importing
from dispatcher.services.library.source import Path

#: Where the entries of a section name something (``*``: each member of a list), and the section that it is in.
_PLACES: Mapping[str, Sequence[tuple[Path, str]]] = {
    "modules": [(("tasks", "*", "settings", "resource"), "resources")],
    "projects": [(("modules", "*", "module"), "modules")],
    "runbooks": [
        (("steps", "*", "module"), "modules"),
        (("steps", "*", "project"), "projects"),
        (("steps", "*", "runbook"), "runbooks"),
        (("steps", "*", "who", "*", "agent"), "agents"),
        (("steps", "*", "who", "*", "team"), "teams"),
    ],
    "agents": [(("primary_team",), "teams")],
    "teams": [(("agents", "*"), "agents")],
    "workspaces": [(("team",), "teams")],
}


def check(importing: Importing, item: Item[Any]) -> None:
    """Note the names in *item* that nothing has. Its ``entry`` is what the file says, and broken: it is not filled."""
    for place, section in _PLACES.get(item.section, ()):
        for path, text in _found(item.entry, place):
            # A name with references shows at the agent.
            if isinstance(text, str) and not references.find(text):
                importing.find(section, text.strip(), item, *path)


def _found(value: Any, place: Path) -> Iterator[tuple[Path, Any]]:
    """Give what is at *place* in *value*, with the paths to it."""
    if not place:
        yield (), value
        return
    key, rest = place[0], place[1:]
    members: Iterator[tuple[str | int, Any]] = iter(())
    if key == "*" and isinstance(value, list):
        members = enumerate(value)
    elif isinstance(value, dict) and key in value:
        members = iter([(key, value[key])])
    for part, member in members:
        for path, found in _found(member, rest):
            yield (part, *path), found
