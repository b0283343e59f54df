"""The door: what both services of the dialect have in common: their address, the challenge, the help pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dispatcher.wire import pages
from dispatcher.wire.help import HelpPages
from dispatcher.wire.http import BASIC, Request, Response

if TYPE_CHECKING:
    from dispatcher.services.settings import Settings, Snapshot

_HTML = "text/html; charset=utf-8"


class _Place(NamedTuple):
    """Where *settings* have a service."""

    settings: Snapshot
    base: str
    folded: str  #: the same in lower case
    port: int
    is_on: bool
    public_address: str


class Door:
    """A service, at the place that the settings ``webapi.<service>_base_path`` and ``_port`` say."""

    dialect = "ivanti_automation"
    schemes: tuple[str, ...] = (BASIC,)

    def __init__(self, help_pages: HelpPages, *, settings: Settings, service: str) -> None:
        self._help = help_pages
        self._settings = settings
        self._base_path, self._port = f"webapi.{service}_base_path", f"webapi.{service}_port"
        self._last_place: _Place | None = None

    @property
    def home(self) -> str:
        """The base path; empty if the Web API is switched off. Both as known when a request last asked for them."""
        place = self._place()
        return place.base if place.is_on else ""

    @property
    def help_path(self) -> str:
        """The help page."""
        return f"{self.home}/help"

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The base path in lower case."""
        return (self._place().folded,)

    @property
    def port(self) -> int:
        """The port that is set for it; 0 if there is none."""
        return self._place().port

    def public_address(self) -> str:
        """Return the address that help pages and WSDL show; empty if they show the one that the client used."""
        return self._settings.current().text("webapi.public_address")

    def is_public(self, request: Request) -> bool:
        """Whether *request* is answered without credentials.

        A Web API that is switched off asks nobody for anything: there is nothing (contract section 11).
        """
        return not self._is_here(request)

    def unauthenticated(self, request: Request) -> Response:  # noqa: ARG002
        """Return the challenge that PowerShell waits for; its body is empty, which SOAP clients read best."""
        realm = self._settings.current().text("webapi.realm")
        return Response(401, headers=[("WWW-Authenticate", f'Basic realm="{realm}"')])

    def _enter(self, request: Request) -> Response | None:
        """Let *request* in, or return the answer if there is nothing behind the door."""
        if not self._is_here(request):
            return Response(404)
        self._call_by_public_address(request)
        return None

    def _call_by_public_address(self, request: Request) -> None:
        """Have what *request* is answered show the public address, if there is one."""
        if address := self._place().public_address:
            request.come_to(address)

    def _is_here(self, request: Request) -> bool:
        """Whether the service is switched on, and is where *request* looks for it; note for *request* where that is.

        Its port counts from when that is open, so that it is never nowhere, and not for who came to another before.
        """
        place = self._place()  # as it is now: the request has been authenticated
        request.home, port = place.base, place.port
        if not (place.is_on and f"{request.path}/".lower().startswith(f"{place.folded}/")):
            return False
        if port in (0, request.port or port):
            return True
        return request.ports is not None and not {port, request.port} <= request.ports  # it is moving

    def _place(self) -> _Place:
        """Return where the service is, as known when a request last asked for the settings."""
        known, place = self._settings.known(), self._last_place
        if place is None or place.settings is not known:
            base = known.text(self._base_path)
            is_on, address = known.web_api_enabled(), known.text("webapi.public_address")
            place = _Place(known, base, base.lower(), known.number(self._port), is_on, address)
            self._last_place = place
        return place

    def _asks_for_help(self, request: Request) -> bool:
        return request.method in ("GET", "HEAD") and self._below(request).split("/")[0] == "help"

    def _help_page(self, request: Request) -> Response:
        address = self._address(request)
        match self._below(request).split("/"):
            case ["help"] if request.path.endswith("/"):
                # The links of the page are relative, as WCF's are.
                return Response(301, headers=[("Location", "../help")])
            case ["help"]:
                page: str | None = self._help.index(address)
            case ["help", "operations", name]:
                page = self._help.operation(name, address)
            case _:
                page = None
        if page is None:
            return pages.endpoint_not_found(f"{address}help")
        return Response(200, page.encode(), _HTML)

    def _below(self, request: Request) -> str:
        return request.path[len(self._home_of(request)) :].strip("/").lower()

    def _address(self, request: Request) -> str:
        """Return the service's address as the client knows it: of this request alone."""
        return f"{request.root}{self._home_of(request)}/"

    def _home_of(self, request: Request) -> str:
        """Return the base path that *request* was let in by: the setting may have changed since."""
        return request.home or self._place().base
