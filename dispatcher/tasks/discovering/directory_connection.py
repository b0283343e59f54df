"""Directory connections: one directory server by LDAP, with answers that are short and come in time."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from dispatcher.tasks.discovering.bounded_socket import BoundedSocket
from dispatcher.tasks.discovering.directory_servers import Place
from dispatcher.tasks.work import TaskFailed

#: Where TLS begins at once, for a directory and for the catalogue of all of them.
TLS_PORTS = {636, 3269}
#: How many computers are asked for at a time, and how long the answer may be, in bytes. Active Directory sends no more
#: than 1,000 at a time.
PAGE, MOST_BYTES = 500, 2 << 20
_START_TLS = "1.3.6.1.4.1.1466.20037"
_PAGED = "1.2.840.113556.1.4.319"
_COMPUTERS, _ANYTHING = "(objectClass=computer)", "(objectClass=*)"
#: Results of RFC 4511, 4.1.9.
_SUCCESS, _SIZE_LIMIT, _ADMIN_LIMIT, _NO_SUCH_OBJECT = 0, 4, 11, 32
_DENIED = {7, 8, 13, 48, 49, 50}


class DirectoryConnection:
    """A connection to the server at *place*, by which nobody has logged in yet.

    With *has_password* it is encrypted, unless it stays on this computer.

    :raises TaskFailed: if the server does not answer as a directory does, or does not encrypt.
    :raises OSError: if it does not answer in time.
    """

    def __init__(self, place: Place, timeout_s: float, *, has_password: bool) -> None:
        import ldap3
        from ldap3.core.exceptions import LDAPException

        self._place = place
        self._socket: BoundedSocket | None = None
        self.base = ""  #: what the server says that it is the directory of
        try:
            server = ldap3.Server(place.address, place.port, get_info=ldap3.NONE, connect_timeout=timeout_s)
        except LDAPException:  # it takes no address with a zone, such as fe80::1%eth0
            raise TaskFailed(f"{place.address:.255} is no address that LDAP can be spoken with") from None
        self._connection = ldap3.Connection(server, check_names=False, auto_referrals=False)
        try:
            self._ask(self._connection.open, read_server_info=False)
            self._socket = self._connection.socket = BoundedSocket(self._connection.socket, timeout_s, MOST_BYTES)
            if place.port in TLS_PORTS:
                self._encrypt()
            elif has_password:
                self._start_tls()
            self._read_root()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        with suppress(Exception):  # who has hung up already does not mind
            self._ask(self._connection.unbind)
        if self._connection.socket is not None:  # it has one even if nobody answered there
            self._connection.socket.close()

    def log_in(self, name: str, password: str) -> None:
        """Say who asks.

        :raises TaskFailed: if the server does not believe it.
        """
        import ldap3

        self._connection.authentication = ldap3.SIMPLE
        self._connection.user, self._connection.password = name, password
        self._ask(self._connection.bind, read_server_info=False)
        self._check()

    def has(self, name: str) -> bool:
        """Return whether the server has an entry with this distinguished name.

        :raises TaskFailed: if it does not say.
        """
        import ldap3

        self._search(name, _ANYTHING, ldap3.BASE, ["1.1"])
        if self._connection.result["result"] == _NO_SUCH_OBJECT:
            return False
        self._check()
        return any(one.get("type") == "searchResEntry" for one in self._connection.response or [])

    def pages(self, base: str, say: Callable[[str], None]) -> Iterator[list[dict[str, Any]]]:
        """Give the computers below *base*, page by page; of each the values of its attributes as bytes.

        :raises TaskFailed: if the server refuses.
        """
        import ldap3

        cookie: bytes | None = None
        while True:
            paging = {"paged_size": PAGE, "paged_cookie": cookie}
            self._search(base, _COMPUTERS, ldap3.SUBTREE, ["dNSHostName", "cn"], **paging)
            result = self._connection.result
            found = self._connection.response or []
            yield [one["raw_attributes"] for one in found if one.get("type") == "searchResEntry"]
            if result["result"] in (_SIZE_LIMIT, _ADMIN_LIMIT):
                say(f"# {self._place.host:.255}: the directory tells of no more computers ({result['description']})")
                return
            self._check()
            cookie = ((result.get("controls") or {}).get(_PAGED) or {}).get("value", {}).get("cookie")
            if not cookie:
                return

    def _search(self, base: str, what: str, scope: str, attributes: list[str], **rest: Any) -> None:
        import ldap3

        never = ldap3.DEREF_NEVER
        self._ask(self._connection.search, base, what, scope, attributes=attributes, dereference_aliases=never, **rest)

    def _ask(self, question: Callable[..., Any], *arguments: Any, **options: Any) -> None:
        """Ask *question*; the answer is in the result of the connection.

        :raises OSError: if none comes in time.
        :raises TaskFailed: if it is none.
        """
        if self._socket is not None:
            self._socket.begin()
        try:
            question(*arguments, **options)
        except Exception as error:  # ldap3 reads what a stranger has sent, and has many errors
            said = str(error)[:200] or type(error).__name__
            raise TaskFailed(f"{self._place.host:.255} does not answer as a directory does: {said}") from None

    def _check(self) -> None:
        """Raise what the last result means, if it is no success."""
        result = self._connection.result
        if result["result"] == _SUCCESS:
            return
        said = ": ".join(filter(None, (result["description"], str(result.get("message") or "")[:200])))
        raise TaskFailed(f"Access Denied: {said}" if result["result"] in _DENIED else f"the directory says {said}")

    def _read_root(self) -> None:
        """Learn what the server is the directory of."""
        import ldap3

        self._search("", _ANYTHING, ldap3.BASE, ["defaultNamingContext", "namingContexts"])
        self._check()
        told: dict[str, list[str]] = {}
        for entry in self._connection.response or []:
            for name, values in entry.get("raw_attributes", {}).items():
                told[name.casefold()] = [bytes(one).decode("utf-8", "replace") for one in values]
        bases = told.get("defaultnamingcontext") or told.get("namingcontexts") or [""]
        self.base = bases[0]

    def _start_tls(self) -> None:
        """Ask for TLS before anything else: OpenLDAP refuses it while it clears away a question that it has answered.

        A server that has none says so (RFC 4511, 4.14.2); then the password stays on this computer.
        """
        self._ask(self._connection.extended, _START_TLS)
        if self._connection.result["result"] == _SUCCESS:
            self._encrypt()
        elif not self._place.is_loopback:
            where, said = f"{self._place.host:.255}", self._connection.result["description"]
            raise TaskFailed(
                f"{where} offers no TLS at port {self._place.port} ({said}): the password is not sent in clear"
            )

    def _encrypt(self) -> None:
        assert self._socket is not None  # noqa: S101 - it is encrypted when it is open
        context = ssl.create_default_context()
        if self._place.is_loopback:  # nobody is between, and its certificate has another name
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        try:
            self._socket.encrypt(context, self._place.host)
        except ssl.SSLCertVerificationError as error:
            said = error.verify_message
            raise TaskFailed(f"the certificate of {self._place.host:.255} is not trusted: {said}") from None
