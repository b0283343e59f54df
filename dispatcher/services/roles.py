"""Roles: what logins may do, on nodes of the environment and on folders and objects below these."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dispatcher.core.errors import Conflict, InvalidValue, LoginNotFound
from dispatcher.core.permissions import Caller, Node, Place, Right, RoleRights
from dispatcher.core.ports import Ports
from dispatcher.core.spelling import name_key
from dispatcher.datastore import revisions
from dispatcher.datastore.exastro_ita import shut_by_role_alone
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.logins import WHOLE_NODE, Grant, Login, LoginRole, Role
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import audit, grant_targets
from dispatcher.services.audit import Subject
from dispatcher.services.grant_targets import GrantTarget, TargetNames
from dispatcher.services.logins import DISPATCHER, RoleNotFound, barred, caller_of, find
from dispatcher.services.settings import Settings

#: What takes a grant away, so that what is above decides (contract section 9).
INHERIT = "inherit"

_log = structlog.stdlib.get_logger(__name__)


class RoleExists(Conflict):
    """Another role has this name, perhaps in other letter case."""

    code = "role.exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is already a role {name}", name=name)


class RoleBuiltIn(Conflict):
    """Every environment has this role as it is."""

    code = "role.built_in"

    def __init__(self, name: str) -> None:
        super().__init__(f"the role {name} is built in and cannot be changed", name=name)


class LastKeeper(Conflict):
    """No login would be left that can log in and has Modify on Security."""

    code = "role.last_keeper"

    def __init__(self) -> None:
        super().__init__(
            f"no enabled login would be left that has a password and the Modify right on {Node.SECURITY.value}"
        )


class RoleShutsWorkspace(Conflict):
    """Without the role there would be no privileges in a workspace, and everything be allowed to all who enter it."""

    code = "role.shuts_workspace"

    def __init__(self, name: str, workspace: str) -> None:
        super().__init__(
            f"no other role than {name} has privileges in the workspace {workspace}: without any all would be allowed "
            "there; give some to another role, or remove those of this one, in the menu role_menu_link_list",
            name=name,
            workspace=workspace,
        )


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role as lists show it, with the logins that have it, by name."""

    name: str
    built_in: bool
    logins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GrantView:
    """A right of a role on what ``object`` names."""

    right: Right
    object: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far one role of a login goes on something; ``by`` names what its grant is on, None: it has none."""

    role: str
    right: Right
    by: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether a login may do something, and what each of its roles says of it."""

    allowed: bool
    object: str
    barred: str  #: why the login is not let in at all (``logins.barred``); empty: it is
    verdicts: tuple[Verdict, ...]


class Roles:
    """Keeps the roles. Changing them needs Modify on Security, and holds from the next request on."""

    def __init__(self, datastore: Datastore, ports: Ports) -> None:
        self._datastore = datastore
        self._ports = ports
        self._settings = Settings(datastore, ports)

    def add(self, name: str, caller: Caller) -> None:
        """Add a role, which grants nothing yet.

        :raises RoleExists: if the name is taken.
        :raises InvalidValue: if the name cannot be.
        """
        name = name.strip()
        if not 1 <= len(name) <= 255 or not name.isprintable():
            raise InvalidValue("name", "must have 1 to 255 printable characters")
        with self._changing(caller) as session:
            if any(name_key(other) == name_key(name) for other in session.scalars(select(Role.name))):
                raise RoleExists(name)
            role = Role(id=self._ports.new_id(), name=name, built_in=False)
            self._touch(role, caller)
            session.add(role)
            try:
                session.flush()
            except IntegrityError:
                raise RoleExists(name) from None
            self._record(session, caller, "role.added", role, new={"name": name})
        _log.info("role.added", role=name, by=caller.name)

    def remove(self, name: str, caller: Caller) -> None:
        """Remove a role, from all logins that have it, too.

        :raises RoleNotFound: if there is no such role.
        :raises RoleBuiltIn: if it cannot be changed.
        :raises RoleShutsWorkspace: if it is the only one that has privileges in a workspace.
        :raises LastKeeper: if nobody could change roles any more.
        """
        with self._changing(caller) as session:
            role = _changeable(session, name)
            if shut := shut_by_role_alone(session, role.id):
                raise RoleShutsWorkspace(role.name, shut[0])
            old = {"grants": _told(session, role), "logins": _logins_with(session, role)}
            for model in (Grant, LoginRole):
                session.execute(delete(model).where(model.role_id == role.id))
            session.delete(role)
            self._record(session, caller, "role.removed", role, old=old)
        _log.info("role.removed", role=name, by=caller.name)

    def grant(self, name: str, right: Right | None, text: str, caller: Caller) -> GrantTarget:
        """Let a role have *right* on what *text* names (``grant_targets.find``), None: what it has above.

        :raises RoleNotFound: if there is no such role.
        :raises RoleBuiltIn: if it cannot be changed.
        :raises InvalidValue: if *text* names nothing, or several things.
        :raises LastKeeper: if nobody could change roles any more.
        """
        with self._changing(caller) as session:
            role = _changeable(session, name)
            target = grant_targets.find(session, text)
            key = (role.id, target.node.value, target.stored_key(session, self._ports))
            stored = session.get(Grant, key)
            old = None if stored is None else Right(stored.right)
            if right is not None:
                session.merge(Grant(role_id=key[0], node=key[1], target=key[2], right=int(right)))
            elif stored is not None:
                session.delete(stored)
            self._touch(role, caller)
            was, now = ({target.text: INHERIT if one is None else one.name.lower()} for one in (old, right))
            self._record(session, caller, "role.granted", role, old=was, new=now)
        _log.info("role.granted", role=role.name, right=now[target.text], object=target.text, by=caller.name)
        return target

    def give(self, name: str, login: str, caller: Caller) -> None:
        """Give a login one more role.

        :raises RoleNotFound: if there is no such role.
        :raises LoginNotFound: if there is no such login.
        """
        with self._changing(caller) as session:
            row, role = _login(session, login), _role(session, name)
            old = _roles_with(session, row)
            session.merge(LoginRole(login_id=row.id, role_id=role.id))
            session.flush()
            self._note_roles(session, row, caller, old)
        _log.info("role.given", role=name, login=login, by=caller.name)

    def take(self, name: str, login: str, caller: Caller) -> None:
        """Take a role away from a login; nothing happens if it does not have it.

        :raises RoleNotFound: if there is no such role.
        :raises LoginNotFound: if there is no such login.
        :raises LastKeeper: if nobody could change roles any more.
        """
        with self._changing(caller) as session:
            row, role = _login(session, login), _role(session, name)
            old = _roles_with(session, row)
            session.execute(delete(LoginRole).where(LoginRole.login_id == row.id, LoginRole.role_id == role.id))
            self._note_roles(session, row, caller, old)
        _log.info("role.taken", role=name, login=login, by=caller.name)

    def show(self, name: str, caller: Caller) -> list[GrantView]:
        """Return what a role grants, by what it is on. Needs Read on Security.

        :raises RoleNotFound: if there is no such role.
        """
        caller.require(Right.READ, Node.SECURITY)
        with self._datastore.read() as session:
            return _grants(session, _role(session, name))

    def explain(self, login: str, right: Right, text: str, caller: Caller) -> Explanation:
        """Say whether a login has *right* on what *text* names, and why. Needs Read on Security.

        :raises LoginNotFound: if there is no such login.
        :raises InvalidValue: if *text* names nothing, or several things.
        """
        caller.require(Right.READ, Node.SECURITY)
        settings = self._settings.current()
        with self._datastore.read() as session:
            row, target = _login(session, login), grant_targets.find(session, text)
            who = caller_of(session, row, settings)
            on = target.thing or target.node
            names = TargetNames(session)
            verdicts = [_verdict(names, role, target, who.inherits) for role in who.roles]
        why = barred(row)
        return Explanation(not why and who.may(right, on), target.text, why, tuple(verdicts))

    def list(self, caller: Caller) -> list[RoleView]:
        """Return all roles, by name. Needs Read on Security."""
        caller.require(Right.READ, Node.SECURITY)
        with self._datastore.read() as session:
            roles = session.scalars(select(Role).order_by(Role.name)).all()
            having = select(LoginRole.role_id, Login.name).join(Login, Login.id == LoginRole.login_id)
            logins = session.execute(having.order_by(Login.name_key)).tuples().all()
        by_role: defaultdict[UUID, list[str]] = defaultdict(list)
        for role_id, login in logins:
            by_role[role_id].append(login)
        return [RoleView(role.name, role.built_in, tuple(by_role[role.id])) for role in roles]

    @contextmanager
    def _changing(self, caller: Caller) -> Iterator[Session]:
        """Give a transaction that changes roles, and leaves somebody who may change them if there was anybody."""
        caller.require(Right.MODIFY, Node.SECURITY)
        with self._datastore.begin() as session:
            # First of all: its lock keeps two from taking away each other's right at the same time.
            revisions.bump(session, revisions.SECURITY)
            had_keepers = _has_keepers(session)
            yield session
            session.flush()
            if had_keepers and not _has_keepers(session):
                raise LastKeeper

    def _touch(self, role: Role, caller: Caller) -> None:
        role.updated_at, role.updated_by = self._ports.now(), caller.name

    def _note_roles(self, session: Session, login: Login, caller: Caller, old: tuple[str, ...]) -> None:
        """Note for the audit which roles *login* has now, after *old*."""
        login.updated_at, login.updated_by = self._ports.now(), caller.name
        subject = Subject("login", login.name, login.id)
        new = _roles_with(session, login)
        audit.record(
            session, self._ports.now(), caller, "login.changed", subject, old={"roles": old}, new={"roles": new}
        )

    def _record(self, session: Session, caller: Caller, action: str, role: Role, **values: audit.Values) -> None:
        audit.record(session, self._ports.now(), caller, action, Subject("role", role.name, role.id), **values)


def _role(session: Session, name: str) -> Role:
    """Return the role *name*, in whatever letter case.

    :raises RoleNotFound: if there is none.
    """
    wanted = name_key(name)
    for role in session.scalars(select(Role)):
        if name_key(role.name) == wanted:
            return role
    raise RoleNotFound(name)


def _changeable(session: Session, name: str) -> Role:
    role = _role(session, name)
    if role.built_in:
        raise RoleBuiltIn(role.name)
    return role


def _login(session: Session, name: str) -> Login:
    login = find(session, name)
    if login is None:
        raise LoginNotFound(name)
    return login


def _has_keepers(session: Session) -> bool:
    """Whether a login that can log in (``logins.barred``) has Modify on Security."""
    can_log_in = Login.enabled, Login.kind == DISPATCHER, Login.password_hash.is_not(None)
    query = (
        select(Login.id)
        .join(LoginRole, LoginRole.login_id == Login.id)
        .join(Grant, Grant.role_id == LoginRole.role_id)
        .where(*can_log_in, Grant.node == Node.SECURITY.value, Grant.right == Right.MODIFY)
    )
    return session.scalar(query.limit(1)) is not None


def _logins_with(session: Session, role: Role) -> tuple[str, ...]:
    query = select(Login.name).join(LoginRole, LoginRole.login_id == Login.id).where(LoginRole.role_id == role.id)
    return tuple(session.scalars(query.order_by(Login.name_key)))


def _roles_with(session: Session, login: Login) -> tuple[str, ...]:
    query = select(Role.name).join(LoginRole, LoginRole.role_id == Role.id).where(LoginRole.login_id == login.id)
    return tuple(session.scalars(query.order_by(Role.name)))


def _grants(session: Session, role: Role) -> list[GrantView]:
    order = [node.value for node in Node]
    query = select(Grant.node, Grant.target, Grant.right, Folder.path).outerjoin(Folder, Folder.id == Grant.target)
    rows = session.execute(query.where(Grant.role_id == role.id)).tuples().all()
    names = TargetNames(session)
    found = [(Node(node), names.of(Node(node), key, path), Right(right)) for node, key, right, path in rows]
    found.sort(key=lambda one: (order.index(one[0].value), one[1].casefold()))
    return [GrantView(right, text) for _, text, right in found]


def _told(session: Session, role: Role) -> dict[str, str]:
    return {one.object: one.right.name.lower() for one in _grants(session, role)}


def _verdict(names: TargetNames, role: RoleRights, target: GrantTarget, inherits: bool) -> Verdict:
    on = target.thing or target.node
    place = role.deciding(on, inherits)
    return Verdict(role.name, role.right_on(on, inherits), None if place is None else _name_of(names, place))


def _name_of(names: TargetNames, place: Place) -> str:
    node, below = place
    if isinstance(below, str):
        return names.of_folder(node, below)
    return names.of(node, WHOLE_NODE if below is None else below)
