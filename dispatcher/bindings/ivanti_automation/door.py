"""The door: what both services of the dialect have in common: their address, the challenge, the help pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.wire import pages
from dispatcher.wire.help import HelpPages
from dispatcher.wire.http import Request, Response

if TYPE_CHECKING:
    from dispatcher.services.settings import Settings

#: A neutral text, as nothing tells the original's (contract section 10).
REALM = "Dispatcher"
_HTML = "text/html; charset=utf-8"


class Door:
    """A service below *base_path*."""

    def __init__(self, help_pages: HelpPages, *, settings: Settings, base_path: str, realm: str) -> None:
        self._help = help_pages
        self._settings = settings
        self._realm = realm
        self.home = "/" + base_path.strip("/")
        self.prefixes: tuple[str, ...] = (self.home.lower(),)

    def public_address(self) -> str:
        """Return the address that help pages and WSDL show; empty if they show the one that the client used."""
        return self._settings.current().text("webapi.public_address")

    def is_public(self, request: Request) -> bool:  # noqa: ARG002
        """Whether *request* is answered without credentials.

        A Web API that is switched off asks nobody for anything: there is nothing (contract section 11).
        """
        return not self._settings.current().web_api_enabled()

    def unauthenticated(self, request: Request) -> Response:  # noqa: ARG002
        """Return the challenge that PowerShell waits for; its body is empty, which SOAP clients read best."""
        return Response(401, headers=[("WWW-Authenticate", f'Basic realm="{self._realm}"')])

    def _enter(self, request: Request) -> Response | None:
        """Let *request* in, or return the answer if there is nothing behind the door."""
        settings = self._settings.current()
        if not settings.web_api_enabled():
            return Response(404)
        if address := settings.text("webapi.public_address"):
            # Behind a proxy: links and WSDL show where clients reach us, not where the proxy does.
            request.scheme, _, request.host = address.partition("://")
        return None

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
        return request.path[len(self.home) :].strip("/").lower()

    def _address(self, request: Request) -> str:
        """Return the service's address as the client knows it: of this request alone."""
        return f"{request.scheme}://{request.host}{self.home}/"
