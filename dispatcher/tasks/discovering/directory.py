"""Directory: the computers that an Active Directory, or another LDAP directory, knows.

Referrals to other servers are not followed: what they hold is found by a target of its own. A password is sent only
where nobody can read it on its way (TLS with a certificate that this computer trusts, or to this computer itself).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from dispatcher.core.errors import DispatcherError
from dispatcher.core.networks import Networks
from dispatcher.tasks.discovering import directory_names, directory_servers
from dispatcher.tasks.discovering.directory_connection import DirectoryConnection
from dispatcher.tasks.discovering.directory_names import Part
from dispatcher.tasks.discovering.name_questions import Server
from dispatcher.tasks.discovering.order import DirectoryTarget
from dispatcher.tasks.discovering.probes import LibraryMissing, Waiting
from dispatcher.tasks.work import TaskFailed

#: How many computers, and how many pages of them, are taken from one directory.
MOST_COMPUTERS, MOST_PAGES = 250_000, 5_000


def computers(
    target: DirectoryTarget,
    password: str,
    networks: Networks,
    say: Callable[[str], None],
    *,
    nameserver: Server | None = None,
) -> Iterator[str]:
    """Give the names of the computers that the directory of *target* has there, as it sends them, page by page.

    *say* is told what has been left out.

    :raises LibraryMissing: if there is no ldap3.
    :raises RefusedByPolicy: if the directory may not be called.
    :raises TaskFailed: if it does not answer, lets nobody in, or has nothing like that.
    """
    try:
        import ldap3  # noqa: F401
    except ImportError:
        raise LibraryMissing("ldap3") from None
    canonical, path = directory_names.split_canonical(target.canonical_name)
    domain = target.domain.strip() or canonical
    if not domain:
        raise TaskFailed("neither a domain nor a canonical name is given")
    if target.username and not password:
        # A server takes a name without a password for somebody who does not say who he is (RFC 4513, 5.1.2).
        raise TaskFailed(f"Access Denied: there is no password of {target.username}")
    try:
        with closing(_connect(domain, target, networks, nameserver)) as connection:
            base = _base(domain, canonical, connection)
            if target.username:
                connection.log_in(_login_name(target.username, base), password)
            below = directory_names.unit(target.organizational_unit, base)
            start = _find(connection, base, directory_names.join(path, below))
            yield from _names(connection, start, domain, say)
    except (DispatcherError, OSError):
        raise
    except Exception as error:  # a stranger has sent what ldap3 takes for something that it is not
        raise TaskFailed(f"{domain:.255} answers nonsense: {type(error).__name__}") from None


def _connect(
    domain: str, target: DirectoryTarget, networks: Networks, nameserver: Server | None
) -> DirectoryConnection:
    """Return a connection to the first controller that answers, encrypted where a password needs that."""
    waiting = Waiting(target.timeout_ms / 1000, target.retry + 1)
    found = directory_servers.places(domain, networks, nameserver, waiting)
    problem: Exception | None = None
    for _ in range(waiting.times):
        for place in found:
            try:
                return DirectoryConnection(place, waiting.timeout_s, has_password=bool(target.username))
            except (OSError, DispatcherError) as error:
                problem = problem or error
    raise problem or TaskFailed(f"{domain:.255} does not answer")


def _base(domain: str, canonical: str, connection: DirectoryConnection) -> str:
    """Return the distinguished name of the domain: as it was named, else as the directory names it."""
    named = domain if directory_names.controller(domain) is None else ""
    for one in (named, canonical):
        # A name without a dot is that of Windows, not that of the directory.
        if "." in one.strip(".") and directory_names.controller(one) is None:
            return directory_names.domain_base(one)
    if connection.base:
        return connection.base
    raise TaskFailed("the directory does not say what it is the directory of: give a domain, or a canonical name")


def _login_name(username: str, base: str) -> str:
    r"""Return what a directory calls *username*: as it is if that says of which domain (``AD\\ann``), else with it."""
    if any(mark in username for mark in "@\\="):
        return username
    labels = [part.partition("=")[2] for part in base.split(",") if part.upper().startswith("DC=")]
    return f"{username}@{'.'.join(labels)}" if labels else username


def _find(connection: DirectoryConnection, base: str, path: list[Part]) -> str:
    """Return the distinguished name of *path* below *base*.

    :raises TaskFailed: if there is nothing.
    """
    for part in path:
        found = next((one for one in part.below(base) if connection.has(one)), None)
        if found is None:
            raise TaskFailed(f"{part.name!r:.100} is not in the directory below {base:.200}")
        base = found
    return base


def _names(connection: DirectoryConnection, base: str, domain: str, say: Callable[[str], None]) -> Iterator[str]:
    taken = 0
    for number, entries in enumerate(connection.pages(base, say), 1):
        for entry in entries:
            if name := _first(entry, "dnshostname") or _first(entry, "cn"):
                yield name
                taken += 1
        if taken >= MOST_COMPUTERS or number >= MOST_PAGES:
            say(f"# {domain:.255}: no more than {taken} computers of the directory are taken")
            return


def _first(entry: dict[str, Any], attribute: str) -> str:
    for name, values in entry.items():
        if name.casefold() == attribute and values:
            return bytes(values[0][:255]).decode("utf-8", "replace").strip()
    return ""
