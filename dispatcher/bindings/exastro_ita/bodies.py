"""Bodies: what requests carry, as plain values. They are read once it is known who may send them what for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from dispatcher.bindings.exastro_ita.multipart import Form, read_form
from dispatcher.core.errors import BadRequest, QuotaExceeded
from dispatcher.services.exastro_ita.messages import ItaError
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.messages import refuse_nul
from dispatcher.wire.json_reader import read_json
from dispatcher.wire.negotiation import body_format
from dispatcher.wire.quotas import Quotas

#: How large a message with records may be, in bytes: files are in it.
LARGEST = 64 << 20
#: Objects and arrays in such a message: three for each of the records that there may be, and some.
_CONTAINERS = 50_000
#: Their members: two hundred for each of the records.
_VALUES = 2_000_000
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
#: The field of a form that has the message.
_FIELD = "json_parameters"
Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Changes:
    """What becomes of records: ``parameter``, and perhaps ``type`` and ``file``; and files that came beside them.

    *files* are by the index of the record and the column.
    """

    items: list[Item]
    files: dict[int, dict[str, bytes]] = field(default_factory=dict)


class Bodies:
    """Reads bodies within the *quotas*, those with records within larger ones."""

    def __init__(self, quotas: Quotas) -> None:
        self._small = quotas
        large = replace(quotas, message_bytes=LARGEST, string_chars=LARGEST)
        self._large = replace(large, json_containers=_CONTAINERS, json_values=max(_VALUES, quotas.json_values))

    def terms(self, request: Request) -> Item:
        """Return the terms of a search; none if there is no body.

        :raises ItaError: 400-00002 if they are no JSON object.
        """
        return self._object(request, self._small) if request.body.strip() else {}

    def order(self, request: Request) -> Item:
        """Return what ``apply`` or ``conductor/execute`` is asked for; nothing if there is no body.

        :raises ItaError: 400-00002 if it is no JSON object.
        """
        is_json = "json" in request.headers.get("content-type", "").lower()
        return self._object(request, self._large) if is_json or _content(request).strip() else {}

    def changes(self, request: Request) -> Changes:
        """Return what becomes of records, and the files that came beside them in a form.

        :raises ItaError: 400-00002 if the JSON cannot be read, 400-00003 if it does not say that.
        """
        document, form = self._document(request)
        if not isinstance(document, list) or not document:
            _refuse(request)
        _check(request, document)
        files: dict[int, dict[str, bytes]] = {}
        for name, content in form.files:
            index, dot, column = name.partition(".")
            if not dot or not index.isascii() or not index.isdigit():
                _refuse(request)
            # As the vendor does: what is beyond the last record is nothing to anybody.
            if len(index) < 10 and int(index) < len(document):
                files.setdefault(int(index), {})[column] = content
        return Changes(document, files)

    def change(self, request: Request) -> Changes:
        """Return what becomes of one record, as ``changes`` does; files in a form are called like their columns.

        :raises ItaError: as ``changes``, and 400-00001 if the body is neither JSON nor a form.
        """
        if request.headers.get("content-type", "") and not _is_form(request) and not _is_json(request):
            raise ItaError("400-00001", f"Content-Type: {request.headers['content-type']}")
        document, form = self._document(request)
        _check(request, [document])
        return Changes([document], {0: dict(form.files)} if form.files else {})

    def _object(self, request: Request, quotas: Quotas) -> Item:
        document = self._json(_content(request), request, quotas)
        if not isinstance(document, dict):
            raise BadRequest("the message is no JSON object")
        return document

    def _document(self, request: Request) -> tuple[Any, Form]:
        if _is_json(request):
            return self._json(_content(request), request, self._large), Form()
        if not _is_form(request):
            _refuse(request)
        form = read_form(_content(request), request.headers["content-type"], LARGEST)
        if (text := form.fields.get(_FIELD)) is None:
            _refuse(request)
        try:
            return self._json(text.strip().encode("utf-8", "surrogatepass"), None, self._large), form
        except QuotaExceeded:
            raise
        except BadRequest:
            _refuse(request)

    def _json(self, body: bytes, request: Request | None, quotas: Quotas) -> Any:
        charset = None if request is None else body_format(request.headers.get("content-type", ""))[1]
        document = read_json(body, charset, quotas, number=float, is_unique=True)
        refuse_nul(document)
        return document


def _check(request: Request, items: list[Any]) -> None:
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("parameter"), dict):
            _refuse(request)
        if not isinstance(item.get("file", {}), dict | None):
            _refuse(request)


def _content(request: Request) -> bytes:
    if request.content is None:
        return request.body
    request.content.stream.seek(0)
    return request.content.stream.read()


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() in _FORMS


def _refuse(request: Request) -> NoReturn:
    kind = request.headers.get("content-type")
    raise ItaError("400-00003", None if kind is None else kind.lower())
