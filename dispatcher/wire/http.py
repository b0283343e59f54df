"""HTTP messages: what every binding is given and what it answers, free of any server's objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from dispatcher.core.contents import Content
from dispatcher.core.permissions import NOBODY, Caller

#: The header of answers that say "not now" (statuses 503, and SOAP's faults for the same).
RETRY_AFTER = ("Retry-After", "5")
#: How a client may say who it is: by a login's name and password, or by an access token that it got for them.
BASIC = "basic"
BEARER = "bearer"


@dataclass(slots=True)
class Request:
    """A request whose body has been received whole, within the quotas: into memory, or an upload's into a file.

    Header names are lower-case; ``path`` is percent-decoded, ``query`` is not; ``host`` includes the port as
    the client sent it (without any path).
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    #: The body of an upload (see ``UploadBinding``); None for all others.
    content: Content | None = None
    scheme: str = "http"
    host: str = "localhost"
    #: The port that it came to, here, whatever it says; 0 if nobody knows.
    port: int = 0
    #: The ports that are open here for requests; None if nobody knows.
    ports: frozenset[int] | None = None
    #: The network address that it came from; empty if nobody knows.
    address: str = ""
    #: The only dialect that is served where it came to; empty: all of them.
    only: str = ""
    #: The base path of the service that let it in; empty before.
    home: str = ""
    caller: Caller = NOBODY
    #: Makes the request's ``id``.
    new_id: Callable[[], object] = str
    _id: str = field(default="", init=False, repr=False)
    #: What a client calls its message, to be understood when it sends it again: ``Idempotency-Key``, else what the
    #: message itself says (``wsa:MessageID``). Empty if it has no name.
    key: str = ""
    #: Tells what such a message asks for (``asked``). That may take long, as with a form of 64 MiB.
    asks: Callable[[], bytes] = bytes

    @property
    def id(self) -> str:
        """Names the request in logs and in answers to unexpected errors: made when it is first asked for."""
        if not self._id:
            self._id = str(self.new_id())
        return self._id

    @property
    def root(self) -> str:
        """What the addresses in answers begin with: where the client has called us, or was told to."""
        return f"{self.scheme}://{self.host}"

    def come_to(self, address: str) -> None:
        """Take *address* for the one that was called, as behind a proxy: links show where clients reach us."""
        self.scheme, _, self.host = address.partition("://")

    @property
    def asked(self) -> bytes:
        """What a message with a key asks for, without whatever may differ when it is sent again.

        It is found out each time: only for whoever may ask for that.
        """
        return self.asks()


@dataclass(slots=True)
class Response:
    """An answer. ``content_type`` is written as it is; an empty one sends no such header."""

    status: int
    body: bytes = b""
    content_type: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)


def key_of(request: Request) -> str:
    """Return the ``Idempotency-Key`` of *request*; empty if it has none."""
    return request.headers.get("idempotency-key", "").strip()


def bearer_of(request: Request) -> str:
    """Return the bearer token that *request* came with; empty if none."""
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == BEARER else ""


class Binding(Protocol):
    """One front door: everything below its prefix is answered by it."""

    #: What is served there, in a few words.
    title: str
    #: The name of the vendor API that it belongs to; access tokens are good for one of them. Empty: to none, and it is
    #: found also where only one dialect is served.
    dialect: str
    #: How clients say who they are: ``BASIC``, ``BEARER`` or both.
    schemes: tuple[str, ...]

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Lower-case path prefixes without a trailing slash, such as ``/dispatcher/schedulingservice``."""

    @property
    def home(self) -> str:
        """The path that it is known by; empty if it is switched off."""

    @property
    def help_path(self) -> str:
        """The path of the page that explains it."""

    @property
    def port(self) -> int:
        """The only port at which it answers; 0: at all."""

    def public_address(self) -> str:
        """Return the address that clients were told to use, such as ``https://jobs.example.com``; empty for none."""

    def is_public(self, request: Request) -> bool:
        """Whether *request* is answered without credentials."""

    def unauthenticated(self, request: Request) -> Response:
        """Return the answer to missing or wrong credentials."""

    def refused(self, request: Request, status: int, reason: str) -> Response:
        """Return the answer to a request that the web layer refuses itself (too large, too slow, broken)."""

    def __call__(self, request: Request) -> Response:
        """Answer *request*. Never raises for bad input."""


@runtime_checkable
class SubmitBinding(Binding, Protocol):
    """A binding some of whose requests store something small, and are answered as soon as that is on the disk."""

    def is_submit(self, request: Request) -> bool:
        """Whether *request* is likely to be such a one; a quick look. It is answered alike, whatever this says."""


@dataclass(frozen=True, slots=True)
class Admission:
    """An upload may come. More than ``max_bytes`` (None: than any upload may have) is refused with ``too_large``."""

    max_bytes: int | None = None
    too_large: str = ""
    is_kept: bool = True  #: else it is read and thrown away
    in_memory: int = 0  #: up to so many bytes it waits in memory and becomes ``body``: it may be a small one after all


@runtime_checkable
class UploadBinding(Binding, Protocol):
    """A binding some of whose requests have bodies that are too large for memory."""

    def is_upload(self, request: Request) -> bool:
        """Whether *request*, of which only the head is there, is such a one."""

    def admit(self, request: Request) -> Admission | Response:
        """Return whether the body of the upload *request*, whose caller is known, may come, or the answer if not."""
