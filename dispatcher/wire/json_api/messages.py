"""Messages: what one operation reads from a request, and how its answer is written; compiled once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from pydantic import BaseModel, TypeAdapter, ValidationError

from dispatcher.core.errors import BadRequest
from dispatcher.wire.http import Request, Response
from dispatcher.wire.json_api.envelopes import read_enveloped
from dispatcher.wire.json_api.failures import invalid_message
from dispatcher.wire.json_api.forms import FormStyle, read_form
from dispatcher.wire.json_api.models import in_any_case, names_of
from dispatcher.wire.json_api.operations import Operation
from dispatcher.wire.json_reader import Number, read_json
from dispatcher.wire.negotiation import body_format
from dispatcher.wire.quotas import Quotas

JSON = "application/json; charset=utf-8"

_Read = Callable[[Request], Any]


class Messages:
    """The messages of *operation* as a dialect has them."""

    def __init__(
        self,
        operation: Operation,
        *,
        any_case: bool,
        form_style: FormStyle,
        omit_none: bool,
        latin_1: bool,
        last_wins: bool,
        quotas: Quotas,
    ) -> None:
        self._operation = operation
        self._omit_none = omit_none
        self._readers: dict[str, _Read] = {}
        if operation.body is not None and not operation.is_read_late:
            plain = partial(_read_body, last_wins=last_wins)
            read_body = partial(read_enveloped if operation.declared.is_enveloped else plain, quotas, latin_1=latin_1)
            self._readers["body"] = _body(operation.body, read_body, is_optional=operation.is_body_optional)
        if operation.form is not None:
            self._readers["form"] = _form(operation.form, form_style, quotas, latin_1=latin_1)
        if operation.query is not None:
            self._readers["query"] = _query(operation.query, any_case=any_case)
        is_written = operation.returns is not None and not operation.is_plain
        self._answer: TypeAdapter[Any] | None = TypeAdapter(operation.returns) if is_written else None

    def read(self, request: Request) -> dict[str, Any]:
        """Return the arguments that *request* carries besides those in its path.

        :raises BadRequest: if they cannot be read.
        """
        return {name: read(request) for name, read in self._readers.items()}

    def write(self, value: Any) -> Response:
        """Return the answer that *value*, which the operation has returned, becomes."""
        if self._operation.is_plain:
            return value  # type: ignore[no-any-return]
        if value is None or self._answer is None:
            return Response(self._operation.declared.empty)
        body = self._answer.dump_json(value, by_alias=True, exclude_none=self._omit_none)
        return Response(self._operation.declared.status, body, JSON)


def _read_body(quotas: Quotas, body: bytes, charset: str | None, *, latin_1: bool, last_wins: bool) -> Any:
    return read_json(
        body, charset, quotas, number=Number, is_unique=not last_wins, is_ordered=last_wins, latin_1=latin_1
    )


def _body(hint: Any, read_body: Callable[[bytes, str | None], Any], *, is_optional: bool) -> _Read:
    adapter: TypeAdapter[Any] = TypeAdapter(hint)

    def read(request: Request) -> Any:
        if is_optional and not request.body.strip():
            return None
        return _validated(adapter, read_body(request.body, _charset(request)))

    return read


def _form(hint: Any, style: FormStyle, quotas: Quotas, *, latin_1: bool) -> _Read:
    adapter: TypeAdapter[Any] = TypeAdapter(hint)

    def read(request: Request) -> Any:
        return _validated(adapter, read_form(request.body, _charset(request), style, quotas, latin_1=latin_1))

    return read


def _query(hint: type[BaseModel], *, any_case: bool) -> _Read:
    adapter: TypeAdapter[Any] = TypeAdapter(hint)
    # A model may read the text of the query in a way of its own.
    words_of: Callable[[str], Mapping[str, str]] = getattr(hint, "words_of", _words_of)

    def read(request: Request) -> Any:
        words = words_of(request.query)
        return _validated(adapter, _folded(words, hint) if any_case else words)

    return read


def _folded(words: Mapping[str, str], hint: type[BaseModel]) -> Mapping[str, str]:
    try:
        return in_any_case(words, names_of(hint))
    except ValueError as error:
        raise BadRequest(str(error)) from None


def _words_of(query: str) -> Mapping[str, str]:
    # The last one of a name wins: python-opsramp asks for the next page by another pageNo behind the first.
    return dict(parse_qsl(query, keep_blank_values=True))


def _validated(adapter: TypeAdapter[Any], document: Any) -> Any:
    refuse_nul(document)
    try:
        return adapter.validate_python(document)
    except ValidationError as error:
        raise invalid_message(error) from None


def refuse_nul(document: Any) -> None:
    """Refuse texts that not every database can hold. The document is not deep."""
    if isinstance(document, str):
        if "\0" in document:
            raise BadRequest("a text may not hold a NUL character")
    elif isinstance(document, dict):
        for name, value in document.items():
            refuse_nul(name)
            refuse_nul(value)
    elif isinstance(document, list):
        for value in document:
            refuse_nul(value)


def _charset(request: Request) -> str | None:
    return body_format(request.headers.get("content-type", ""))[1]
