"""Permissions: who may do what on which node of the environment. Unknown means deny."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from dispatcher.core.errors import Forbidden


class Right(IntEnum):
    """How far a role may go; several roles add up to the highest."""

    DENY = 0
    READ = 1
    MODIFY = 2


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


#: The two roles that every environment has.
BUILT_IN_ROLES: Mapping[str, Right] = {"Full Access": Right.MODIFY, "Read Only": Right.READ}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a login with its effective rights, or the anonymous caller of an environment without logins."""

    name: str
    rights: Mapping[Node, Right] = field(default_factory=dict)

    def may(self, right: Right, node: Node) -> bool:
        """Whether the caller has at least *right* on *node*."""
        return self.rights.get(node, Right.DENY) >= right

    def require(self, right: Right, node: Node) -> None:
        """Check that the caller has at least *right* on *node*.

        :raises Forbidden: if not.
        """
        if not self.may(right, node):
            raise Forbidden(self.name, right.name.capitalize(), node.value)


def everything(right: Right) -> dict[Node, Right]:
    """Return *right* on every node."""
    return dict.fromkeys(Node, right)


#: Who has not been authenticated: may do nothing.
NOBODY = Caller("", {})
#: The caller of an environment without logins: the original asks for no credentials then.
ANONYMOUS = Caller("", everything(Right.MODIFY))
#: The dispatcher itself and whoever sits at its command line.
SYSTEM = Caller("system", everything(Right.MODIFY))
