"""The binding: which part of the dialect answers a request below the SchedulingService's address."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from dispatcher.bindings.ivanti_automation.examples import EXAMPLES
from dispatcher.bindings.ivanti_automation.faults import STATUSES
from dispatcher.bindings.ivanti_automation.soap import Guest, SchedulingService
from dispatcher.wire import pages
from dispatcher.wire.help import HelpPages
from dispatcher.wire.http import Request, Response
from dispatcher.wire.operations import operations_of
from dispatcher.wire.quotas import Quotas
from dispatcher.wire.samples import Samples
from dispatcher.wire.soap import SoapEndpoint
from dispatcher.wire.webhttp import WebHttpEndpoint
from dispatcher.wire.wsdl import WsdlDocuments, WsdlNames

if TYPE_CHECKING:
    from dispatcher.services.hall import Hall

BASE_PATH = "/Dispatcher/SchedulingService"
REALM = "Dispatcher"
NAMES = WsdlNames(service="SchedulingService", contract="ISchedulingService")
#: Below the base path; SOAP is answered at all of them (contract section 8.7).
SOAP_PATHS = frozenset({"", "soap", "basic"})
_XML = "text/xml; charset=utf-8"
_HTML = "text/html; charset=utf-8"


class IvantiAutomation:
    """The front door of the Ivanti Automation dialect."""

    def __init__(
        self, soap: SoapEndpoint, rest: WebHttpEndpoint, wsdl: WsdlDocuments, help_pages: HelpPages, *, base_path: str, realm: str
    ) -> None:
        self._soap = soap
        self._rest = rest
        self._wsdl = wsdl
        self._help = help_pages
        self._base_path = base_path
        self._realm = realm
        self.prefixes: tuple[str, ...] = (base_path.lower(),)

    def is_public(self, request: Request) -> bool:
        """Whether *request* reads the WSDL or a schema: SOAP tools send no credentials for those (section 12)."""
        return self._below(request) in SOAP_PATHS and self._document_of(request) is not None

    def unauthenticated(self, request: Request) -> Response:
        """Return the challenge that PowerShell waits for; without a body, which SOAP clients read best."""
        return Response(401, headers=[("WWW-Authenticate", f'Basic realm="{self._realm}"')])
