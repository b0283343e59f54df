"""The ResourceService: uploads, changes and deletes the resources of the library, over REST alone."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from dispatcher.bindings.ivanti_automation.door import Door
from dispatcher.bindings.ivanti_automation.faults import STATUSES
from dispatcher.bindings.ivanti_automation.resource_headers import EXAMPLES, ContentEncoded, to_upload
from dispatcher.bindings.ivanti_automation.resource_operations import Delivery, ResourceService
from dispatcher.bindings.ivanti_automation.soap import NAMES
from dispatcher.core.errors import DispatcherError
from dispatcher.services.resources import QuotaReached
from dispatcher.wire import pages
from dispatcher.wire.faults import Log, status_of, told, unexpected
from dispatcher.wire.help import HelpPages
from dispatcher.wire.http import Admission, Request, Response
from dispatcher.wire.json_codec import encode_json
from dispatcher.wire.negotiation import Format, answer_format
from dispatcher.wire.operations import Operation, operations_of
from dispatcher.wire.samples import Samples
from dispatcher.wire.wsdl import WsdlDocuments
from dispatcher.wire.xml_codec import escape
from dispatcher.wire.xsd import SERIALIZATION

if TYPE_CHECKING:
    from dispatcher.services.hall import Hall

#: What an upload alone may have too much of, or in another form; the rest is as for all operations.
_STATUSES = {**STATUSES, QuotaReached: 413, ContentEncoded: 415}


class ResourceDoor(Door):
    """The front door of the ResourceService."""

    title = "Ivanti Automation: ResourceService"

    def __init__(self, hall: Hall, help_pages: HelpPages, *, log: Log) -> None:
        super().__init__(help_pages, settings=hall.settings, service="resource")
        self._uploads = hall.uploads
        self._log = log
        self._operations = {one.route.template.lower(): one for one in operations_of(ResourceService).values()}

    def is_upload(self, request: Request) -> bool:
        """Whether the body of *request* is the content of a resource."""
        found = self._operations.get(self._below(request))
        return found is not None and found.route.is_stream and request.method == found.route.verb

    def admit(self, request: Request) -> Admission | Response:
        """Return whether the content may come: all is checked that the headers tell."""
        if (answer := self._enter(request)) is not None:
            return answer
        try:
            upload = to_upload(request.headers)
            most = self._uploads.admit(upload, request.caller)
        except DispatcherError as error:
            return self._refused_by(error, request)
        return Admission(most, f"a login may upload {most} bytes in all", is_kept=upload.takes_content)

    def refused(self, request: Request, status: int, reason: str) -> Response:
        """Return the Request Error page."""
        self._call_by_public_address(request)  # it may have come no further than here
        return pages.request_error(status, reason, f"{self._address(request)}help")

    def __call__(self, request: Request) -> Response:
        """Answer *request*."""
        if (answer := self._enter(request)) is not None:
            return answer
        if self._asks_for_help(request):
            return self._help_page(request)
        operation = self._operations.get(self._below(request))
        if operation is None:
            return pages.endpoint_not_found(f"{self._address(request)}help")
        if request.method != operation.route.verb:
            return pages.method_not_allowed(f"{self._address(request)}help", [operation.route.verb])
        try:
            return _answer(request, operation, operation(Delivery(self._uploads, request)))
        except DispatcherError as error:
            return self._refused_by(error, request)
        except Exception:
            return self._refused_by(unexpected(self._log, request), request)

    def _refused_by(self, error: DispatcherError, request: Request) -> Response:
        return self.refused(request, status_of(_STATUSES, error), told(error))


def _answer(request: Request, operation: Operation, value: str | bool) -> Response:
    wanted = answer_format(request.headers.get("accept", ""), request.headers.get("content-type", ""))
    if wanted is Format.JSON:
        return Response(200, encode_json(operation.returns, value), wanted.value)
    name, text = ("boolean", str(value).lower()) if isinstance(value, bool) else ("string", escape(value))
    return Response(200, f'<{name} xmlns="{SERIALIZATION}">{text}</{name}>'.encode(), Format.XML.value)


def build(hall: Hall, *, log: Log, max_upload_bytes: int = 2 << 30) -> ResourceDoor:
    """Return the binding over *hall*; *log* is told of what nobody foresaw.

    Its help says that uploads may have *max_upload_bytes*.
    """
    return ResourceDoor(hall, _help_pages(max_upload_bytes), log=log)


@cache  # they follow from the declared operations alone, whatever they are served over
def _help_pages(max_upload_bytes: int) -> HelpPages:
    wsdl = WsdlDocuments(ResourceService, NAMES)
    limits = {"Size of an upload": f"{max_upload_bytes:,} bytes"}
    return HelpPages(operations_of(ResourceService), Samples(EXAMPLES), wsdl.schemas, limits, has_soap=False)
