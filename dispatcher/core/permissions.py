"""Permissions: who may do what on which node of the environment, and on what is below it. Unknown means deny."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Self
from uuid import UUID

from dispatcher.core.errors import Forbidden


class Right(IntEnum):
    """How far a role may go; several roles add up to the highest."""

    DENY = 0
    READ = 1
    MODIFY = 2


#: What holds where nothing is said. To ask an enumeration for its member takes longer than to look for a right.
_DENY = Right.DENY


class Node(Enum):
    """The nodes that rights are given on."""

    MODULES = "Library/Modules"
    PROJECTS = "Library/Projects"
    RUNBOOKS = "Library/Run Books"
    RESOURCES = "Library/Resources"
    AGENTS = "Topology/Agents"
    TEAMS = "Topology/Teams"
    SCHEDULING = "Jobs/Scheduling"
    RESULTS = "Jobs/Results"
    SECURITY = "Administration/Security"
    SETTINGS = "Setup/Settings"

    #: Each is there once. An enumeration's own way, by the name, costs a call in every look at somebody's rights.
    __hash__ = object.__hash__


#: The two roles that every environment has.
BUILT_IN_ROLES: Mapping[str, Right] = {"Full Access": Right.MODIFY, "Read Only": Right.READ}

#: What a right can be given on: an object by its id, a folder by its path in lower case, or (None) the whole node.
Place = tuple[Node, UUID | str | None]


@dataclass(frozen=True, slots=True)
class Thing:
    """An object of a node or, without an id, a folder of it.

    ``folder`` is the path of the folder that the object is in (or that it is), with ``/`` between names; empty: the
    root. ``team`` is the primary team of an agent.
    """

    node: Node
    id: UUID | None = None
    folder: str = ""
    team: Thing | None = None

    def __str__(self) -> str:
        return self.node.value if self.id is None else f"{self.node.value}/{self.id}"

    def places(self, inherits: bool = False) -> Iterator[Place]:
        """Give what its right may come from, nearest first; if an agent *inherits*, from its primary team."""
        if self.id is not None:
            yield self.node, self.id
        if inherits and self.team is not None:
            yield from self.team.places()
            return
        path = self.folder.casefold()
        while path:
            yield self.node, path
            path = path.rpartition("/")[0]
        yield self.node, None


@dataclass(frozen=True, slots=True)
class RoleRights:
    """What one role grants. Where it says nothing it inherits from what is above, and denies at the top."""

    name: str
    grants: Mapping[Place, Right]

    def deciding(self, on: Node | Thing, inherits: bool = False) -> Place | None:
        """Return the nearest place with a grant, which decides; None if there is none, which denies."""
        places = on.places(inherits) if isinstance(on, Thing) else ((on, None),)
        return next((place for place in places if place in self.grants), None)

    def right_on(self, on: Node | Thing, inherits: bool = False) -> Right:
        """Return how far this role alone may go."""
        place = self.deciding(on, inherits)
        return _DENY if place is None else self.grants[place]

    def is_fine(self, node: Node) -> bool:
        """Whether it grants or denies anything below *node*."""
        return any(one is node and below is not None for one, below in self.grants)

    def rights_in(self, node: Node) -> list[Right]:
        """Return all the rights that things of *node* may have by this role."""
        below = [right for (one, place), right in self.grants.items() if one is node and place is not None]
        return [self.right_on(node), *below]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a login with its effective rights, or the anonymous caller of an environment without logins.

    ``rights`` are those on whole nodes. What they say holds for everything below a node, unless it is one of the nodes
    ``fine``: there each of ``roles`` is asked. ``inherits`` says whether agents have the permissions of their primary
    teams, where a role says nothing of the agent itself (contract section 9). ``language`` is that of texts that are
    for people, where a dialect has them in several.
    """

    name: str
    rights: Mapping[Node, Right] = field(default_factory=dict)
    roles: Sequence[RoleRights] = ()
    inherits: bool = False
    fine: frozenset[Node] = frozenset()
    address: str = field(default="", compare=False)  #: where it asks from; empty: at the command line
    language: str = field(default="ja", compare=False)
    is_first_login_pending: bool = field(default=False, compare=False)  #: whether it still has to choose a password

    @classmethod
    def of(cls, name: str, roles: Sequence[RoleRights], inherits: bool = False) -> Self:
        """Return the caller that has *roles*."""
        rights = {node: max(role.right_on(node) for role in roles) for node in Node} if roles else {}
        fine = {node for node in Node if any(role.is_fine(node) for role in roles)}
        if inherits and (
            Node.TEAMS in fine or any(role.right_on(Node.TEAMS) != role.right_on(Node.AGENTS) for role in roles)
        ):
            fine.add(Node.AGENTS)
        return cls(name, rights, tuple(roles), inherits, frozenset(fine))

    def may(self, right: Right, on: Node | Thing) -> bool:
        """Whether the caller has at least *right* on the whole node, or on the thing."""
        if isinstance(on, Node):
            return self.rights.get(on, _DENY) >= right
        if on.node not in self.fine:
            return self.rights.get(on.node, _DENY) >= right
        return any(role.right_on(on, self.inherits) >= right for role in self.roles)

    def may_some(self, right: Right, node: Node) -> bool:
        """Whether the caller has at least *right* on the node, or perhaps on something below it."""
        if self.may(right, node):
            return True
        return node in self.fine and any(max(self._rights_in(role, node)) >= right for role in self.roles)

    def may_all(self, right: Right, node: Node) -> bool:
        """Whether the caller has at least *right* on the node and on everything that may ever be below it."""
        if node not in self.fine:
            return self.may(right, node)
        return any(min(self._rights_in(role, node)) >= right for role in self.roles)

    def may_wholly(self, right: Right, nodes: frozenset[Node]) -> bool:
        """Whether the caller has *right* on all of *nodes*, none of which is fine: then on all that is below them."""
        return self.fine.isdisjoint(nodes) and right <= min([self.rights.get(node, _DENY) for node in nodes])

    def require(self, right: Right, on: Node | Thing) -> None:
        """Check that the caller has at least *right* on the whole node, or on the thing.

        :raises Forbidden: if not.
        """
        if not self.may(right, on):
            self._refuse(right, on.value if isinstance(on, Node) else str(on))

    def require_some(self, right: Right, node: Node) -> None:
        """Check what ``may_some`` says, before it is known what the caller asks for.

        :raises Forbidden: if not.
        """
        if not self.may_some(right, node):
            self._refuse(right, node.value)

    def require_all(self, right: Right, node: Node) -> None:
        """Check what ``may_all`` says, where it cannot be known yet what the caller asks for.

        :raises Forbidden: if not.
        """
        if not self.may_all(right, node):
            self._refuse(right, node.value)

    def _rights_in(self, role: RoleRights, node: Node) -> list[Right]:
        heirs = role.rights_in(Node.TEAMS) if node is Node.AGENTS and self.inherits else []
        return [*role.rights_in(node), *heirs]

    def _refuse(self, right: Right, on: str) -> None:
        raise Forbidden(self.name, right.name.capitalize(), on)


def everything(right: Right) -> dict[Node, Right]:
    """Return *right* on every node."""
    return dict.fromkeys(Node, right)


#: Who has not been authenticated: may do nothing.
NOBODY = Caller("", {})
#: The caller of an environment without logins: the original asks for no credentials then.
ANONYMOUS = Caller("", everything(Right.MODIFY))
#: The dispatcher itself and whoever sits at its command line.
SYSTEM = Caller("system", everything(Right.MODIFY))
