"""Uploads: bodies that are too large for memory go to files, measured, and nothing is left of what is broken off."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cheap_passwords import cheap_passwords
from werkzeug.test import Client

from dispatcher.core.permissions import SYSTEM
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.web import uploads
from dispatcher.web.app import Limits, WebApp
from dispatcher.web.health import Health
from dispatcher.web.uploads import PIECE_BYTES, UploadLimits
from dispatcher.web.wsgi import wsgi_application
from dispatcher.wire.http import BASIC, Admission, Request, Response

MOST = 3 * PIECE_BYTES
ADA = {"authorization": "Basic YWRhOnMzY3JldA=="}
EXPECTING = {"expect": "100-continue", "content-length": "5"}


@dataclass
class Hatch:
    """A binding that takes uploads below ``/hatch/up`` and tells what came."""

    port = 0
    dialect = "hatch"
    schemes = (BASIC,)
    prefixes = ("/hatch",)
    home = "/Hatch"
    help_path = "/Hatch/help"
    title = "a hatch for tests"
    admission: Admission | Response = field(default_factory=Admission)
    gate: threading.Event | None = None
    taken: list[Request] = field(default_factory=list)

    def public_address(self) -> str:
        return ""

    def is_public(self, request: Request) -> bool:
        return False

    def unauthenticated(self, request: Request) -> Response:
        return Response(401, b"who are you?", "text/plain", [("WWW-Authenticate", "Basic")])

    def refused(self, request: Request, status: int, reason: str) -> Response:
        return Response(status, f"refused: {reason}".encode(), "text/plain")

    def is_upload(self, request: Request) -> bool:
        return request.method == "POST" and "/up" in request.path

    def admit(self, request: Request) -> Admission | Response:
        if request.path.endswith("defect"):
            raise ZeroDivisionError("secret detail")
        return self.admission

    def __call__(self, request: Request) -> Response:
        self.taken.append(request)
        if self.gate is not None and request.content:
            assert self.gate.wait(20)
        if request.content is None:
            return Response(200, f"nothing from {request.caller.name}".encode(), "text/plain")
        data = request.content.stream.read()
        assert len(data) == request.content.size
        assert hashlib.sha256(data).digest() == request.content.sha256
        assert request.body == b""
        return Response(200, f"{len(data)} from {request.caller.name}".encode(), "text/plain")


class Sender:
    """One request through ASGI, and what the server does with its body."""

    def __init__(self, web: WebApp, *parts: bytes, hangs: bool = False, goes: bool = False, **headers: str) -> None:
        self.web = web
        self.waiting = list(parts or (b"",))
        self.hangs, self.goes = hangs, goes
        self.headers = headers
        self.sent: list[MutableMapping[str, Any]] = []
        self.unread_at_answer: int | None = None

    async def receive(self) -> MutableMapping[str, Any]:
        if not self.waiting:
            if self.goes:
                return {"type": "http.disconnect"}
            await asyncio.sleep(60)
        part = self.waiting.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(self.waiting) or self.hangs or self.goes}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if self.unread_at_answer is None:
            self.unread_at_answer = len(self.waiting)
        self.sent.append(message)

    async def ask(self, path: str = "/hatch/up", method: str = "POST") -> tuple[int, dict[str, str], bytes]:
        """Return the answer; nothing at all if the client has gone before."""
        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in self.headers.items()]
        head = {"path": path, "raw_path": path.encode(), "headers": raw, "query_string": b""}
        scope = {"type": "http", "method": method, "scheme": "http", "client": ("127.0.0.1", 1), **head}
        await self.web(scope, self.receive, self.send)
        if not self.sent:
            return 0, {}, b""
        names = {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}
        assert not self.sent[-1].get("more_body")
        return self.sent[0]["status"], names, b"".join(message["body"] for message in self.sent[1:])


@pytest.fixture
def hatch() -> Hatch:
    return Hatch()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


@pytest.fixture
def web(hall: Hall, hatch: Hatch, folder: Path) -> Iterator[WebApp]:
    limits = Limits(1000, deadline_s=0.3, threads=1, uploads=UploadLimits(MOST, 2, folder))
    app = WebApp([hatch], hall.security, hall.access_tokens, Health(hall), lambda: UUID(int=7), limits)
    yield app
    app.close()


@pytest.fixture
def open_files() -> Callable[[], int]:
    """Count the files in the folder of uploads that this process has open."""

    def count() -> int:
        return sum("/uploads/" in os.path.realpath(file) for file in Path("/proc/self/fd").iterdir())

    return count


def ask(web: WebApp, *parts: bytes, **options: Any) -> tuple[int, dict[str, str], bytes]:
    path = options.pop("path", "/hatch/up")
    return asyncio.run(Sender(web, *parts, **options).ask(path))


@pytest.mark.parametrize(
    "parts",
    [(), (b"a",), (b"a" * 5000,) * 3, (b"b" * PIECE_BYTES, b"c"), (b"", b"d" * PIECE_BYTES, b""), (b"e" * MOST,)],
)
def test_body_comes_measured_and_whole(web: WebApp, parts: tuple[bytes, ...], folder: Path) -> None:
    assert ask(web, *parts)[2] == f"{len(b''.join(parts))} from ".encode()
    assert list(folder.iterdir()) == []


def test_everything_else_goes_its_way(web: WebApp, hatch: Hatch) -> None:
    assert ask(web, b"a" * 1001, path="/hatch/other")[0] == 413
    assert ask(web, b"a" * 10, path="/hatch/other")[2] == b"nothing from "
    assert hatch.taken[0].body == b"a" * 10


@pytest.mark.parametrize("headers", [{"content_length": str(MOST + 1)}, {"content_length": "9" * 5000}])
def test_upload_that_says_it_is_too_large_is_refused_unread(web: WebApp, headers: dict[str, str], hatch: Hatch) -> None:
    client = Sender(web, b"a", b"b", **headers)
    status, answered, body = asyncio.run(client.ask())
    assert (status, answered["connection"], client.unread_at_answer) == (413, "close", 2)
    assert body == f"refused: the message is larger than {MOST} bytes".encode()
    assert client.waiting == [], "the rest is read, so that the answer can be"
    assert hatch.taken == []


def test_upload_that_gets_too_large_is_refused_at_once(
    web: WebApp, hatch: Hatch, open_files: Callable[[], int]
) -> None:
    client = Sender(web, b"a" * PIECE_BYTES, b"a" * MOST, b"rest", b"rest")
    assert asyncio.run(client.ask())[0] == 413
    assert client.unread_at_answer == 2
    assert (hatch.taken, open_files()) == ([], 0)


def test_binding_may_allow_less(web: WebApp, hatch: Hatch) -> None:
    hatch.admission = Admission(10, "you have 10 bytes left")
    assert ask(web, b"a" * 10)[0] == 200
    for parts, headers in (((b"a" * 11,), {}), ((b"",), {"content_length": "11"})):
        status, _, body = ask(web, *parts, **headers)
        assert (status, body) == (413, b"refused: you have 10 bytes left")
    hatch.admission = Admission(MOST + 10, "more than any upload may have")
    assert b"larger than" in ask(web, content_length=str(MOST + 1))[2]


def test_body_that_is_not_wanted_is_read_and_thrown_away(web: WebApp, hatch: Hatch) -> None:
    hatch.admission = Admission(is_kept=False)
    assert ask(web, b"a" * PIECE_BYTES, b"b")[2] == b"nothing from "


@pytest.mark.parametrize("parts", [(), (b"a",), (b"a" * PIECE_BYTES,), (b"a" * PIECE_BYTES, b"b" * 10)])
def test_small_body_may_stay_in_memory(web: WebApp, hatch: Hatch, parts: tuple[bytes, ...]) -> None:
    hatch.admission = Admission(in_memory=PIECE_BYTES + 10)
    places = [web.uploads.file() for _ in range(2)]
    with places[0], places[1]:  # so it takes none of the places for large ones
        assert ask(web, *parts)[2] == b"nothing from "
    assert hatch.taken[0].body == b"".join(parts)


@pytest.mark.parametrize("parts", [(b"a" * PIECE_BYTES, b"b" * 11), (b"a" * 2 * PIECE_BYTES, b"b", b"c")])
def test_body_that_is_not_small_after_all_goes_to_a_file(web: WebApp, hatch: Hatch, parts: tuple[bytes, ...]) -> None:
    hatch.admission = Admission(in_memory=PIECE_BYTES + 10)
    assert ask(web, *parts)[2] == f"{len(b''.join(parts))} from ".encode()


@pytest.mark.parametrize("length", ["-1", "x", "1, 1"])
def test_length_that_is_no_number_is_a_bad_request(web: WebApp, length: str) -> None:
    assert ask(web, b"a", content_length=length)[0] == 400


def test_challenge_comes_after_the_body_and_leaves_the_connection_open(
    web: WebApp, hatch: Hatch, datastore: Any, ports: Any
) -> None:
    Logins(datastore, ports, cheap_passwords()).add("ada", "s3cret", caller=SYSTEM)
    client = Sender(web, b"a" * PIECE_BYTES, b"b")
    status, headers, body = asyncio.run(client.ask())
    assert (status, headers["www-authenticate"], body) == (401, "Basic", b"who are you?")
    assert (client.unread_at_answer, "connection" in headers) == (0, False)
    assert ask(web, b"hello", **ADA)[2] == b"5 from ada"
    assert len(hatch.taken) == 1


def test_who_waits_to_be_asked_is_answered_before_the_body(
    web: WebApp, hatch: Hatch, datastore: Any, ports: Any
) -> None:
    Logins(datastore, ports, cheap_passwords()).add("ada", "s3cret", caller=SYSTEM)
    client = Sender(web, b"", goes=True, **EXPECTING)
    status, headers, _ = asyncio.run(client.ask())
    assert (status, client.unread_at_answer, headers["connection"]) == (401, 1, "close")
    assert ask(web, b"hello", **EXPECTING, **ADA)[0] == 200
    hatch.admission = Response(403, b"no", "text/plain")
    client = Sender(web, b"", goes=True, **EXPECTING, **ADA)
    assert asyncio.run(client.ask())[0] == 403
    assert client.unread_at_answer == 1


def test_pages_of_other_sites_upload_nothing(web: WebApp, hatch: Hatch) -> None:
    assert ask(web, b"hello", origin="http://evil.example")[0] == 403
    assert hatch.taken == []


@pytest.mark.parametrize("parts", [(b"",), (b"a",), (b"a" * PIECE_BYTES,)])
def test_client_that_goes_leaves_nothing(
    web: WebApp, hatch: Hatch, parts: tuple[bytes, ...], open_files: Callable[[], int], folder: Path
) -> None:
    for _ in range(3):  # more than there may be at once
        assert ask(web, *parts, goes=True)[0] == 0
    assert (hatch.taken, open_files(), list(folder.iterdir())) == ([], 0, [])
    assert ask(web, b"a")[0] == 200


def test_client_that_is_too_slow_is_refused(web: WebApp, monkeypatch: Any, open_files: Callable[[], int]) -> None:
    monkeypatch.setattr(uploads, "LINGER_SILENCE_S", 0.01)
    assert ask(web, b"a", hangs=True)[0] == 408
    assert open_files() == 0


@pytest.mark.parametrize("in_memory", [0, 500])
def test_large_body_may_take_longer_than_a_message(web: WebApp, hatch: Hatch, monkeypatch: Any, in_memory: int) -> None:
    hatch.admission = Admission(in_memory=in_memory)
    monkeypatch.setattr(uploads, "PIECE_BYTES", 1000)
    monkeypatch.setattr(uploads, "LINGER_SILENCE_S", 0.01)
    monkeypatch.setattr(uploads, "LOWEST_RATE", 1000)

    async def main() -> int:
        client = Sender(web, *[b"a" * 1000] * 4)  # each buys a second
        receive = client.receive
        loop = asyncio.get_running_loop()
        now, passed = loop.time, [0.0]
        monkeypatch.setattr(loop, "time", lambda: now() + sum(passed))

        async def slowly() -> MutableMapping[str, Any]:
            passed.append(0.15)  # by the loop's clock alone: a busy machine makes no difference
            for _ in range(3):  # what is due by that clock comes first
                await asyncio.sleep(0)
            return await receive()

        client.receive = slowly  # type: ignore[method-assign]
        return (await client.ask())[0]

    assert asyncio.run(main()) == 200


def test_body_that_waits_in_memory_may_take_no_longer_than_a_message(
    web: WebApp, hatch: Hatch, monkeypatch: Any
) -> None:
    monkeypatch.setattr(uploads, "LINGER_SILENCE_S", 0.0)
    monkeypatch.setattr(uploads, "LOWEST_RATE", 1)  # a byte buys a second of those that are stored
    hatch.admission = Admission(in_memory=PIECE_BYTES)

    async def drip() -> MutableMapping[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"a", "more_body": True}

    async def main() -> tuple[int, dict[str, str], bytes]:
        client = Sender(web)
        client.receive = drip  # type: ignore[method-assign]
        return await client.ask()

    assert asyncio.run(asyncio.wait_for(main(), 20))[0] == 408
    assert hatch.taken == []


def test_what_came_fast_buys_no_silence(web: WebApp, monkeypatch: Any, open_files: Callable[[], int]) -> None:
    """A client that sends a lot and then nothing is waited for no longer than one that sends nothing at all."""
    monkeypatch.setattr(uploads, "LINGER_SILENCE_S", 0.01)
    waits: list[float] = []

    async def next_part(receive: Any, left_s: float) -> MutableMapping[str, Any]:
        waits.append(left_s)
        if len(waits) >= 3:
            raise uploads.Refused(408, "silent")
        return {"body": b"a" * PIECE_BYTES, "more_body": True}

    monkeypatch.setattr(uploads, "next_part", next_part)
    assert ask(web)[0] == 408
    assert max(waits[:3]) <= 0.3
    assert open_files() == 0


@pytest.mark.parametrize("part", [b"", b"a"])
def test_stranger_is_heard_for_no_longer_than_a_message_may_take(
    web: WebApp, hatch: Hatch, monkeypatch: Any, part: bytes
) -> None:
    monkeypatch.setattr(uploads, "LINGER_SILENCE_S", 0.0)
    monkeypatch.setattr(uploads, "LOWEST_RATE", 1)  # a byte buys a second of those who are let in
    hatch.admission = Response(401, b"who are you?", "text/plain")

    async def main() -> tuple[int, dict[str, str], bytes]:
        client = Sender(web, b"a", hangs=True)
        client.receive = drip if part else client.receive  # type: ignore[method-assign]
        return await client.ask()

    async def drip() -> MutableMapping[str, Any]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": part, "more_body": True}

    status, headers, body = asyncio.run(asyncio.wait_for(main(), 20))
    assert (status, headers["connection"], body) == (401, "close", b"who are you?")


def test_so_many_clients_are_listened_to_after_their_answer(web: WebApp, monkeypatch: Any) -> None:
    monkeypatch.setattr(uploads, "MOST_LINGERING", 2)

    async def main() -> None:
        clients = [Sender(web, hangs=True, content_length=str(MOST + 1)) for _ in range(2)]
        lingering = [asyncio.create_task(client.ask()) for client in clients]
        while not all(len(client.sent) == 2 and not client.waiting for client in clients):
            await asyncio.sleep(0.001)
        other = Sender(web, b"a", hangs=True, content_length=str(MOST + 1))
        status, headers, _ = await other.ask()
        assert (status, headers["connection"], other.waiting) == (413, "close", [b"a"]), "closed at once"
        assert not any(one.done() for one in lingering)
        for one in lingering:
            one.cancel()
        await asyncio.gather(*lingering, return_exceptions=True)
        another = Sender(web, b"a", content_length=str(MOST + 1))
        assert (await another.ask())[0] == 413
        assert another.waiting == []

    asyncio.run(main())


def test_rights_are_those_at_the_end_of_the_body(web: WebApp, hatch: Hatch, datastore: Any, ports: Any) -> None:
    logins = Logins(datastore, ports, cheap_passwords())
    for name in ("ada", "root"):
        logins.add(name, "s3cret", caller=SYSTEM)
    client = Sender(web, b"a" * PIECE_BYTES, b"b", **ADA)
    receive = client.receive

    async def late() -> MutableMapping[str, Any]:
        if len(client.waiting) == 1:
            logins.disable("ada", caller=SYSTEM)
        return await receive()

    client.receive = late  # type: ignore[method-assign]
    assert asyncio.run(client.ask())[0] == 401
    assert hatch.taken == []


def test_so_many_at_once_and_others_need_not_wait(web: WebApp, hatch: Hatch) -> None:
    hatch.gate = threading.Event()

    async def main() -> None:
        storing = [asyncio.create_task(Sender(web, b"a").ask()) for _ in range(2)]
        while len(hatch.taken) < 2:
            await asyncio.sleep(0.001)
        status, headers, body = await Sender(web, b"a").ask()
        assert (status, headers["retry-after"], body) == (503, "5", b"refused: too many uploads are under way")
        assert (await Sender(web, b"").ask("/hatch/other"))[0] == 200
        hatch.gate.set()  # type: ignore[union-attr]
        assert [(await one)[0] for one in storing] == [200, 200]
        assert (await Sender(web, b"a").ask())[0] == 200

    asyncio.run(main())


@pytest.mark.parametrize("trouble", ["no folder", "full disk"])
def test_without_room_the_client_may_come_again(web: WebApp, folder: Path, monkeypatch: Any, trouble: str) -> None:
    if trouble == "no folder":
        folder.rmdir()
    else:
        full = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115 - the upload closes it
        monkeypatch.setattr(uploads.tempfile, "TemporaryFile", lambda **_: full)
    status, headers, body = ask(web, b"a" * PIECE_BYTES, b"b")
    assert (status, headers["retry-after"], body) == (503, "5", b"refused: there is no room for the upload")


def test_defect_is_answered_with_the_request_id_and_nothing_else(web: WebApp) -> None:
    status, _, body = ask(web, b"a", path="/hatch/up/defect")
    assert (status, body) == (500, f"refused: unexpected error {UUID(int=7)}".encode())


def test_server_that_ends_does_not_wait_for_an_upload(web: WebApp, hatch: Hatch) -> None:
    hatch.gate = threading.Event()

    async def main() -> None:
        storing = asyncio.create_task(Sender(web, b"a").ask())
        while not hatch.taken:
            await asyncio.sleep(0.001)
        web.close()
        await asyncio.sleep(0)
        assert not storing.done(), "it is still being stored, and nobody has waited for it"
        storing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await storing

    try:
        asyncio.run(main())
        assert not hatch.gate.is_set()
    finally:
        hatch.gate.set()


def test_wsgi_takes_uploads_alike(web: WebApp, hatch: Hatch, folder: Path) -> None:
    client = Client(wsgi_application(web))
    assert client.post("/hatch/up", data=b"a" * (PIECE_BYTES + 1)).data == f"{PIECE_BYTES + 1} from ".encode()
    assert client.post("/hatch/up", data=b"a" * (MOST + 1)).status_code == 413
    hatch.admission = Admission(2, "you have 2 bytes left")
    answer = client.post("/hatch/up", data=b"abc")
    assert (answer.status_code, answer.data) == (413, b"refused: you have 2 bytes left")
    hatch.admission = Response(403, b"no", "text/plain")
    assert client.post("/hatch/up", data=b"abc").status_code == 403
    hatch.admission = Admission(is_kept=False)
    assert client.post("/hatch/up", data=b"abc").data == b"nothing from "
    folder.rmdir()
    hatch.admission = Admission()
    assert client.post("/hatch/up", data=b"abc").status_code == 503


def test_wsgi_counts_uploads_with_all_others(web: WebApp, hatch: Hatch) -> None:
    client = Client(wsgi_application(web))
    with web.uploads.file(), web.uploads.file():
        answer = client.post("/hatch/up", data=b"abc")
        assert (answer.status_code, answer.data) == (503, b"refused: too many uploads are under way")
        assert ask(web, b"a")[0] == 503
    assert client.post("/hatch/up", data=b"abc").status_code == 200
