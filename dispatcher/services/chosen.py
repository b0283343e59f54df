"""Chosen: the agents and teams that a caller's choices name, if the caller has the right to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session

from dispatcher.core.errors import Forbidden, InvalidValue
from dispatcher.core.jobs import Who, WhoChoice
from dispatcher.core.permissions import Caller, Right
from dispatcher.services.access import WHO_NODES, may_who
from dispatcher.services.topology import Topology


def chosen(
    session: Session, topology: Topology, right: Right, choices: Iterable[tuple[WhoChoice, str]], caller: Caller
) -> list[Who]:
    """Return the agents and teams that *choices* name, in order; with each the member that errors name.

    Whoever may not read all of them cannot tell a name that is nobody's from one that is denied: both are refused in
    the same words. An id that is nobody's is invalid for everybody: nobody guesses one.

    :raises InvalidValue: if one names nothing, or a name that several agents share.
    :raises Forbidden: without *right* on one of them.
    """
    found: list[tuple[WhoChoice, Who | None]] = []
    for choice, member in choices:
        one: Who | None = None
        try:
            one = topology.resolve_one(session, choice, member)
        except InvalidValue:
            is_by_name = any(isinstance(identifier, str) for identifier in choice.identifiers)
            if not is_by_name or caller.may_all(Right.READ, WHO_NODES[choice.kind]):
                raise
        found.append((choice, one))
    require_chosen(session, right, found, caller)
    return [one for _, one in found if one is not None]


def require_chosen(
    session: Session, right: Right, found: Sequence[tuple[WhoChoice, Who | None]], caller: Caller
) -> None:
    """Check that *caller* has *right* on each of those *found*, with the choices that name them; None may nobody.

    :raises Forbidden: if not.
    """
    may = iter(may_who(session, right, [one for _, one in found if one is not None], caller))
    for choice, one in found:
        if one is None or not next(may):
            raise Forbidden(caller.name, right.name.capitalize(), _told(choice, caller))


def _told(choice: WhoChoice, caller: Caller) -> str:
    """Return what was asked for as the caller called it: an id that was found by a name is not told."""
    node = WHO_NODES[choice.kind]
    return f"{node.value}/{' or '.join(map(str, choice.identifiers))}" if node in caller.fine else node.value
