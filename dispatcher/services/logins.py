"""Logins: who may use the dispatcher, kept case-insensitively by name."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from dispatcher.core.errors import Conflict, InvalidValue, LoginNotFound, NotFound
from dispatcher.core.permissions import Caller, Node, Place, Right, RoleRights
from dispatcher.core.ports import Ports
from dispatcher.core.spelling import name_key
from dispatcher.datastore import revisions
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.logins import WHOLE_NODE, Grant, Login, LoginRole, Role
from dispatcher.datastore.tokens import AccessToken
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import audit
from dispatcher.services.audit import Subject
from dispatcher.services.passwords import Passwords
from dispatcher.services.settings import Snapshot

#: The kind of login that can authenticate here, if it has a password (vendor page, "Authentication").
DISPATCHER = "dispatcher"
#: A login of another kind than that makes authentication required, but never authenticates (contract section 11).
KINDS = (DISPATCHER, "windows")
LANGUAGES = ("en", "ja")
#: The role that the first login gets, if it is given none (contract section 9).
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
        roles: Collection[str] = (),
        language: str = "ja",
        kind: str = DISPATCHER,
        first_login_pending: bool = False,
    ) -> LoginView:
        """Add a login and return it. Without *roles* it has no rights, except the first login of the environment,
        which has them all (contract section 9).

        From the first login on every request needs credentials, even if that login has no password.

        :raises LoginExists: if the name is taken.
        :raises RoleNotFound: if one of *roles* is not there.
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
        view = self._store(login, roles, caller)
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
        self._change(name, caller, "login.disabled", enabled=False)

    def enable(self, name: str, caller: Caller) -> None:
        """Let the login *name* in again.

        :raises LoginNotFound: if there is no such login.
        """
        self._change(name, caller, "login.enabled", enabled=True)

    def set_password(self, name: str, password: str, caller: Caller) -> None:
        """Give the login *name* a new password; the old one no longer works, and its first login is no longer pending.

        :raises LoginNotFound: if there is no such login.
        :raises InvalidValue: if the password is empty.
        """
        caller.require(Right.MODIFY, Node.SECURITY)
        self._change(name, caller, "login.password", password_hash=self._hash(password))

    def set_language(self, name: str, language: str, caller: Caller) -> None:
        """Have the login *name* told what it is told in this *language*; its access tokens stay good.

        :raises LoginNotFound: if there is no such login.
        :raises InvalidValue: if it is none of the languages.
        """
        caller.require(Right.MODIFY, Node.SECURITY)
        spoken = _one_of("language", language, LANGUAGES)
        self._change(name, caller, "login.language", ends_tokens=False, language=spoken)

    def end_tokens(self, name: str, caller: Caller) -> int:
        """End the access tokens of the login *name*, which may get others; return how many there were.

        :raises LoginNotFound: if there is no such login.
        """
        return self._change(name, caller, "login.tokens_ended")

    def _store(self, login: Login, given: Collection[str], caller: Caller) -> LoginView:
        with self._datastore.begin() as session:
            # First of all, because the lock on its row lets nobody else add the first login meanwhile.
            revisions.bump(session, revisions.SECURITY)
            roles = _roles_for(session, given)
            session.add(login)
            try:
                session.flush()
            except IntegrityError:
                raise LoginExists(login.name) from None
            session.add_all(LoginRole(login_id=login.id, role_id=role_id) for role_id in roles.values())
            columns = ("kind", "language", "enabled", "first_login_pending", "password_hash")
            new = {"roles": sorted(roles), **_told({name: getattr(login, name) for name in columns})}
            subject = Subject("login", login.name, login.id)
            audit.record(session, login.updated_at, caller, "login.added", subject, new=new)
            return _view(login, roles)

    def _change(self, name: str, caller: Caller, action: str, *, ends_tokens: bool = True, **values: object) -> int:
        """Change the columns *values* of the login *name*, and end its access tokens; return how many those were."""
        caller.require(Right.MODIFY, Node.SECURITY)
        with self._datastore.begin() as session:
            revisions.bump(session, revisions.SECURITY)
            login = find(session, name)
            if login is None:
                raise LoginNotFound(name)
            if "password_hash" in values and login.first_login_pending:
                values["first_login_pending"] = False
            old = _told({column: getattr(login, column) for column in values})
            for column, value in values.items():
                setattr(login, column, value)
            login.updated_at, login.updated_by = self._ports.now(), caller.name
            # After the login itself: whoever makes tokens for it has waited for that, or is waited for.
            session.flush()
            tokens = delete(AccessToken).where(AccessToken.login_id == login.id)
            ended = session.connection().execute(tokens).rowcount if ends_tokens else 0
            told = {"old": old, "new": _told(values, "changed")} if values else {"new": {"ended": ended}}
            audit.record(session, login.updated_at, caller, action, Subject("login", login.name, login.id), **told)
        _log.info("login.changed", login=name, changed=sorted(values), by=caller.name)
        return ended

    def _hash(self, password: str) -> str:
        if not password:
            raise InvalidValue("password", "must not be empty")
        return self._passwords.hash(password)


def find(session: Session, name: str) -> Login | None:
    """Return the login *name*, in whatever letter case; None if there is none."""
    if "\0" in name:  # nobody's: PostgreSQL cannot even be asked
        return None
    wanted = name_key(name)
    login = session.scalar(select(Login).where(Login.name_key == wanted))
    # MariaDB finds others, too, that differ in accents or in what cannot be seen: lock-outs are counted by the key.
    return login if login is not None and login.name_key == wanted else None


def barred(login: Login) -> str:
    """Return why *login* is not let in whatever it sends, as messages say it; empty if that is not so."""
    if not login.enabled:
        return "is disabled"
    if login.kind != DISPATCHER:
        return f"is of the kind {login.kind}"
    return "has no password" if login.password_hash is None else ""


def caller_of(session: Session, login: Login, settings: Snapshot) -> Caller:
    """Return the caller that *login* is, with what its roles grant now."""
    inherits = settings.text("agents.inherit_permissions") == "YES"
    caller = Caller.of(login.name, roles_of(session, login.id), inherits)
    return replace(caller, language=login.language, is_first_login_pending=login.first_login_pending)


def roles_of(session: Session, login_id: UUID) -> list[RoleRights]:
    """Return the roles of a login, by name, with what they grant.

    Folders are there by their paths, which never change: the folder that an object is in need not be looked up.
    """
    query = (
        select(Role.name, Grant.node, Grant.target, Grant.right, Folder.path)
        .join(LoginRole, LoginRole.role_id == Role.id)
        .outerjoin(Grant, Grant.role_id == Role.id)
        .outerjoin(Folder, Folder.id == Grant.target)
        .where(LoginRole.login_id == login_id)
        .order_by(Role.name)
    )
    roles: dict[str, dict[Place, Right]] = {}
    for name, node, target, right, path in session.execute(query):
        grants = roles.setdefault(name, {})
        if node is None:
            continue  # a role that grants nothing
        below = None if target == WHOLE_NODE else target if path is None else path.casefold()
        grants[Node(node), below] = Right(right)
    return [RoleRights(name, grants) for name, grants in roles.items()]


def _told(columns: Mapping[str, object], word: str = "set") -> dict[str, Any]:
    """Return columns of a login as the audit has them: of a password, if there is one, a *word*."""
    told = dict(columns)
    if "password_hash" in told:
        told["password"] = "none" if told.pop("password_hash") is None else word
    return told


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


def _roles_for(session: Session, given: Collection[str]) -> dict[str, UUID]:
    wanted = {name_key(name): name for name in given}
    if not wanted and not session.scalar(select(func.count()).select_from(Login)):
        wanted = {name_key(FIRST_ROLE): FIRST_ROLE}
    roles = {name_key(role.name): role for role in session.scalars(select(Role))}
    for key in wanted.keys() - roles.keys():
        raise RoleNotFound(wanted[key])
    return {roles[key].name: roles[key].id for key in wanted}


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
