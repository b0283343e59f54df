"""Grant targets: how people name what rights are given on: a node, or a folder or an object below it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import InvalidValue
from dispatcher.core.permissions import Node, Thing
from dispatcher.core.ports import Ports
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.logins import WHOLE_NODE
from dispatcher.datastore.teams import Team
from dispatcher.services.library.names import Names
from dispatcher.services.library.registry import sections

#: The sections of library files that hold the objects of a node, and the folders that these are in.
_SECTIONS: Mapping[Node, str] = {
    Node.MODULES: "modules",
    Node.PROJECTS: "projects",
    Node.RUNBOOKS: "runbooks",
    Node.RESOURCES: "resources",
    Node.AGENTS: "agents",
    Node.TEAMS: "teams",
}
_OBJECT = "object"


@dataclass(frozen=True, slots=True)
class GrantTarget:
    """What a right can be given on. ``key`` is the id of a folder or of an object, or ``WHOLE_NODE``."""

    node: Node
    key: UUID | None  #: None for a folder that has only other folders in it, and no row yet
    text: str  #: how people name it
    thing: Thing | None = None  #: None for a whole node

    def stored_key(self, session: Session, ports: Ports) -> UUID:
        """Return ``key``; a folder without a row gets one."""
        if self.key is not None:
            return self.key
        path = "" if self.thing is None else self.thing.folder
        row = Folder(id=ports.new_id(), kind=_SECTIONS[self.node], path=path)
        session.add(row)
        session.flush()
        return row.id


def find(session: Session, text: str) -> GrantTarget:
    """Return what *text* names: a node (``Library/Modules``), a folder (``Library/Modules/Demo/``, with a slash at its
    end) or an object (``Library/Modules/Demo/List files``), which may be named by its name or its id alone, too.

    :raises InvalidValue: if it names nothing, or more than one thing.
    """
    text = text.strip()
    node = next((node for node in Node if f"{text}/".casefold().startswith(f"{node.value}/".casefold())), None)
    if node is None:
        return _find_id(session, text)
    rest = text[len(node.value) + 1 :]
    if not rest:
        return GrantTarget(node, WHOLE_NODE, node.value)
    if node not in _SECTIONS:
        raise InvalidValue(_OBJECT, f"there is nothing below {node.value}")
    if rest.endswith("/"):
        return _folder(session, node, rest.strip("/"))
    names = _names(session, node)
    try:
        return _object(session, node, names.find(rest), names)
    except LookupError as error:
        raise InvalidValue(_OBJECT, str(error)) from None


class TargetNames:
    """How people name what rights are given on. The objects of each node, and its folders, are read once at most."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._names: dict[Node, Names] = {}
        self._folders: dict[Node, dict[str, str]] = {}

    def of(self, node: Node, key: UUID, path: str | None = None) -> str:
        """Return the name of the whole node, of the folder *path* or, without that, of an object.

        An object that is not there any more is named by its id.
        """
        if key == WHOLE_NODE:
            return node.value
        if path is not None:
            return f"{node.value}/{path}/"
        if node not in self._names:
            self._names[node] = _names(self._session, node)
        return f"{node.value}/{self._names[node].path(key)}"

    def of_folder(self, node: Node, folded: str) -> str:
        """Return the name of the folder with the case-folded path *folded*."""
        if node not in self._folders:
            paths = self._session.scalars(select(Folder.path).where(Folder.kind == _SECTIONS[node]))
            self._folders[node] = {path.casefold(): path for path in paths}
        return f"{node.value}/{self._folders[node].get(folded, folded)}/"


def _find_id(session: Session, text: str) -> GrantTarget:
    found = []
    for node in _SECTIONS:
        names = _names(session, node)
        try:
            key = UUID(text)
        except ValueError:
            raise InvalidValue(_OBJECT, f"{text!r} begins with no node, such as {Node.MODULES.value}") from None
        if key in names:
            found.append(_object(session, node, key, names))
    if len(found) != 1:
        raise InvalidValue(_OBJECT, f"{'several things have' if found else 'nothing has'} the id {text}")
    return found[0]


def _object(session: Session, node: Node, key: UUID, names: Names) -> GrantTarget:
    thing = Thing(node, key, names.folder_of(key))
    if node is Node.AGENTS:
        query = select(Team.id, Folder.path).join(Agent, Agent.primary_team_id == Team.id)
        team = session.execute(query.outerjoin(Folder, Folder.id == Team.folder_id).where(Agent.id == key)).first()
        thing = Thing(node, key, team=Thing(Node.TEAMS, team.id, team.path or "") if team else None)
    return GrantTarget(node, key, f"{node.value}/{names.path(key)}", thing)


def _folder(session: Session, node: Node, path: str) -> GrantTarget:
    rows = session.execute(select(Folder.id, Folder.path).where(Folder.kind == _SECTIONS[node])).tuples()
    wanted = path.casefold()
    below = None
    for key, stored in rows:
        if stored.casefold() == wanted:
            return GrantTarget(node, key, f"{node.value}/{stored}/", Thing(node, folder=stored))
        if stored.casefold().startswith(f"{wanted}/"):
            below = "/".join(stored.split("/")[: path.count("/") + 1])
    if below is None:
        raise InvalidValue(_OBJECT, f"there is no folder {path!r} in {node.value}")
    return GrantTarget(node, None, f"{node.value}/{below}/", Thing(node, folder=below))


def _names(session: Session, node: Node) -> Names:
    return sections()[_SECTIONS[node]].names(session)
