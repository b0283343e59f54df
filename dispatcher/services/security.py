"""Security: which login a request's credentials belong to, and what it may do."""

from __future__ import annotations

import base64
import binascii
import hmac
import threading
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from secrets import token_bytes

import structlog
from sqlalchemy import select

from dispatcher.core.errors import NotAuthenticated, Unavailable
from dispatcher.core.permissions import ANONYMOUS, Caller
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.logins import Login
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.lockout import Lockout
from dispatcher.services.logins import barred, caller_of, find, name_key
from dispatcher.services.passwords import Passwords
from dispatcher.services.settings import Settings

#: How long credentials that were right are trusted without hashing them again.
TRUST = timedelta(seconds=60)
#: How many verified credentials are remembered.
MAX_VERIFIED = 10_000
#: How many passwords are hashed at once, whatever the number of threads.
HASHING_AT_ONCE = 2
#: How many different credentials may be under verification or wait for it; more are refused for the moment.
MAX_VERIFICATIONS = 8

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password as a client sent them."""

    name: str
    password: str = field(repr=False)


@dataclass(slots=True)
class _Known:
    """What is known of one state of logins, roles and settings: forgotten as soon as one of the revisions changes."""

    revisions: tuple[int, int]
    has_logins: bool
    verified: OrderedDict[bytes, tuple[Caller, datetime]]


class Security:
    """Authenticates requests. Safe to share between threads.

    Wrong names and wrong passwords take equally long. Lock-outs are counted in this process.
    """

    def __init__(self, datastore: Datastore, ports: Ports, passwords: Passwords | None = None) -> None:
        self._datastore = datastore
        self._ports = ports
        self._settings = Settings(datastore, ports)
        self._passwords = passwords or Passwords()
        self._lockout = Lockout(ports.now)
        # Remembered credentials are useless to whoever reads this process's memory later: the key is its own.
        self._key = token_bytes(32)
        self._lock = threading.Lock()
        self._hashing = threading.Semaphore(HASHING_AT_ONCE)
        self._verifications: dict[tuple[tuple[int, int], bytes], Future[Caller | None]] = {}
        self._known: _Known | None = None

    def has_logins(self) -> bool:
        """Whether any login exists, of whatever kind and enabled or not: then credentials are needed."""
        return self._current().has_logins

    def authenticate(self, authorization: str | None, address: str) -> Caller:
        """Return who sends a request with this ``Authorization`` header from the network *address*.

        Without logins that is the anonymous caller, whatever the header says. Otherwise HTTP Basic with the name
        and password of an enabled login is needed (contract sections 1.1 and 11).

        After 10 failures in 15 minutes for one name from one address every further attempt is refused at once,
        right or wrong, known name or not: the quickness says nothing that the attacker does not know, and a
        client that repeats an old password all day costs no hashing. A request without credentials never counts.

        :raises NotAuthenticated: if there are no credentials, or wrong ones, or too many were wrong before.
        :raises Unavailable: if too many different credentials are being verified at this moment.
        """
        known = self._current()
        if not known.has_logins:
            return replace(ANONYMOUS, address=address)
        credentials = to_credentials(authorization)
        if authorization is None or credentials is None:
            raise NotAuthenticated
        key = (name_key(credentials.name), address)
        # Before the remembered credentials: else an attacker who is locked out could still try them.
        if self._lockout.holds(key):
            raise NotAuthenticated
        digest = hmac.digest(self._key, authorization.encode("utf-8", "surrogatepass"), "sha256")
        caller = self._verify_once(digest, credentials, key, known)
        if caller is None:
            raise NotAuthenticated
        # Most logins are used from one place: what is remembered of them is theirs as it is.
        return caller if caller.address == address else replace(caller, address=address)

    def _current(self) -> _Known:
        known = self._known
        if known is not None and _marks(self._datastore.revisions()) == known.revisions:
            return known
        with self._datastore.read() as session:
            marks = _marks(revisions.current(session))
            has_logins = session.scalar(select(Login.id).limit(1)) is not None
        with self._lock:
            known = self._known
            # Another request may have read the same at the same time: both must remember in one place.
            if known is None or known.revisions != marks:
                known = self._known = _Known(marks, has_logins, OrderedDict())
        return known

    def _verify_once(
        self, digest: bytes, credentials: Credentials, key: tuple[str, str], known: _Known
    ) -> Caller | None:
        """Verify the credentials, unless they were of late, together with all who send the very same ones meanwhile."""
        # Who comes after a change must not join one who came before: that one goes by the login as it was.
        same = known.revisions, digest
        with self._lock:
            remembered = known.verified.get(digest)
            if remembered is not None and self._ports.now() < remembered[1]:
                return remembered[0]
            running = self._verifications.get(same)
            if running is None:
                if len(self._verifications) >= MAX_VERIFICATIONS:
                    raise Unavailable("too many logins are being verified, try again shortly")
                mine = self._verifications[same] = Future[Caller | None]()
        if running is not None:
            return running.result()
        try:
            mine.set_result(self._verify(digest, credentials, key, known))
        except BaseException as error:
            mine.set_exception(error)
        finally:
            with self._lock:
                del self._verifications[same]
        return mine.result()

    def _verify(self, digest: bytes, credentials: Credentials, key: tuple[str, str], known: _Known) -> Caller | None:
        with self._hashing:
            # Again, because others with this name may have failed while this one waited.
            if self._lockout.holds(key):
                return None
            caller = self._caller(credentials)
        if caller is None:
            if self._lockout.count(key):
                _log.warning("security.locked_out", login=credentials.name, address=key[1])
            return None
        caller = replace(caller, address=key[1])
        with self._lock:
            known.verified[digest] = caller, self._ports.now() + TRUST
            if len(known.verified) > MAX_VERIFIED:
                known.verified.popitem(last=False)
        return caller

    def _caller(self, credentials: Credentials) -> Caller | None:
        with self._datastore.read() as session:
            login = find(session, credentials.name)
        stored = None if login is None or barred(login) else login.password_hash
        # Hashed before anything else is decided or read, so that every refusal takes equally long.
        if not self._passwords.check(stored, credentials.password) or login is None:
            return None
        settings = self._settings.current()
        with self._datastore.read() as session:
            return caller_of(session, login, settings)


def _marks(current: Mapping[str, int]) -> tuple[int, int]:
    return current[revisions.SECURITY], current[revisions.SETTINGS]


def to_credentials(authorization: str | None) -> Credentials | None:
    """Return the name and password in an ``Authorization: Basic`` header; None if there are none to be found.

    UTF-8, else Latin-1, as the clients send either (contract section 1.6).
    """
    scheme, _, encoded = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        raw = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    name, colon, password = text.partition(":")
    return Credentials(name, password) if colon else None
