"""Client: the REST-JSON of a running server's SchedulingService, as the ``job`` commands use it."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3 import Retry

from dispatcher.cli.exits import REFUSED, UNREACHABLE, USAGE, Failed

DEFAULT_URL = "http://127.0.0.1:8080"
BASE_PATH = "/Dispatcher/SchedulingService"
#: How long to wait for a connection, and for an answer, in seconds.
TIMEOUTS_S = (5, 60)

_DATE = re.compile(r"/Date\((-?\d+)([+-]\d{4})?\)/")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: what it says, and its JSON text exactly as it was received."""

    value: Any
    text: str


class Client:
    """Talks to the server at *url*; without a path in it, the service's usual one is taken.

    *ca_file* holds the certificates to trust for https; without it the usual ones are trusted.

    :raises Failed: if there are none in it.
    """

    def __init__(self, url: str, login: str, password: str, ca_file: str | None = None) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        self.base = parts.geturl().rstrip("/") + ("" if parts.path.strip("/") else BASE_PATH)
        if ca_file is not None:
            _check_trusted(ca_file)
        self._ca_file = ca_file
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/json"
        # A proxy, or a password from .netrc, is never meant for this computer.
        self._session.trust_env = parts.hostname not in ("127.0.0.1", "localhost", "::1")
        if login:
            # As bytes, because requests would write the text in Latin-1 and the server reads UTF-8 first.
            self._session.auth = HTTPBasicAuth(login.encode(), password.encode())
        # Only what changes nothing is tried again: a second POST would be a second job.
        retry = Retry(3, backoff_factor=0.3, status_forcelist=[503], allowed_methods=["GET"], raise_on_status=False)
        self._session.mount("http://", HTTPAdapter(max_retries=retry))
        self._session.mount("https://", HTTPAdapter(max_retries=retry))

    def get(self, path: str, **query: str | int | bool) -> Answer:
        """Return the answer to a GET.

        :raises Failed: if the server is unreachable or refuses.
        """
        return self._send("GET", path, params={name: str(value) for name, value in query.items()})

    def send(self, method: str, path: str, body: object, key: str | None = None) -> Answer:
        """Return the answer to a POST or PUT of *body* as JSON (None: no body); *key* names it, see ``job submit``.

        :raises Failed: if the server is unreachable or refuses.
        """
        return self._send(method, path, json=body, headers={"Idempotency-Key": key} if key else {})

    def _send(self, method: str, path: str, **arguments: Any) -> Answer:
        try:
            response = self._session.request(
                method,
                f"{self.base}/{path}",
                timeout=TIMEOUTS_S,
                allow_redirects=False,
                verify=self._ca_file,  # here, where no variable of the environment outdoes it
                **arguments,
            )
        except requests.RequestException as error:
            raise Failed(f"{self.base} cannot be reached: {_reason(error)}", UNREACHABLE) from error
        if response.status_code == 401:
            raise Failed("a valid login is needed: set DISPATCHER_LOGIN and DISPATCHER_PASSWORD", REFUSED)
        if response.status_code != 200:
            code = UNREACHABLE if response.status_code >= 500 else REFUSED
            raise Failed(f"{self.base} answered {response.status_code}: {_message(response)}", code)
        try:
            return Answer(response.json(), response.text)
        except requests.JSONDecodeError:
            raise Failed(f"{self.base} does not answer as a SchedulingService", UNREACHABLE) from None


def to_date(moment: datetime) -> str:
    """Return the aware *moment* as the service takes it (contract section 2.1)."""
    return f"/Date({round(moment.timestamp() * 1000)}+0000)/"


def from_date(text: str | None) -> datetime | None:
    """Return the moment in *text*, aware, in UTC; None if there is none.

    The milliseconds of a date with an offset are UTC minus that offset (contract section 4.2).
    """
    match = _DATE.fullmatch(text or "")
    if match is None:
        return None
    zone = match[2] or "+0000"
    minutes = int(zone[1:3]) * 60 + int(zone[3:])
    shift = timedelta(minutes=-minutes if zone[0] == "-" else minutes)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(match[1])) + shift


def to_local(text: str | None) -> str:
    """Return a date of the service in this computer's zone, for people; nothing if it is empty."""
    moment = from_date(text)
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _check_trusted(file: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except ssl.SSLError:
        raise Failed(f"--ca-file {file}: holds no certificate in PEM", USAGE) from None
    except OSError as error:
        raise Failed(f"--ca-file {file}: {error.strerror or error}", USAGE) from None


def _reason(error: requests.RequestException) -> str:
    """Return what went wrong, without the objects that the library wraps it in."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    inner = getattr(error.args[0], "reason", error) if error.args else error
    return str(inner).rpartition(": ")[2]


def _message(response: requests.Response) -> str:
    """Return the message in an answer that refuses: WCF's error page holds it (contract sections 8.4 and 12)."""
    if "html" not in response.headers.get("Content-Type", ""):
        return response.text.strip()[:1000] or str(response.reason)
    page = _Paragraphs()
    page.feed(response.text)
    return " ".join(" ".join(page.texts).split())[:1000] or str(response.reason)


class _Paragraphs(HTMLParser):
    """Collects the text of a page's paragraphs, but for its heading."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "p":
            self._is_inside = ("class", "heading1") not in attrs

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self._is_inside = False

    def handle_data(self, data: str) -> None:
        if self._is_inside:
            self.texts.append(data)
