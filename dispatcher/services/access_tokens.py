"""Access tokens: what clients of a dialect get for a login's name and password, and say who they are by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from secrets import token_urlsafe
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from dispatcher.core.errors import NotAuthenticated, Unavailable
from dispatcher.core.permissions import ANONYMOUS, NOBODY, Caller
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.logins import Login
from dispatcher.datastore.tokens import AccessToken
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import audit
from dispatcher.services.audit import Subject
from dispatcher.services.logins import barred, caller_of, find
from dispatcher.services.security import TRUST, Credentials, Security
from dispatcher.services.setting_kinds import REGISTRY
from dispatcher.services.settings import Settings
from dispatcher.services.tokens import hashed
from dispatcher.services.verified import Verified

ACCESS = "access"
REFRESH = "refresh"
#: How often a token is asked for anew while logins are being changed.
_ATTEMPTS = 5
#: How long after its use a refresh token may come again without suspicion: from a client that asks twice at once, or
#: has not got the answer.
REPEAT = timedelta(seconds=30)

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long tokens are good; without *refresh* there are none to refresh by."""

    access: timedelta
    refresh: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """A new access token, and what it can be renewed by; neither can be shown again."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    lifetimes: Lifetimes
    login: str = ""  #: its name; empty while there is none

    @property
    def expires_in(self) -> int:
        """How long the access token is good, in seconds."""
        return int(self.lifetimes.access.total_seconds())

    @property
    def refresh_expires_in(self) -> int:
        """How long it can be renewed, in seconds; 0 without a refresh token."""
        return 0 if self.lifetimes.refresh is None else int(self.lifetimes.refresh.total_seconds())


@dataclass(frozen=True, slots=True)
class Claims:
    """What a new access token may say of itself. ``text`` are the random bits that make it a secret."""

    text: str = field(repr=False)
    login: str  #: its name; empty while there is none
    issued_at: datetime
    expires_at: datetime


def opaque(claims: Claims) -> str:
    """Return a token that tells nobody anything."""
    return claims.text


class FirstLoginPending(NotAuthenticated):
    """The credentials are right, but their login has not chosen a password of its own yet."""

    code = "security.first_login_pending"


class AccessTokens:
    """Makes and checks access tokens. Safe to share between threads.

    They are stored, as hashes: every dispatcher knows those of the others, also when it starts again. They end with
    their time, when their login is disabled or gets another password, when somebody ends them, and, if they were made
    while there was no login, with the first one.
    """

    def __init__(self, datastore: Datastore, ports: Ports, security: Security, settings: Settings) -> None:
        self._datastore = datastore
        self._ports = ports
        self._security = security
        self._settings = settings
        self._verified = Verified(datastore, settings)

    def lifetimes(self, dialect: str) -> Lifetimes:
        """Return how long tokens of *dialect* are good, as the settings say."""
        settings = self._settings.current()
        access, refresh = f"{dialect}.access_token_minutes", f"{dialect}.refresh_token_minutes"
        return Lifetimes(
            timedelta(minutes=settings.number(access)),
            timedelta(minutes=settings.number(refresh)) if refresh in REGISTRY else None,
        )

    def issue(
        self,
        dialect: str,
        names: str | Sequence[str],
        passwords: str | Sequence[str],
        lifetimes: Lifetimes,
        address: str,
        *,
        asks_first_login: bool = False,
        write: Callable[[Claims], str] = opaque,
    ) -> Pair:
        """Return new tokens for *dialect* to a login, asked for from the network *address*.

        Several *names* are what the one that was sent may mean: the first counts that is a login's; lock-outs count by
        the last. So are several *passwords*: together they are one attempt. Without any login every name and password
        is right, as everything else is allowed then. How the access token looks says *write*; all that it is made of
        has to be in it.

        :raises FirstLoginPending: if the dialect *asks_first_login*, and that is to come.
        :raises NotAuthenticated: if the password is wrong, or too many were wrong before.
        :raises Unavailable: if too many others log in at this moment.
        """
        password, *readings = (passwords,) if isinstance(passwords, str) else dict.fromkeys(passwords)
        *spellings, name = (names,) if isinstance(names, str) else names
        credentials = Credentials(name, password, tuple(readings), tuple(spellings))
        for _ in range(_ATTEMPTS):
            revision = self._datastore.revisions()[revisions.SECURITY]
            caller = self._security.log_in(credentials, address)
            if asks_first_login and caller.is_first_login_pending:
                raise FirstLoginPending
            with self._datastore.begin() as session:
                login = _locked(session, find(session, caller.name)) if caller.name else None
                # The login may have been changed since its password was right: then that has to be asked again.
                if revisions.current(session)[revisions.SECURITY] == revision:
                    return self._make(session, dialect, login, lifetimes, caller, self._ports.new_id(), write)
        raise Unavailable("logins are being changed, try again shortly")

    def renew(self, dialect: str, token: str, lifetimes: Lifetimes, address: str) -> Pair:
        """Return a new access token for the refresh token *token*, which stays good until its end.

        For dialects whose clients keep one refresh token for as long as it is good, and use it again and again.

        :raises NotAuthenticated: if it is unknown or expired, or its login is not let in any more.
        """
        with self._datastore.read() as session:
            found = self._find(session, dialect, REFRESH, token)
        if found is None:
            raise NotAuthenticated
        with self._datastore.begin() as session:
            login = _locked(session, found[1])
            # It may have ended while this waited for its login.
            still = self._find(session, dialect, REFRESH, token)
            caller = None if still is None else self._caller(session, login)
            if still is None or caller is None:
                raise NotAuthenticated
            row = still[0]
            access = replace(lifetimes, refresh=None)
            pair = self._make(session, dialect, login, access, replace(caller, address=address), row.chain)
            left = Lifetimes(lifetimes.access, row.expires_at - self._ports.now())
            return replace(pair, refresh=token, lifetimes=left)

    def refresh(self, dialect: str, token: str, lifetimes: Lifetimes, address: str) -> Pair:
        """Return new tokens for those that the refresh token *token* came with; it is spent by that.

        One that comes again long after that has been copied by somebody: nobody can tell whether the first or the
        second was that. All tokens of its chain end.

        :raises NotAuthenticated: if it is unknown, spent or expired, or its login is not let in any more.
        """
        # A look first, which waits for nobody: whoever has no token must not hold up those who write.
        with self._datastore.read() as session:
            found = self._find(session, dialect, REFRESH, token)
        if found is None:
            raise NotAuthenticated
        row, login = found
        if row.used_at is not None:
            if self._ports.now() > row.used_at + REPEAT:
                self._end_chain(row, login, address)
            raise NotAuthenticated
        with self._datastore.begin() as session:
            # Its login first, as whoever changes that does: else the two could wait for each other.
            login = _locked(session, login)
            spend = update(AccessToken).where(AccessToken.id == row.id, AccessToken.used_at.is_(None))
            spent: CursorResult[Any] = session.connection().execute(spend.values(used_at=self._ports.now()))
            # Somebody else may have spent it, or the login may have been changed, while this waited.
            caller = self._caller(session, login) if spent.rowcount == 1 else None
            if caller is None:
                raise NotAuthenticated
            return self._make(session, dialect, login, lifetimes, replace(caller, address=address), row.chain)

    def remembers(self, dialect: str, token: str) -> bool:
        """Whether it is likely that ``authenticate`` takes no time. Costs next to nothing."""
        return self._verified.remembers((dialect, token), self._ports.now())

    def authenticate(self, dialect: str, token: str, address: str) -> Caller:
        """Return who the access token *token* of *dialect* was given to, asking from the network *address*.

        It is checked whether there are logins or not. Its rights are those of this moment.

        :raises NotAuthenticated: if it is unknown or expired, of another dialect, or its login is not let in any more.
        """
        known, now = self._verified.current(), self._ports.now()
        digest = _digest(dialect, token)
        if (remembered := self._verified.find(known, digest, now)) is not None:
            caller = remembered.caller
            return caller if caller.address == address else replace(caller, address=address)
        with self._datastore.read() as session:
            found = self._find(session, dialect, ACCESS, token)
            owner = None if found is None else self._caller(session, found[1])
        if found is None or owner is None:
            raise NotAuthenticated
        caller = replace(owner, address=address)
        self._verified.remember(known, digest, caller, min(now + TRUST, found[0].expires_at))
        self._verified.note(known, (dialect, token), digest)
        return caller

    def _find(self, session: Session, dialect: str, kind: str, token: str) -> tuple[AccessToken, Login | None] | None:
        """Return the token with its login. Its hash is looked up: nobody can choose the hash's first bytes."""
        query = (
            select(AccessToken, Login)
            .outerjoin(Login, Login.id == AccessToken.login_id)
            .where(
                AccessToken.hash == hashed(token),
                AccessToken.dialect == dialect,
                AccessToken.kind == kind,
                AccessToken.expires_at > self._ports.now(),
            )
        )
        row = session.execute(query).one_or_none()
        return None if row is None else (row[0], row[1])

    def _caller(self, session: Session, login: Login | None) -> Caller | None:
        """Return the caller that a token of *login* stands for; None if it does not any more."""
        if login is None:
            has_logins = session.scalar(select(Login.id).limit(1)) is not None
            return None if has_logins else ANONYMOUS
        return None if barred(login) else caller_of(session, login, self._settings.current())

    def _end_chain(self, row: AccessToken, login: Login | None, address: str) -> None:
        """End all tokens that came, one after the other, from the log-in that *row* came from."""
        by = replace(NOBODY, name="" if login is None else login.name, address=address)
        with self._datastore.begin() as session:
            revisions.bump(session, revisions.SECURITY)
            # Whoever gets new ones at this moment is waited for, or finds nothing then.
            _locked(session, login, is_shared=False)
            chain = (AccessToken.login_id == row.login_id, AccessToken.chain == row.chain)
            ended: CursorResult[Any] = session.connection().execute(delete(AccessToken).where(*chain))
            subject = Subject("token", row.dialect, row.chain)
            audit.record(session, self._ports.now(), by, "token.repeated", subject, new={"ended": ended.rowcount})
        _log.warning("security.token_repeated", login=by.name, address=address, ended=ended.rowcount)

    def _make(
        self,
        session: Session,
        dialect: str,
        login: Login | None,
        lifetimes: Lifetimes,
        caller: Caller,
        chain: UUID,
        write: Callable[[Claims], str] = opaque,
    ) -> Pair:
        now, key = self._ports.now(), None if login is None else login.id
        ends = {ACCESS: now + lifetimes.access}
        if lifetimes.refresh is not None:
            ends[REFRESH] = now + lifetimes.refresh
        texts = {kind: token_urlsafe(32) for kind in ends}
        texts[ACCESS] = write(Claims(texts[ACCESS], caller.name, now, ends[ACCESS]))
        for kind, end in ends.items():
            values = {"dialect": dialect, "kind": kind, "login_id": key, "expires_at": end, "chain": chain}
            session.add(AccessToken(id=self._ports.new_id(), hash=hashed(texts[kind]), **values))
        subject = Subject("token", dialect, chain)
        audit.record(session, now, caller, "token.issued", subject, new={f"{kind}_until": ends[kind] for kind in ends})
        return Pair(texts[ACCESS], texts.get(REFRESH), lifetimes, caller.name)


def _locked(session: Session, login: Login | None, *, is_shared: bool = True) -> Login | None:
    """Return *login* as it is now, and stays until this transaction ends; unless *is_shared* nobody else locks it."""
    if login is None:
        return None
    query = select(Login).where(Login.id == login.id).with_for_update(read=is_shared)
    return session.scalar(query.execution_options(populate_existing=True))


def _digest(dialect: str, token: str) -> bytes:
    return hashed(f"{dialect}\0{token}")
