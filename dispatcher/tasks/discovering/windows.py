"""Windows: what a computer says of itself to who wants its files, without a login; and whether a login works there.

Samba answers like Windows. A password is tried once only: who repeats a wrong one locks the account. It is not sent
itself: what is proves that it is known (NTLM version 2).
"""

from __future__ import annotations

import errno
from dataclasses import replace
from functools import partial
from typing import Any

from dispatcher.core.computers import Way
from dispatcher.tasks.discovering import ntlm, smb, tcp_ports
from dispatcher.tasks.discovering.probes import Answer, LibraryMissing, Threads, Waiting


class WindowsProbe:
    """Asks computers who they are."""

    way = Way.WINDOWS

    def __init__(self, username: str, password: str, threads: Threads, port: int = smb.PORT) -> None:
        """Prepare to ask; without *username* nobody logs in.

        :raises LibraryMissing: if there is no smbprotocol.
        """
        try:
            import smbprotocol.session  # noqa: F401 - which needs pyspnego itself
        except ImportError:
            raise LibraryMissing("smbprotocol") from None
        self._username, self._password = username, password
        self._threads = threads
        self._port = port

    async def ask(self, address: str, waiting: Waiting) -> Answer | None:
        """Return what the computer at *address* says; None if it does not answer, or is no file server."""
        # Not in a thread: thousands that say nothing are waited for at a time.
        if await tcp_ports.attempt(address, self._port, waiting) is not tcp_ports.State.OPEN:
            return None
        server = await self._threads.run(partial(self._look, address, waiting))
        return None if server is None else _answer(server)

    async def close(self) -> None:
        """Do nothing: no connection is kept."""

    def _look(self, address: str, waiting: Waiting) -> smb.Server | None:
        for _ in range(waiting.times):
            try:
                with smb.Connection(address, self._port, waiting.timeout_s) as connection:
                    server = connection.negotiate()
                    connection.allow(waiting.timeout_s)
                    return self._learn(connection, server)
            except TimeoutError:
                continue
            except smb.NoServer:
                return None
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    raise
                return None
        return None

    def _learn(self, connection: smb.Connection, server: smb.Server) -> smb.Server:
        """Return *server* with who it is and what becomes of the login, as far as it tells."""
        learned = server
        try:
            login = self._login()
            status, flags, answer = connection.set_up(login.step() if login else ntlm.HELLO)
            challenge = ntlm.challenge(answer)
            if challenge:
                learned = replace(learned, challenger=ntlm.read(challenge))
            if login is None:
                return learned
            if smb.wants_more(status):
                status, flags, _ = connection.set_up(login.step(answer))
            return replace(learned, login=smb.outcome(status, flags))
        except Exception as error:  # pyspnego reads what a stranger has sent, and has many errors
            return replace(learned, login=f"no login ({type(error).__name__})" if self._username else "")

    def _login(self) -> Any:
        """Return who makes the tokens of a login; None if there is none. Kerberos would ask others, so it is NTLM."""
        if not self._username:
            return None
        import spnego

        return spnego.client(self._username, self._password, service="cifs", protocol="ntlm")


def _answer(server: smb.Server) -> Answer:
    told = server.challenger
    # A computer that is in no domain calls itself one.
    netbios_domain = "" if told.netbios_domain == told.netbios_name else told.netbios_domain
    domain = " ".join(filter(None, (netbios_domain, told.dns_domain and f"({told.dns_domain})")))
    said = (
        f"SMB {server.dialect}",
        "signing required" if server.requires_signing else "signing not required",
        domain and f"domain {domain}",
        "version " + ".".join(map(str, told.version)) if any(told.version) else "",
        f"server {server.guid}",
    )
    return Answer(
        netbios_name=told.netbios_name,
        dns_name=told.dns_name,
        # Samba calls itself 6.1 without a build.
        os="windows" if told.version[2] else "",
        description=", ".join(filter(None, said)),
        remark=server.login,
    )
