"""Security: which login a request's credentials belong to, and what it may do."""

from __future__ import annotations

import base64
import binascii
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import blake2b
from secrets import token_bytes

import structlog

from dispatcher.core.errors import NotAuthenticated, Unavailable
from dispatcher.core.permissions import ANONYMOUS, Caller
from dispatcher.core.ports import Ports
from dispatcher.core.spelling import name_key
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.lockout import Lockout
from dispatcher.services.logins import barred, caller_of, find
from dispatcher.services.passwords import Passwords
from dispatcher.services.settings import Settings
from dispatcher.services.verified import Known, Verified

#: How long credentials that were right are trusted without hashing them again.
TRUST = timedelta(seconds=60)
#: How much of a name lock-outs remember, in characters: no login has a longer one.
LONGEST_NAME = 255
#: How many passwords are hashed at once, whatever the number of threads.
HASHING_AT_ONCE = 2
#: How many different credentials may be under verification or wait for it; more are refused for the moment.
MAX_VERIFICATIONS = 8

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A name and a password as a client sent them; *readings* are what the password may be as well, if it is not that.

    *spellings* are what the name may be rather than that, if there is such a login: the first that is one counts. All
    together they are one attempt, with *name*, which lock-outs count.
    """

    name: str
    password: str = field(repr=False)
    readings: tuple[str, ...] = field(default=(), repr=False)
    spellings: tuple[str, ...] = ()


class Security:
    """Authenticates requests. Safe to share between threads.

    Wrong names and wrong passwords take equally long. Lock-outs are counted in this process. Whoever is let in finds in
    *settings* as ``known`` what holds now: one look at the datastore is enough for both.
    """

    def __init__(
        self, datastore: Datastore, ports: Ports, passwords: Passwords | None = None, settings: Settings | None = None
    ) -> None:
        self._datastore = datastore
        self._ports = ports
        self._settings = settings or Settings(datastore, ports)
        self._passwords = passwords or Passwords()
        self._lockout = Lockout(ports.now)
        # Remembered credentials are useless to whoever reads this process's memory later: the key is its own.
        # What a client sent is never taken for the parts that another one's credentials are made of.
        key = token_bytes(32)
        self._headers, self._parts = (blake2b(digest_size=32, key=key, person=one) for one in (b"header", b"parts"))
        self._lock = threading.Lock()
        self._hashing = threading.Semaphore(HASHING_AT_ONCE)
        self._verified = Verified(datastore, self._settings)
        self._verifications: dict[tuple[tuple[int, int], bytes], Future[Caller | None]] = {}

    def has_logins(self) -> bool:
        """Whether any login exists, of whatever kind and enabled or not: then credentials are needed."""
        return self._verified.current().has_logins

    def remembers(self, authorization: str | None) -> bool:
        """Whether it is likely that ``authenticate`` takes no time: nothing has to be hashed. Costs next to nothing."""
        known = self._verified.last
        if known is None or not known.has_logins:
            return known is not None
        return self._verified.remembers(authorization, self._ports.now())

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
        known = self._verified.current()
        if not known.has_logins:
            return replace(ANONYMOUS, address=address)
        if authorization is None:
            raise NotAuthenticated
        digest = _digest(self._headers, authorization)
        remembered = self._verified.find(known, digest, self._ports.now())
        if (
            remembered is not None
            and remembered.caller.address == address
            and not self._lockout.holds((remembered.name, address))  # they are all refused alike: below
        ):
            return remembered.caller
        credentials = to_credentials(authorization)
        if credentials is None:
            raise NotAuthenticated
        caller = self._let_in(digest, credentials, address, known)
        self._verified.note(known, authorization, digest)
        return caller

    def log_in(self, credentials: Credentials, address: str) -> Caller:
        """Return who has *credentials* and asks from the network *address*, as ``authenticate`` does.

        :raises NotAuthenticated: if they are wrong, or too many were wrong before.
        :raises Unavailable: if too many different credentials are being verified at this moment.
        """
        known = self._verified.current()
        if not known.has_logins:
            return replace(ANONYMOUS, address=address)
        # Each part says where it ends: else a part of one could be taken for the beginning of the next.
        parts = (credentials.name, credentials.password, credentials.readings, credentials.spellings)
        digest = _digest(self._parts, repr(parts))
        return self._let_in(digest, credentials, address, known)

    def _let_in(self, digest: bytes, credentials: Credentials, address: str, known: Known) -> Caller:
        key = (name_key(credentials.name)[:LONGEST_NAME], address)
        # Before the remembered credentials: else an attacker who is locked out could still try them.
        if self._lockout.holds(key):
            raise NotAuthenticated
        caller = self._verify_once(digest, credentials, key, known)
        if caller is None:
            raise NotAuthenticated
        # Most logins are used from one place: what is remembered of them is theirs as it is.
        return caller if caller.address == address else replace(caller, address=address)

    def _verify_once(
        self, digest: bytes, credentials: Credentials, key: tuple[str, str], known: Known
    ) -> Caller | None:
        """Verify the credentials, unless they were of late, together with all who send the very same ones meanwhile."""
        # Who comes after a change must not join one who came before: that one goes by the login as it was.
        same = known.revisions, digest
        with self._lock:
            remembered = self._verified.find(known, digest, self._ports.now())
            if remembered is not None:
                return remembered.caller
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

    def _verify(self, digest: bytes, credentials: Credentials, key: tuple[str, str], known: Known) -> Caller | None:
        with self._hashing:
            # Again, because others with this name may have failed while this one waited.
            if self._lockout.holds(key):
                return None
            caller = self._caller(credentials)
        if caller is None:
            if self._lockout.count(key):
                _log.warning("security.locked_out", login=credentials.name[:LONGEST_NAME], address=key[1])
            return None
        caller = replace(caller, address=key[1])
        self._verified.remember(known, digest, caller, self._ports.now() + TRUST, key[0])
        return caller

    def _caller(self, credentials: Credentials) -> Caller | None:
        with self._datastore.read() as session:
            # All are looked for, whichever is found first, so that the time tells nothing.
            found = [find(session, name) for name in (*credentials.spellings, credentials.name)]
        login = next(filter(None, found), None)
        stored = None if login is None or barred(login) else login.password_hash
        # Hashed before anything else is decided or read, so that every refusal takes equally long.
        # And one after the other, because only one of them can be right.
        candidates = (credentials.password, *credentials.readings)
        if not any(self._passwords.check(stored, password) for password in candidates) or login is None:
            return None
        settings = self._settings.current()
        with self._datastore.read() as session:
            return caller_of(session, login, settings)


def _digest(keyed: blake2b, text: str) -> bytes:
    digest = keyed.copy()  # a third cheaper than to begin with the key each time
    digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.digest()


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
