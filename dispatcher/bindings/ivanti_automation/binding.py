"""The binding: which part of the dialect answers a request below the SchedulingService's address."""

from __future__ import annotations

from datetime import tzinfo
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

from dispatcher.bindings.ivanti_automation.door import Door
from dispatcher.bindings.ivanti_automation.examples import EXAMPLES
from dispatcher.bindings.ivanti_automation.faults import STATUSES
from dispatcher.bindings.ivanti_automation.soap import NAMES, Guest, SchedulingService
from dispatcher.services.submits import SubmitKey
from dispatcher.wire.faults import Log
from dispatcher.wire.help import HelpPages
from dispatcher.wire.http import Request, Response
from dispatcher.wire.operations import operations_of
from dispatcher.wire.quotas import Quotas
from dispatcher.wire.samples import Samples
from dispatcher.wire.soap import SoapEndpoint
from dispatcher.wire.webhttp import WebHttpEndpoint
from dispatcher.wire.wsdl import WsdlDocuments

if TYPE_CHECKING:
    from dispatcher.services.hall import Hall
    from dispatcher.services.settings import Settings

#: Where SOAP is answered, below the base path (contract section 8.7).
SOAP_PATHS = frozenset({"", "soap", "basic"})
_XML = "text/xml; charset=utf-8"


class IvantiAutomation(Door):
    """The front door of the Ivanti Automation dialect."""

    title = "Ivanti Automation: SchedulingService"

    def __init__(
        self,
        soap: SoapEndpoint,
        rest: WebHttpEndpoint,
        wsdl: WsdlDocuments,
        help_pages: HelpPages,
        *,
        settings: Settings,
    ) -> None:
        super().__init__(help_pages, settings=settings, service="scheduling")
        self._soap = soap
        self._rest = rest
        self._wsdl = wsdl

    def is_public(self, request: Request) -> bool:
        """Whether *request* reads the WSDL or a schema: tools send no credentials for those (contract section 12)."""
        if super().is_public(request):
            return True
        return request.method in ("GET", "HEAD") and self._document(request) is not None

    def is_submit(self, request: Request) -> bool:
        """Whether *request* seems to schedule a job: by the path of REST, or by how a message for SOAP begins."""
        if request.method != "POST":
            return False
        return request.path.rstrip("/").lower().endswith("/jobs") or b"ScheduleJob" in request.body[:2048]

    def refused(self, request: Request, status: int, reason: str) -> Response:
        """Return a fault to a SOAP client, and to others the Request Error page."""
        if self._is_soap(request):
            return self._soap.refused(request, status, reason)
        self._call_by_public_address(request)  # it may have come no further than here
        return self._rest.refused(request, status, reason)

    def __call__(self, request: Request) -> Response:
        """Answer *request*."""
        if (answer := self._enter(request)) is not None:
            return answer
        if request.method in ("GET", "HEAD"):
            document = self._document(request)
            if document is not None:
                return Response(200, document, _XML)
        if self._asks_for_help(request):
            return self._help_page(request)
        if self._is_soap(request):
            return self._soap(request)
        return self._rest(request)

    def _is_soap(self, request: Request) -> bool:
        """Whether *request* is a message for SOAP; the base address takes only what looks like an envelope."""
        below = self._below(request)
        return request.method == "POST" and below in SOAP_PATHS and (below != "" or self._soap.accepts(request))

    def _document(self, request: Request) -> bytes | None:
        """Return the WSDL or the schema that the first parameter asks for, None if it asks for neither."""
        if self._below(request) not in SOAP_PATHS:
            return None
        address = self._address(request)
        name, _, value = unquote(request.query.partition("&")[0]).lower().partition("=")
        if name == "xsd":
            return self._wsdl.xsd(value, address)
        documents = {"wsdl": self._wsdl.wsdl, "singlewsdl": self._wsdl.single_wsdl}
        return documents[name](address) if name in documents else None


def build(hall: Hall, *, log: Log, quotas: Quotas | None = None) -> IvantiAutomation:
    """Return the binding over *hall*; *log* is told of what nobody foresaw."""
    quotas = quotas or Quotas()
    operations = operations_of(SchedulingService)

    def context(request: Request) -> Guest:
        key = SubmitKey.of(request.key, request.asked) if request.key else None
        return Guest(hall, request.caller, key)

    def zone() -> tzinfo:
        return hall.settings.known().site_zone()  # as it was when the door let the request in

    soap = SoapEndpoint(
        operations, namespace=NAMES.namespace, faults=STATUSES, context=context, site_zone=zone, log=log, quotas=quotas
    )
    rest = WebHttpEndpoint(
        operations,
        base_path=lambda request: request.home or hall.settings.known().text("webapi.scheduling_base_path"),
        soap=soap,
        faults=STATUSES,
        context=context,
        site_zone=zone,
        log=log,
        quotas=quotas,
    )
    return IvantiAutomation(soap, rest, _documents(), _help_pages(quotas), settings=hall.settings)


@cache  # they follow from the declared operations alone, whatever they are served over
def _documents() -> WsdlDocuments:
    return WsdlDocuments(SchedulingService, NAMES)


@cache
def _help_pages(quotas: Quotas) -> HelpPages:
    return HelpPages(operations_of(SchedulingService), Samples(EXAMPLES), _documents().schemas, _limits(quotas))


def _limits(quotas: Quotas) -> dict[str, str]:
    """Return *quotas* in the words of the help page."""
    return {
        "Size of a message": f"{quotas.message_bytes:,} bytes",
        "Length of a text": f"{quotas.string_chars:,} characters",
        "Depth of XML and JSON": f"{quotas.xml_depth} and {quotas.json_depth} levels",
        "Elements of an XML message": f"{quotas.xml_elements:,}",
        "Attributes of an XML element": f"{quotas.xml_attributes}",
        "Names in an XML message": f"{quotas.xml_name_chars:,} characters",
        "Name of an XML namespace": f"{quotas.xml_namespace_chars:,} characters",
        "Objects and arrays of a JSON message": f"{quotas.json_containers:,}",
        "Members and elements of a JSON message": f"{quotas.json_values:,}",
        "Digits of a JSON integer": f"{quotas.json_integer_digits:,}",
    }
