"""Directory check: whether a domain controller does what a domain needs of it, item by item.

It looks from outside, as a member of the domain does: at the records in the name service, at the ports, and at what the
directory says of itself without a login. Nothing is changed.
"""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from dispatcher.tasks import targets
from dispatcher.tasks.picking import ParameterName
from dispatcher.tasks.types import TaskSettings, Text
from dispatcher.tasks.work import TaskFailed, Tools, WorkType

if TYPE_CHECKING:
    from ldap3.protocol.rfc4512 import DsaInfo

NOT_INSTALLED = "the check of directories is not available on this agent: install dispatcher[directory]"
#: What each service of a domain controller listens at. A catalogue of all domains is not on each of them.
PORTS = {"DNS": 53, "Kerberos": 88, "RPC": 135, "LDAP": 389, "SMB": 445, "password changes": 464, "LDAPS": 636}
#: The records by which members of the domain find what.
RECORDS = {
    "domain controllers": "_ldap._tcp.dc._msdcs",
    "the PDC emulator": "_ldap._tcp.pdc._msdcs",
    "LDAP servers": "_ldap._tcp",
    "Kerberos": "_kerberos._tcp",
    "password changes": "_kpasswd._tcp",
}
#: How wrong a clock may be for Kerberos.
LARGEST_SKEW = timedelta(minutes=5)


class DirectoryCheckSettings(TaskSettings):
    """What a directory check does."""

    host: Annotated[Text, Field(min_length=1)] = "@[address]"  #: the domain controller
    domain: Text = ""  #: such as ad.example; empty: the one that the controller names
    nameserver: Text = ""  #: whom records are asked of; empty: the controller itself
    #: Where the services listen, if not where they usually do.
    ports: Annotated[dict[str, Annotated[int, Field(ge=1, le=65_535)]], Field(max_length=50)] = PORTS
    dns_port: Annotated[int, Field(ge=1, le=65_535)] = 53
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 5.0  #: for each item
    output: ParameterName | None = None  #: the output parameter that takes the report, as JSON


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of an item."""

    item: str
    state: str  #: ``ok``, ``failed`` or ``unknown``
    detail: str


class DirectoryCheck(WorkType[DirectoryCheckSettings]):
    """Checks a domain controller."""

    name = "directory_check"
    Settings = DirectoryCheckSettings

    def is_remote(self, settings: Mapping[str, Any]) -> bool:  # noqa: ARG002 - all are
        """Whether any agent can do it: always."""
        return True

    def summary(self, settings: DirectoryCheckSettings) -> str:
        """Return which one is checked."""
        return f"{settings.host} {settings.domain}".strip()[:80]

    def do(self, settings: DirectoryCheckSettings, tools: Tools) -> str:
        """Check it; a line for each item is the output.

        :raises TaskFailed: if an item is not as it must be.
        :raises RefusedByPolicy: if the address may not be called.
        """
        try:
            import dns.resolver  # noqa: F401 - both or none
            import ldap3  # noqa: F401
        except ImportError:
            raise TaskFailed(NOT_INSTALLED) from None
        found = []
        for finding in _findings(settings, tools):
            tools.say(f"{finding.state:<8}{finding.item}: {finding.detail}")
            found.append(finding)
        if settings.output is not None:
            tools.set_output(settings.output, json.dumps([asdict(one) for one in found], ensure_ascii=False))
        failed = [one.item for one in found if one.state == "failed"]
        if failed:
            raise TaskFailed(f"{len(failed)} of {len(found)} items failed: {', '.join(failed)}")
        return f"{len(found)} items are as they should be"


def _findings(settings: DirectoryCheckSettings, tools: Tools) -> Iterator[Finding]:
    host = tools.fill(settings.host).strip()
    if not host:
        raise TaskFailed(f"{settings.host} is empty: it is not known what to check")
    [address, *_] = targets.addresses(tools.networks, host, settings.ports.get("LDAP", PORTS["LDAP"]))
    for service, port in settings.ports.items():
        yield _attempt(f"port {port} ({service})", partial(_open, tools, address, port, settings.timeout_s))
    root: list[DsaInfo] = []
    yield _attempt("directory", partial(_read_root, settings, tools, address, root))
    yield from _of_root(root)
    domain = tools.fill(settings.domain).strip().rstrip(".") or _domain_of(root)
    if not domain:
        yield Finding("name service", "unknown", "no domain is given, and the controller does not name it")
        return
    server = tools.fill(settings.nameserver).strip() or address
    [server, *_] = targets.addresses(tools.networks, server, settings.dns_port, socket.SOCK_DGRAM)
    for what, record in RECORDS.items():
        yield _attempt(f"record of {what}", partial(_look_up, settings, server, f"{record}.{domain}"))


def _attempt(item: str, check: Callable[[], str]) -> Finding:
    """Return what *check* finds of *item*: what it returns is fine, an error of the network or a refusal is not."""
    try:
        return Finding(item, "ok", check())
    except (OSError, TaskFailed) as error:
        return Finding(item, "failed", getattr(error, "message", "") or str(error) or type(error).__name__)


def _open(tools: Tools, address: str, port: int, timeout_s: float) -> str:
    targets.connect(tools.networks, address, port, timeout_s).close()
    return "answers"


def _read_root(settings: DirectoryCheckSettings, tools: Tools, address: str, root: list[DsaInfo]) -> str:
    """Put what the directory says of itself into *root*.

    :raises TaskFailed: if it says nothing.
    :raises OSError: if it does not answer.
    """
    import ldap3
    from ldap3.core.exceptions import LDAPException

    port, patience_s = settings.ports.get("LDAP", PORTS["LDAP"]), math.ceil(settings.timeout_s)
    _open(tools, address, port, settings.timeout_s)
    server = ldap3.Server(address, port, connect_timeout=settings.timeout_s, get_info=ldap3.DSA)
    try:
        connection = ldap3.Connection(server, auto_bind=True, receive_timeout=patience_s, auto_referrals=False)
        connection.unbind()
    except LDAPException as error:
        raise TaskFailed(str(error)) from None
    if server.info is None:
        raise TaskFailed("it says nothing of itself")
    root.append(server.info)
    return f"speaks LDAP; {', '.join(_values(server.info, 'dnsHostName')) or 'it does not say its name'}"


def _of_root(root: list[DsaInfo]) -> Iterator[Finding]:
    """Give what the directory's own words mean."""
    for info in root:
        domain = _domain_of(root)
        yield Finding("domain", "ok" if domain else "failed", domain or "it names no domain")
        for item, attribute in (("synchronised", "isSynchronized"), ("global catalogue", "isGlobalCatalogReady")):
            said = next(iter(_values(info, attribute)), "")
            state = {"TRUE": "ok", "FALSE": "failed"}.get(said.upper(), "unknown")
            if state == "failed" and attribute == "isGlobalCatalogReady":
                state = "ok"  # not each of them has one
            yield Finding(item, state, said.lower() or "it does not say")
        level = next(iter(_values(info, "domainFunctionality")), "")
        yield Finding("functional level", "ok" if level else "unknown", level or "it does not say")
        yield _clock(next(iter(_values(info, "currentTime")), ""))


def _clock(said: str) -> Finding:
    try:
        moment = datetime.strptime(said[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return Finding("clock", "unknown", "it does not say what time it is")
    skew = abs(datetime.now(UTC) - moment)
    state = "ok" if skew <= LARGEST_SKEW else "failed"
    return Finding("clock", state, f"{skew.total_seconds():.0f} s from that of this agent")


def _values(info: DsaInfo, attribute: str) -> list[str]:
    wanted = attribute.casefold()
    raw: dict[str, list[bytes]] = info.raw
    return [value.decode("utf-8", "replace") for name in raw if name.casefold() == wanted for value in raw[name]]


def _domain_of(root: list[DsaInfo]) -> str:
    """Return the domain that the directory names as its own; empty if it does not."""
    context = next(iter(_values(root[0], "defaultNamingContext")), "") if root else ""
    parts = [part.strip()[3:] for part in context.split(",") if part.strip().lower().startswith("dc=")]
    return ".".join(parts)


def _look_up(settings: DirectoryCheckSettings, server: str, name: str) -> str:
    """Return who serves what the record *name* is for.

    :raises TaskFailed: if there is no such record.
    """
    import dns.exception
    import dns.resolver

    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port, resolver.lifetime = [server], settings.dns_port, settings.timeout_s
    try:
        answer: Any = resolver.resolve(name, "SRV", search=False)
    except dns.exception.DNSException as error:
        raise TaskFailed(f"{name}: {type(error).__name__}") from None
    return ", ".join(sorted(f"{record.target.to_text(omit_final_dot=True)}:{record.port}" for record in answer))


TYPE = DirectoryCheck()
