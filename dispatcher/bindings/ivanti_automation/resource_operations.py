"""The operations of the ResourceService, each declared once for REST and help (contract section 7)."""

# Spyne makes static methods of the operations, which are called as on the wire: there is no self.
# ruff: noqa: N802, N805

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dispatcher.bindings.ivanti_automation.resource_headers import (
    ID_HEADERS,
    UPLOAD_HEADERS,
    to_resource_id,
    to_upload,
)
from dispatcher.wire.guids import format_guid
from dispatcher.wire.http import Request
from dispatcher.wire.operations import Route, operation
from dispatcher.wire.types import Flag, Text

from spyne import ServiceBase  # isort: skip

if TYPE_CHECKING:
    from dispatcher.services.uploads import Uploads


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request, and the service that takes what it brings."""

    uploads: Uploads
    request: Request


_UPLOADS = "Uploads a new resource, or edits the one that is named; answers its GUID."


class ResourceService(ServiceBase):  # type: ignore[misc]  # Spyne has no annotations
    """The operations. ``ctx`` is a :class:`Delivery`: their arguments are headers, and the body is no message."""

    @operation(
        Route("POST", "UploadResource", {}, None, _UPLOADS, is_stream=True, headers=UPLOAD_HEADERS), returns=Text
    )
    def UploadResource(ctx: Delivery) -> Any:
        """Make a resource, or change one."""
        upload = to_upload(ctx.request.headers)
        return format_guid(ctx.uploads.store(upload, ctx.request.content, ctx.request.caller))

    @operation(
        Route("POST", "DeleteResource", {}, None, "Deletes a resource that nothing needs.", headers=ID_HEADERS),
        returns=Flag,
    )
    def DeleteResource(ctx: Delivery) -> Any:
        """Remove a resource."""
        ctx.uploads.delete(to_resource_id(ctx.request.headers), ctx.request.caller)
        return True
