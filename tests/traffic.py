"""Traffic: requests as PowerShell's web cmdlets put them on the wire, header for header, over raw sockets.

Sources: ``WebRequestPSCmdlet`` of the PowerShell repository (its ``FullClr`` half is that of Windows PowerShell 5.1)
and ``HttpWebRequest.SerializeHeaders`` of the .NET Framework's reference source.
"""

from __future__ import annotations

import base64
import socket
from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from urllib.parse import quote, urlsplit

#: What .NET's Uri leaves as it is; braces, blanks and letters beyond ASCII are escaped, as UTF-8.
_UNESCAPED = "/?&=%:;,+$@!*'()-._~#[]"


@dataclass(frozen=True)
class Answer:
    """An answer. Header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


class Connection:
    """A connection that is kept for as long as the server keeps it."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=30)
        self._stream = self._socket.makefile("rb")
        self.is_kept = True

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, method: str = "GET") -> Answer:
        """Return the next answer, which may be an interim one."""
        status = int(self._stream.readline().split()[1])
        headers = {}
        while line := self._stream.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if status == 100:
            return Answer(status, headers)
        self.is_kept = headers.get("connection", "keep-alive").lower() != "close"
        return Answer(status, headers, b"" if method == "HEAD" else self._stream.read(int(headers["content-length"])))

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


class Expect(Enum):
    """What a client does about ``Expect: 100-continue``: the first POST of a 5.1 process has it, the next have not."""

    NOTHING = "sends no such header"
    CONTINUE = "waits for the interim answer"
    IMPATIENT = "has waited for 350 ms and sends the body all the same"


class Cmdlet(Protocol):
    """Invoke-RestMethod or Invoke-WebRequest of one process, with ``-ContentType application/json -Credential``."""

    sent: list[bytes]

    def send(self, method: str, path: str, body: str | None = None) -> Answer:
        """Send a request to *path*, again with credentials if they are asked for; return the last answer."""

    def close(self) -> None:
        """End the process."""


class WindowsPowerShell:
    """The cmdlets of Windows PowerShell 5.1 on the .NET Framework: one connection is kept from cmdlet to cmdlet.

    The body is Latin-1 unless *content_type* names a charset. Credentials wait for the challenge, at each request anew,
    unless a script gives the header *authorization* itself.
    """

    agent = "Mozilla/5.0 (Windows NT; Windows NT 10.0; de-DE) WindowsPowerShell/5.1.19041.5608"

    def __init__(
        self,
        url: str,
        credential: tuple[str, str] | None = None,
        expect: Expect = Expect.NOTHING,
        content_type: str = "application/json",
        authorization: str = "",
    ) -> None:
        self._host = urlsplit(url).netloc
        self.credential = credential
        self._expect = expect
        self._authorization = authorization
        self._content_type = content_type
        charset = content_type.partition("charset=")[2] or "latin-1"
        self._charset = "utf-16-le" if charset == "utf-16" else charset  # without a mark
        self._connection: Connection | None = None
        self.sent: list[bytes] = []  #: each request as it went out

    def send(self, method: str, path: str, body: str | None = None) -> Answer:
        answer = self._send(method, path, body, "")
        if answer.status == 401 and self.credential is not None and _wants_basic(answer):
            assert self._connection is not None, "PowerShell resends on the connection that it was challenged on"
            answer = self._send(method, path, body, basic(*self.credential, "cp1252"))
        return answer

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, method: str, path: str, body: str | None, authorization: str) -> Answer:
        content = b"" if body is None else body.encode(self._charset, "replace")
        lines = [
            f"{method} {quote(path, safe=_UNESCAPED)} HTTP/1.1",
            *([f"Authorization: {self._authorization}"] if self._authorization else ()),
            f"User-Agent: {self.agent}",
            f"Content-Type: {self._content_type}",
            *([f"Authorization: {authorization}"] if authorization else ()),
            f"Host: {self._host}",
            *([] if body is None else [f"Content-Length: {len(content)}"]),
            *(["Expect: 100-continue"] if content and self._expect is not Expect.NOTHING else ()),
            *([] if self._connection else ["Connection: Keep-Alive"]),  # until it knows that the server speaks 1.1
        ]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self.sent.append(head + content)
        self._connection = self._connection or _connect(self._host)
        answer = self._exchange(self._connection, method, head, content)
        if not self._connection.is_kept:
            self.close()
        return answer

    def _exchange(self, connection: Connection, method: str, head: bytes, content: bytes) -> Answer:
        if content and self._expect is Expect.CONTINUE:
            connection.send(head)
            assert connection.read().status == 100
            connection.send(content)
        else:
            connection.send(head + content)
        while (answer := connection.read(method)).status == 100:
            pass
        return answer


class PowerShell:
    """The cmdlets of PowerShell 7 on .NET: a connection for each call, on which it answers the challenge.

    Up to 7.3 a body is Latin-1, from 7.4 on UTF-8; the content type of a GET is not sent at first, later on it is. As
    the former asks for no format, its user has to (*accept*, by ``$PSDefaultParameterValues``).
    """

    def __init__(
        self, url: str, credential: tuple[str, str] | None = None, version: str = "7.5.4", accept: str = ""
    ) -> None:
        self._host = urlsplit(url).netloc
        self._credential = credential
        self._is_old = version < "7.4"
        self._accept = accept
        self.agent = f"Mozilla/5.0 (Windows NT 10.0; Microsoft Windows 10.0.19045; de-DE) PowerShell/{version}"
        self.sent: list[bytes] = []

    def send(self, method: str, path: str, body: str | None = None) -> Answer:
        connection = _connect(self._host)
        try:
            answer = self._send(connection, method, path, body, "")
            if answer.status == 401 and self._credential is not None and _wants_basic(answer):
                assert connection.is_kept
                answer = self._send(connection, method, path, body, basic(*self._credential, "utf-8"))
            return answer
        finally:
            connection.close()

    def close(self) -> None:
        """Nothing is kept."""

    def _send(self, connection: Connection, method: str, path: str, body: str | None, authorization: str) -> Answer:
        content = b"" if body is None else body.encode("latin-1" if self._is_old else "utf-8", "replace")
        has_content = body is not None or not (method == "GET" and self._is_old)
        lines = [
            f"{method} {quote(path, safe=_UNESCAPED)} HTTP/1.1",
            f"Host: {self._host}",
            *([f"Accept: {self._accept}"] if self._accept else ()),
            f"User-Agent: {self.agent}",
            f"Accept-Encoding: gzip, deflate{'' if self._is_old else ', br'}",
            *([f"Authorization: {authorization}"] if authorization else ()),
            *(["Content-Type: application/json", f"Content-Length: {len(content)}"] if has_content else ()),
        ]
        self.sent.append("\r\n".join([*lines, "", ""]).encode("latin-1") + content)
        connection.send(self.sent[-1])
        return connection.read(method)


def basic(name: str, password: str, charset: str) -> str:
    """Return the value of the header by which HTTP Basic tells a *name* and a *password*."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode(charset)).decode()


def _wants_basic(answer: Answer) -> bool:
    return answer.headers["www-authenticate"].startswith('Basic realm="')


def _connect(host: str) -> Connection:
    name, _, port = host.partition(":")
    return Connection(name, int(port))
