"""Logins: who may use the dispatcher, kept case-insensitively by name."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dispatcher.core.errors import Conflict, InvalidValue, LoginNotFound, NotFound
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.logins import Grant, Login, LoginRole, Role
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.passwords import Passwords

#: The kind of login that can authenticate here, if it has a password (vendor page, "Authentication").
DISPATCHER = "dispatcher"
#: A login of another kind than that makes authentication required, but never authenticates (contract section 11).
KINDS = (DISPATCHER, "windows")
LANGUAGES = ("en", "ja")
#: The role that the first login gets, whatever else it is given (contract section 9).
FIRST_ROLE = "Full Access"

_log = structlog.stdlib.get_logger(__name__)


class LoginExists(Conflict):
    """Another login has this name, perhaps in other letter case."""

    code = "login.exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is already a login {name}", name=name)


class RoleNotFound(NotFound):
    """No role has this name."""

    code = "role.not_found"
    kind = "role"


@dataclass(frozen=True, slots=True)
class LoginView:
    """A login as lists show it; ``roles`` are sorted."""

    name: str
    kind: str
    roles: tuple[str, ...]
    has_password: bool
    enabled: bool
    language: str
    first_login_pending: bool


class Logins:
    """Keeps the logins. Changing them needs Modify on Security, and holds from the next request on."""

    def __init__(self, datastore: Datastore, ports: Ports, passwords: Passwords | None = None) -> None:
        self._datastore = datastore
        self._ports = ports
        self._passwords = passwords or Passwords()

    def add(
        self,
        name: str,
        password: str | None,
        caller: Caller,
        *,
        role: str | None = None,
        language: str = "en",
        kind: str = DISPATCHER,
        first_login_pending: bool = False,
    ) -> LoginView:
        """Add a login and return it. Without *role* it has no rights, except the first login of the environment,
        which has them all (contract section 9).

        From the first login on every request needs credentials, even if that login has no password.

        :raises LoginExists: if the name is taken.
        :raises RoleNotFound: if there is no such role.
        :raises InvalidValue: if the name, password, language or kind cannot be.
        """
        caller.require(Right.MODIFY, Node.SECURITY)
        login = Login(
            id=self._ports.new_id(),
            name=_checked_name(name),
            name_key=name_key(name),
            kind=_one_of("kind", kind, KINDS),
            password_hash=None if password is None else self._hash(password),
            language=_one_of("language", language, LANGUAGES),
            enabled=True,
            first_login_pending=first_login_pending,
            updated_at=self._ports.now(),
            updated_by=caller.name,
        )
        view = self._store(login, role)
        _log.info("login.added", login=view.name, roles=view.roles, by=caller.name)
        return view

    def list(self, caller: Caller) -> list[LoginView]:
        """Return all logins, sorted by name without regard to case. Needs Read on Security."""
        caller.require(Right.READ, Node.SECURITY)
        with self._datastore.read() as session:
            rows = session.execute(select(LoginRole.login_id, Role.name).join(Role, Role.id == LoginRole.role_id)).all()
            logins = session.scalars(select(Login).order_by(Login.name_key)).all()
        return [_view(login, [role for login_id, role in rows if login_id == login.id]) for login in logins]

    def disable(self, name: str, caller: Caller) -> None:
        """Let the login *name* in no more; what it did stays.

        :raises LoginNotFound: if there is no such login.
        """
        self._change(name, caller, enabled=False)

    def enable(self, name: str, caller: Caller) -> None:
        """Let the login *name* in again.

        :raises LoginNotFound: if there is no such login.
        """
        self._change(name, caller, enabled=True)

    def set_password(self, name: str, password: str, caller: Caller) -> None:
        """Give the login *name* a new password; the old one no longer works.

        :raises LoginNotFound: if there is no such login.
        :raises InvalidValue: if the password is empty.
        """
        caller.require(Right.MODIFY, Node.SECURITY)
        self._change(name, caller, password_hash=self._hash(password))

    def _store(self, login: Login, role: str | None) -> LoginView:
        with self._datastore.begin() as session:
            # First of all, because the lock on its row lets nobody else add the first login meanwhile.
            revisions.bump(session, revisions.SECURITY)
            roles = _roles_for(session, role)
            session.add(login)
            try:
                session.flush()
            except IntegrityError:
                raise LoginExists(login.name) from None
            session.add_all(LoginRole(login_id=login.id, role_id=role_id) for role_id in roles.values())
            return _view(login, roles)

    def _change(self, name: str, caller: Caller, **values: object) -> None:
        caller.require(Right.MODIFY, Node.SECURITY)
        with self._datastore.begin() as session:
            revisions.bump(session, revisions.SECURITY)
            login = session.scalar(select(Login).where(Login.name_key == name_key(name)))
            if login is None:
                raise LoginNotFound(name)
            for column, value in values.items():
                setattr(login, column, value)
            login.updated_at, login.updated_by = self._ports.now(), caller.name
        _log.info("login.changed", login=name, changed=sorted(values), by=caller.name)

    def _hash(self, password: str) -> str:
        if not password:
            raise InvalidValue("password", "must not be empty")
        return self._passwords.hash(password)


def name_key(name: str) -> str:
    """Return what two spellings of one login name have in common."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name.strip()).casefold())


def effective_rights(session: Session, login_id: UUID) -> Mapping[Node, Right]:
    """Return the rights of a login: on every node the highest that one of its roles grants (contract section 9)."""
    grants = (
        select(Grant.node, func.max(Grant.right))
        .join(LoginRole, LoginRole.role_id == Grant.role_id)
        .where(LoginRole.login_id == login_id)
        .group_by(Grant.node)
    )
    return {Node(node): Right(right) for node, right in session.execute(grants)}


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 255:
        raise InvalidValue("name", "must have 1 to 255 characters")
    if ":" in name:
        raise InvalidValue("name", "must not contain a colon, which ends the name in HTTP Basic credentials")
    if any(unicodedata.category(character)[0] == "C" for character in name):
        raise InvalidValue("name", "must not contain control characters")
    return name


def _one_of(member: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise InvalidValue(member, f"{value!r} is none of {', '.join(choices)}")
    return value


def _roles_for(session: Session, role: str | None) -> dict[str, UUID]:
    names = set() if role is None else {role}
    if role is None and not session.scalar(select(func.count()).select_from(Login)):
        names.add(FIRST_ROLE)
    found = {role.name: role.id for role in session.scalars(select(Role).where(Role.name.in_(names)))}
    if missing := names - found.keys():
        raise RoleNotFound(missing.pop())
    return found


def _view(login: Login, roles: Mapping[str, UUID] | list[str]) -> LoginView:
    return LoginView(
        login.name,
        login.kind,
        tuple(sorted(roles)),
        login.password_hash is not None,
        login.enabled,
        login.language,
        login.first_login_pending,
    )
