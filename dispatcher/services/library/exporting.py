"""Library export: everything that library files can say, as one file in a stable order.

The same library always gives the same bytes, and importing the file into an empty datastore gives the same library,
ids included. Secrets are left out: they are empty after that and must be set again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import yaml
from sqlalchemy.orm import Session

from dispatcher.datastore.transactions import Datastore
from dispatcher.services.library import aliases
from dispatcher.services.library.registry import sections
from dispatcher.services.library.sections import Exporting

#: Long lines stay as they are written: folded ones are hard to read and to compare.
_WIDTH = 1_000_000
_EMPTY: tuple[object, ...] = ("", [], {}, None)


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and lists indented below their key."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    if not text.replace("\n", "").replace("\t", "").isprintable():
        style = '"'  # other line breaks and what does not show are lost unless they are escaped
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_number(dumper: yaml.SafeDumper, number: float) -> yaml.ScalarNode:
    if number.is_integer():
        return dumper.represent_int(int(number))
    return dumper.represent_float(number)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(float, _represent_number)


def export(datastore: Datastore) -> str:
    """Return the library, the agents and the teams as a library file."""
    with datastore.read() as session:
        names = {name: section.names(session) for name, section in sections().items()}
        exporting = Exporting(session, names, aliases.of_objects(session))
        data = {
            name: [_tidied(section.dump(exporting, key)) for key in names[name].sorted()]
            for name, section in sections().items()
        }
    parts = [to_yaml({name: entries}) for name, entries in data.items() if entries]
    return "\n".join(parts)


def entries(session: Session, section: str, ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """Return those stored objects of *section* as a library file has them, to be changed and imported again.

    Without their aliases, and with secrets empty: both stay then as they are.
    """
    names = {name: one.names(session) for name, one in sections().items()}
    exporting = Exporting(session, names, {})
    return {key: _tidied(sections()[section].dump(exporting, key)) for key in ids}


def to_yaml(data: dict[str, Any]) -> str:
    """Return *data*, sections with their members, as a library file."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text


def _tidied(entry: dict[str, Any]) -> dict[str, Any]:
    """Return *entry*, and the entries that it lists, without the members that have nothing in them."""
    return {name: _tidied_member(value) for name, value in entry.items() if value not in _EMPTY}


def _tidied_member(value: Any) -> Any:
    if isinstance(value, list):
        return [_tidied(one) if isinstance(one, dict) else one for one in value]
    return _sorted(value)


def _sorted(value: Any) -> Any:
    # Stored documents come back in an order of the database's own.
    if isinstance(value, list):
        return [_sorted(one) for one in value]
    return {name: _sorted(value[name]) for name in sorted(value)} if isinstance(value, dict) else value
