"""HTTP request: calls a web service and takes values out of its answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field, field_validator, model_validator

from dispatcher.core import references
from dispatcher.core.errors import InvalidValue
from dispatcher.core.references import PATTERN
from dispatcher.tasks.picking import SavedPick
from dispatcher.tasks.types import TaskSettings, Text
from dispatcher.tasks.work import TaskFailed, Tools, WorkType

if TYPE_CHECKING:
    import requests
    from requests.auth import HTTPBasicAuth

_CHUNK = 1 << 16
_PASSWORD = "_PASSWORD"  # noqa: S105 - the end of a variable's name
HeaderName = Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]


class HttpRequestSettings(TaskSettings):
    """What an HTTP request task does."""

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    url: Annotated[Text, Field(min_length=1)]
    headers: Annotated[dict[HeaderName, Text], Field(max_length=100)] = {}
    body: Text | None = None
    #: Of a JSON body references are filled in inside its texts; of a plain text, as they stand.
    body_format: Literal["text", "json"] = "text"
    credentials: Text | None = None  #: ``$[Name]`` of a credentials parameter, for Basic authentication
    statuses: Annotated[list[Annotated[int, Field(ge=100, le=599)]], Field(max_length=100)] = []  #: none: 200 to 299
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0  #: for the connection, and between parts of the answer
    redirects: bool = True
    verify: bool = True  #: whether the certificate is checked
    ca_file: Annotated[Text, Field(min_length=1)] | None = None  #: certificates to trust instead of the usual ones
    max_bytes: Annotated[int, Field(ge=0, le=1 << 30)] = 10 << 20  #: a longer answer fails the task
    show: bool = True  #: whether the answer becomes the output of the task
    save: Annotated[list[SavedPick], Field(max_length=100)] = []

    @field_validator("credentials")
    @classmethod
    def _is_parameter(cls, value: str | None) -> str | None:
        match = PATTERN.fullmatch(value or "")
        if value is not None and (match is None or match[1] != "$"):
            raise ValueError("must be $[Name] of a credentials parameter")
        return value

    @model_validator(mode="after")
    def _is_json(self) -> HttpRequestSettings:
        if self.body_format == "json":
            try:
                json.loads(self.body or "")
            except (ValueError, RecursionError) as error:
                raise ValueError(f"body is no JSON: {error}") from None
        return self


class HttpRequest(WorkType[HttpRequestSettings]):
    """Calls a web service."""

    name = "http_request"
    Settings = HttpRequestSettings

    def summary(self, settings: HttpRequestSettings) -> str:
        """Return method and address; references stay as they are."""
        return f"{settings.method} {settings.url}"[:80]

    def do(self, settings: HttpRequestSettings, tools: Tools) -> str:
        """Call it and take what is wanted from the answer.

        :raises TaskFailed: if there is no answer, or another one than was expected.
        :raises RefusedByPolicy: if the address, or one that it redirects to, may not be called.
        """
        import requests

        from dispatcher.tasks import http_client

        session = http_client.Session(tools.networks, settings.headers)
        try:
            with _call(session, settings, tools) as response:
                body = b"".join(_limited(response, settings.max_bytes))
        except requests.RequestException as error:
            raise TaskFailed(f"no answer: {http_client.problem(error)}") from None
        finally:
            session.close()
        tools.say(f"{response.status_code} {response.reason or ''}".strip())
        if settings.show:
            sys.stdout.buffer.write(body)
            sys.stdout.flush()
        if not _is_expected(response.status_code, settings.statuses):
            raise TaskFailed(f"the answer is {response.status_code} {response.reason or ''}".strip())
        text = _text(body, response.encoding) if settings.save else ""
        for pick in settings.save:
            tools.set_output(pick.parameter, pick.take(text, tools.fill))
        return f"{response.status_code} {response.reason or ''}".strip()


def _call(session: requests.Session, settings: HttpRequestSettings, tools: Tools) -> requests.Response:
    headers = {name: tools.fill(text) for name, text in settings.headers.items()}
    for name, value in headers.items():
        if "\n" in value or "\r" in value:
            raise InvalidValue(f"headers/{name}", "a header is one line")
    body = _body(settings, tools)
    if body is not None and "content-type" not in {name.lower() for name in headers}:
        kind = "application/json" if settings.body_format == "json" else "text/plain; charset=utf-8"
        headers["Content-Type"] = kind
    verify: bool | str = settings.verify
    if settings.verify and settings.ca_file is not None:
        verify = str(tools.path(settings.ca_file))
    return session.request(
        settings.method,
        fill_url(settings.url, tools),
        headers={name: value.encode() for name, value in headers.items()},
        data=body,
        auth=_credentials(settings, tools),
        timeout=settings.timeout_s,
        allow_redirects=settings.redirects,
        verify=verify,
        stream=True,
    )


def fill_url(url: str, tools: Tools) -> str:
    """Return *url* with its references filled in.

    A reference that it begins with may hold any part of a URL. Every other value is percent-encoded: it can neither
    leave its place in the path nor add to the query.

    :raises InvalidValue: if a reference has no value, or the result is no HTTP URL.
    """
    references.require(references.find(url), tools.values)
    first = PATTERN.match(url)
    base = tools.fill(first[0]) if first else ""
    rest = url[first.end() :] if first else url
    whole = base + PATTERN.sub(lambda match: quote(tools.fill(match[0]), safe=""), rest)
    if not whole.lower().startswith(("http://", "https://")):
        raise InvalidValue("url", "must begin with http:// or https://")
    return whole


def _body(settings: HttpRequestSettings, tools: Tools) -> bytes | None:
    if settings.body is None:
        return None
    if settings.body_format == "text":
        return tools.fill(settings.body).encode()
    return json.dumps(_filled(json.loads(settings.body), tools), ensure_ascii=False).encode()


def _filled(value: Any, tools: Tools) -> Any:
    if isinstance(value, str):
        return tools.fill(value)
    if isinstance(value, dict):
        return {name: _filled(one, tools) for name, one in value.items()}
    return [_filled(one, tools) for one in value] if isinstance(value, list) else value


def _credentials(settings: HttpRequestSettings, tools: Tools) -> HTTPBasicAuth | None:
    from requests.auth import HTTPBasicAuth

    if settings.credentials is None:
        return None
    user = tools.fill(settings.credentials)
    (reference,) = references.find(settings.credentials)
    password = tools.values.get(reference.variable + _PASSWORD)
    if password is None:
        raise InvalidValue("credentials", f"{reference} is no credentials parameter")
    # As bytes: of texts requests would make Latin-1.
    return HTTPBasicAuth(user.encode(), password.encode())


def _limited(response: requests.Response, max_bytes: int) -> Iterator[bytes]:
    size = 0
    for part in response.iter_content(_CHUNK):
        size += len(part)
        if size > max_bytes:
            raise TaskFailed(f"the answer is longer than {max_bytes} bytes")
        yield part


def _text(body: bytes, charset: str | None) -> str:
    try:
        return body.decode(charset or "utf-8", "replace")
    except (LookupError, ValueError):  # a server may call its charset anything
        return body.decode("utf-8", "replace")


def _is_expected(status: int, statuses: list[int]) -> bool:
    return status in statuses if statuses else 200 <= status < 300


TYPE = HttpRequest()
