"""Places: where this process listens, and with which TLS: as configuration and settings say, also when they change."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from dispatcher.addresses import Address
from dispatcher.agents import pins
from dispatcher.bootstrap import House
from dispatcher.certificates import BadCertificate, check_pair, doubt, fingerprint, tls_context
from dispatcher.config import Config
from dispatcher.core.errors import Conflict, DispatcherError
from dispatcher.real_ports import now
from dispatcher.services.settings import Snapshot
from dispatcher.web.listeners import Listener, Listeners, listen

log = structlog.get_logger(__name__)

#: How often to look whether settings or certificates have changed, in seconds.
LOOK_S = 2.0
#: The two listeners that there always are: one for clients of every kind, and one for agents.
WEB = "web"
AGENTS = "agents"
#: What the others serve, by their name in the configuration.
DIALECTS = {"ccs": "symantec_ccs", "ies": "ivanti_endpoint_security"}


class UnsafeListener(Conflict):
    """The configuration would let anybody in, or passwords out; it must be asked for by name."""

    code = "config.unsafe"


@dataclass(frozen=True, slots=True)
class Files:
    """A certificate and its key. With other contents they are others, by ``stamp``."""

    certificate: Path
    key: Path
    stamp: tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A listener that is wanted. ``because`` says which setting wants it, if it is one.

    ``side`` is ``WEB``, ``AGENTS`` or a name in ``DIALECTS``.
    """

    side: str
    address: Address
    tls: Files | None = None
    because: str = field(default="", compare=False)

    @property
    def key(self) -> tuple[str, int]:
        """What it has in common with the one that replaces it."""
        return self.side, self.address.port

    def __str__(self) -> str:
        return f"{self.address} ({self.because})" if self.because else str(self.address)


def wanted(config: Config, settings: Snapshot) -> list[Place]:
    """Return the listeners that this process should have.

    Of the Web API, both services may have a port of their own, and certificate, key and state of TLS may be set. The
    listener of the agents is as configured: what is set for the Web API may not cut them off. Those of single vendor
    APIs are where they are configured, with the certificate that is configured for them, else the TLS of the Web API.

    :raises UnsafeListener: if a service of the Web API would take the port of the agents, or of a vendor API.
    :raises BadCertificate: if TLS is wanted without a certificate.
    """
    ports: dict[int, str] = {}
    for name in ("webapi.scheduling_port", "webapi.resource_port"):
        port = settings.number(name)
        if port and port == config.agents.listen.port:
            raise UnsafeListener(f"{name}: {port} is the port that agents connect to")
        ports.setdefault(port or config.web.listen.port, name if port else "")
    tls = _web_tls(config, settings)
    web = [Place(WEB, Address(config.web.listen.host, port), tls, because) for port, because in ports.items()]
    own = _files(config.web.tls_cert, config.web.tls_key) if config.web.tls_cert else None
    return [*web, *_single(config, tls, ports), Place(AGENTS, config.agents.listen, own)]


def _single(config: Config, tls: Files | None, ports: Mapping[int, str]) -> Iterator[Place]:
    """Give the listeners of single vendor APIs. *ports* are those of the Web API, with the settings that want them."""
    for name in DIALECTS:
        address = getattr(config.listeners, name)
        if not isinstance(address, Address):
            continue
        if address.port and address.port in (*ports, config.agents.listen.port):
            whose = ports.get(address.port) or ("[web]" if address.port in ports else "[agents]")
            raise UnsafeListener(f"[listeners] {name}: {address.port} is the port of {whose}")
        certificate, key = (getattr(config.listeners, f"{name}_tls_{part}") for part in ("cert", "key"))
        own = _files(certificate, key) if certificate else tls
        yield Place(name, address, own, f"[listeners] {name}")


def hindrance(config: Config, settings: Snapshot, has_logins: Callable[[], bool]) -> str:
    """Return why a dispatcher with this configuration could not start, as far as shows here; empty for no reason."""
    try:
        places = wanted(config, settings)
        check_safety(config, settings, places, has_logins)
        for place in places:
            if place.tls and all(os.access(file, os.R_OK) for file in (place.tls.certificate, place.tls.key)):
                check_pair(place.tls.certificate, place.tls.key)
    except (UnsafeListener, BadCertificate) as problem:
        return problem.message
    return ""


def check_safety(config: Config, settings: Snapshot, places: list[Place], has_logins: Callable[[], bool]) -> None:
    """Check that nobody is let in, and nothing is sent in the clear, off loopback without having been asked for.

    :raises UnsafeListener: if so.
    """
    hint = "give --tls-cert and --tls-key, or set [web] allow_plain_http"
    exposed = [one for one in places if not one.address.is_loopback]
    plain = {one.side: one for one in exposed if one.tls is None and not config.web.allow_plain_http}
    if AGENTS in plain:
        raise UnsafeListener(f"agents' secrets and parameters would travel to {plain[AGENTS]} in the clear: {hint}")
    if all(one.side == AGENTS for one in exposed):
        return
    if has_logins():
        if plain:
            if settings.text("webapi.tls") == "DISABLED":  # whatever certificate is given
                hint = "set webapi.tls to CONFIGURED or ENABLED, or set [web] allow_plain_http"
            raise UnsafeListener(f"passwords would travel to {next(iter(plain.values()))} in the clear: {hint}")
        return
    listening = next(one for one in exposed if one.side != AGENTS)
    if not config.web.allow_no_login:
        raise UnsafeListener(
            f"there is no login, so anybody who reaches {listening} could run anything: "
            "add one (dispatcher login add NAME), or say --allow-no-login"
        )


class Places:
    """The listeners of *house*: the first ones, and those of later settings and certificates.

    With *shared* other processes may listen at the same ports. If it *is_checked* already what there is, what is
    doubtful about that has been logged: only what is new is.
    """

    def __init__(self, config: Config, house: House, *, shared: bool = False, is_checked: bool = False) -> None:
        self._is_checked = is_checked
        self._config = config
        self._house = house
        self._shared = shared
        self._now: dict[tuple[str, int], Place] = {}
        self._ports: dict[tuple[str, int], int] = {}
        self._problem = ""
        self._doubts: set[tuple[str, str]] = set()
        self._exposed: set[str] = set()
        self._plain: set[str] = set()
        self._fingerprints: dict[Files, str] = {}

    def check(self) -> None:
        """Check that there can be listeners as they are wanted; whether the ports are free shows later.

        :raises UnsafeListener: as ``check_safety`` and ``wanted`` do.
        :raises BadCertificate: if there is something wrong with one.
        """
        self._look(says=not self._is_checked)

    def first(self) -> dict[tuple[str, int], Listener]:
        """Return the listeners to begin with.

        :raises UnsafeListener: as ``check`` does, and ``BadCertificate``.
        :raises OSError: if an address cannot be listened on.
        """
        places, contexts = self._look(says=not self._is_checked)
        listeners = self._listeners({place.key: place for place in places}, contexts)
        self._now = {place.key: place for place in places}
        self._publish(self._now)
        for place in places:
            self._tell_agent(place)
        return listeners

    async def follow(self, listeners: Listeners) -> None:
        """Bring *listeners* to what is wanted, again and again. What cannot be is logged once, and nothing changes."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look(listeners)

    async def look(self, listeners: Listeners) -> None:
        """Bring *listeners* to what is wanted now; log why not, unless that is known. Never raises."""
        try:
            await self.change(listeners)
        except Exception as error:  # the server goes on as it is
            problem, is_foreseen = _told(error)
            if problem != self._problem:
                log.error("web.left_as_it_was", problem=problem, exc_info=not is_foreseen)
            self._problem = problem
        else:
            self._problem = ""

    async def change(self, listeners: Listeners) -> None:
        """Bring *listeners* to what is wanted now, the new ones first.

        :raises UnsafeListener: as ``first`` does, ``BadCertificate`` and ``OSError``; then nothing is closed.
        """
        if await asyncio.to_thread(self._is_as_wanted):
            return
        places, contexts = await asyncio.to_thread(self._look, says=True)
        after = {place.key: place for place in places}
        changed = {key: place for key, place in after.items() if self._now.get(key) != place}
        made = self._listeners(changed, contexts, listeners)
        try:
            for key in changed:
                await listeners.open(key, made.pop(key))
                self._now[key] = after[key]
                await asyncio.to_thread(self._tell_agent, after[key])
        finally:
            for listener in made.values():
                listener.socket.close()
        # Before the old ones close: until then a service is found at either.
        self._publish(after)
        for key in self._now.keys() - after.keys():
            listeners.close(key)
        self._now = after
        log.info("web.changed", listen=sorted(_url(place) for place in places))

    def _is_as_wanted(self) -> bool:
        places = wanted(self._config, self._house.hall.settings.current())
        return {place.key: place for place in places} == self._now

    def _look(self, *, says: bool) -> tuple[list[Place], Mapping[Files, ssl.SSLContext]]:
        """Return what is wanted now, checked, with the TLS of its listeners; it *says* what is doubtful about them."""
        settings = self._house.hall.settings.current()
        places = wanted(self._config, settings)
        check_safety(self._config, settings, places, self._house.hall.security.has_logins)
        contexts, doubts, fingerprints = {}, set(), {}
        for files in {place.tls for place in places if place.tls is not None}:
            contexts[files] = tls_context(files.certificate, files.key)
            certificate = check_pair(files.certificate, files.key)
            fingerprints[files] = fingerprint(certificate)
            if reason := doubt(certificate, now()):
                doubts.add((str(files.certificate), reason))
        exposed = {str(one) for one in places if one.side != AGENTS and not one.address.is_loopback}
        if exposed and self._house.hall.security.has_logins():
            exposed = set()
        plain = {str(one) for one in places if one.side in DIALECTS and one.tls is None}
        if says:
            self._warn(doubts, exposed, plain)
        self._doubts, self._exposed, self._plain = doubts, exposed, plain
        self._fingerprints = fingerprints
        return places, contexts

    def _tell_agent(self, place: Place) -> None:
        """Tell the local agent which certificate it is shown at *place*, if it connects there."""
        if place.side != "agents" or place.tls is None or not self._config.local_agent.enabled:
            return
        try:
            pins.note(self._config.agent_home, self._fingerprints[place.tls])
        except OSError as error:  # it takes the one in the file, which is the same for now
            log.warning("local_agent.certificate_not_noted", home=str(self._config.agent_home), error=str(error))

    def _warn(self, doubts: set[tuple[str, str]], exposed: set[str], plain: set[str]) -> None:
        """Log what is new of certificates that clients may refuse, and of places where anybody may run anything.

        So are those that are *plain*: the clients of these vendor APIs speak HTTPS only.
        """
        for file, reason in doubts - self._doubts:
            log.warning("tls.certificate_doubtful", file=file, reason=reason)
        for place in exposed - self._exposed:
            log.warning("web.open_to_anybody", listen=place)
        for place in plain - self._plain:
            log.warning("web.plain_for_clients_of_https", listen=place)

    def _publish(self, places: Iterable[tuple[str, int]]) -> None:
        """Tell at which ports requests come."""
        self._house.web.ports = frozenset(self._ports[key] for key in places if key[0] == WEB)

    def _listeners(
        self,
        places: Mapping[tuple[str, int], Place],
        contexts: Mapping[Files, ssl.SSLContext],
        listeners: Listeners | None = None,
    ) -> dict[tuple[str, int], Listener]:
        """Return listeners at *places*; where there is one in *listeners* already, on the same socket."""
        made: dict[tuple[str, int], Listener] = {}
        try:
            for key, place in places.items():
                is_there = listeners is not None and key in self._now
                one = listeners.socket(key) if listeners is not None and is_there else self._listen(place)
                self._ports[key] = one.getsockname()[1]
                tls = contexts[place.tls] if place.tls else None
                made[key] = Listener(one, self._application(place.side), tls)
        except BaseException:
            for listener in made.values():
                listener.socket.close()
            raise
        return made

    def _application(self, side: str) -> Any:
        if side == AGENTS:
            return self._house.agents
        return self._house.web if side == WEB else self._house.web.only(DIALECTS[side])

    def _listen(self, place: Place) -> socket.socket:
        try:
            return listen(place.address.host, place.address.port, shared=self._shared)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(place)) from None


def _web_tls(config: Config, settings: Snapshot) -> Files | None:
    state = settings.text("webapi.tls")
    if state == "DISABLED" or (state == "CONFIGURED" and not config.web.tls_cert):
        return None
    certificate = settings.text("webapi.tls_certificate") or config.web.tls_cert
    key = settings.text("webapi.tls_key") or config.web.tls_key
    if not certificate or not key:
        raise BadCertificate(
            "webapi.tls is ENABLED without a certificate and its key: set webapi.tls_certificate and webapi.tls_key"
        )
    return _files(certificate, key)


def _files(certificate: str, key: str) -> Files:
    files = Path(certificate).absolute(), Path(key).absolute()
    return Files(*files, stamp=tuple(_stamp(one) for one in files))


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _told(error: Exception) -> tuple[str, bool]:
    """Return *error* in words, and whether it was to be expected."""
    if isinstance(error, DispatcherError):
        return error.message, True
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error), True
    return repr(error), False


def _url(place: Place) -> str:
    return f"{'http' if place.tls is None else 'https'}://{place.address}"
