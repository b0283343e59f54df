"""HTTP that means harm, at every address of both listeners: lengths that lie, two requests in one, no end in sight.

Also a part of it with TLS, and with the two services at ports of their own.
"""

from __future__ import annotations

import gzip
import re
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from certificates import Authority
from hostile_server import Server, Tls, serving
from hostile_world import JOB_JSON, LIBRARY, OPERATIONS, path_of, rows

from dispatcher.agents import protocol
from dispatcher.certificates import tls_context
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.web import agents, uploads
from dispatcher.web.uploads import UploadLimits

_REST = "/Dispatcher/SchedulingService"
#: Every address that takes a body, with the listener it is at.
TARGETS = {
    "soap": ("web", f"{_REST}/soap"),
    "basic": ("web", f"{_REST}/basic"),
    "base": ("web", f"{_REST}/"),
    **{
        f"{one.route.verb} {name}": ("web", _REST + path_of(one))
        for name, one in OPERATIONS.items()
        if one.route.verb != "GET"
    },
    "delete a resource": ("web", "/Dispatcher/ResourceService/DeleteResource"),
    "upload": ("web", "/Dispatcher/ResourceService/UploadResource"),
    **{name: ("agents", f"{protocol.PATH}/{name}") for name in ("enrol", "poll", "report", "resource")},
    "content": ("agents", f"{protocol.PATH}/content/{'0' * 64}"),
}
VERBS = {name: (name.split()[0] if name.split()[0] in ("PUT", "POST") else "POST") for name in TARGETS}
everywhere = pytest.mark.parametrize("name", TARGETS)
#: Says that it was reached, if it ever is.
SMUGGLED = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uploads")


@pytest.fixture(scope="module")
def patient(hostile_hall: Hall, folder: Path) -> Iterator[Server]:
    """One that waits for longer than any test does."""
    with serving(hostile_hall, _now, 60, UploadLimits(1 << 20, 4, folder)) as server:
        yield server


@pytest.fixture(scope="module")
def impatient(hostile_hall: Hall, folder: Path) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agents, "DEADLINE_S", 0.2)
        with serving(hostile_hall, _now, 0.2, UploadLimits(1 << 20, 4, folder)) as server:
            yield server


def _now() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


def head(name: str, *lines: bytes) -> bytes:
    first = f"{VERBS[name]} {TARGETS[name][1]} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return first.encode() + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def statuses(answered: bytes) -> list[int]:
    return [int(one) for one in re.findall(rb"HTTP/1\.1 ([2-5]\d\d)", answered)]


def is_refused(name: str, answered: bytes, status: int) -> bool:
    """Whether it is refused with *status*, or with a fault of SOAP 1.1, which is 500, that blames the sender."""
    if name in ("soap", "basic") and statuses(answered) == [500]:
        return b"<faultcode" in answered and b"DeserializationFailed</faultcode>" in answered
    return statuses(answered) == [status]


#: Forms by which one side takes for a body what the other takes for a request.
FORMS: dict[str, tuple[list[bytes], bytes]] = {
    "length and chunks": ([b"Content-Length: 4", b"Transfer-Encoding: chunked"], b"0\r\n\r\n"),
    "chunks and length": ([b"Transfer-Encoding: chunked", b"Content-Length: 100"], b"0\r\n\r\n"),
    "two lengths": ([b"Content-Length: 0", b"Content-Length: 47"], b""),
    "two lengths in one": ([b"Content-Length: 0, 47"], b""),
    "negative": ([b"Content-Length: -1"], b""),
    "signed": ([b"Content-Length: +0"], b""),
    "hexadecimal": ([b"Content-Length: 0x0"], b""),
    "number of digits": ([b"Content-Length: " + b"0" * 400 + b"9" * 400], b""),
    "length of nothing": ([b"Content-Length:"], b""),
    "length of others": ([b"Content-Length: \xb2"], b""),
    "blank before the colon": ([b"Transfer-Encoding : chunked"], b"0\r\n\r\n"),
    "unknown encoding": ([b"Transfer-Encoding: gzip, identity"], b"0\r\n\r\n"),
    "chunked is not last": ([b"Transfer-Encoding: chunked, identity"], b"0\r\n\r\n"),
    "x chunked": ([b"Transfer-Encoding: xchunked"], b"0\r\n\r\n"),
    "tabbed and cased": ([b"Transfer-Encoding:\tcHuNkEd", b"Content-Length: 3"], b"0\r\n\r\n"),
    "folded": ([b"Transfer-Encoding:", b" chunked", b"Content-Length: 3"], b"0\r\n\r\n"),
    "bare line feed": ([b"X: y\nTransfer-Encoding: chunked", b"Content-Length: 3"], b"0\r\n\r\n"),
    "bare carriage return": ([b"X: y\rTransfer-Encoding: chunked"], b"0\r\n\r\n"),
    "NUL": ([b"X: a\0b"], b""),
    "name with a blank": ([b"Content Length: 5"], b""),
    "size of a chunk": ([b"Transfer-Encoding: chunked"], b"-1\r\n\r\n0\r\n\r\n"),
    "huge chunk": ([b"Transfer-Encoding: chunked"], b"f" * 17 + b"\r\n\r\n0\r\n\r\n"),
    "chunk that is longer": ([b"Transfer-Encoding: chunked"], b"1\r\nab\r\n0\r\n\r\n"),
    "chunk that is no number": ([b"Transfer-Encoding: chunked"], b"0x1\r\na\r\n0\r\n\r\n"),
}


@everywhere
def test_no_second_request_in_one(
    patient: Server, name: str, stored: Callable[[], dict[str, int]], folder: Path
) -> None:
    before = stored()
    for form, (lines, body) in FORMS.items():
        answered = patient.talk(TARGETS[name][0], head(name, *lines) + body + SMUGGLED, hangs_up=True)
        assert b"live" not in answered, form
        # Refused as a whole, and nothing more is read from there.
        assert [one for one in statuses(answered) if one != 400] == [], (form, answered[:300])
        assert len(statuses(answered)) <= 1, form
    assert patient.logged == []
    assert stored() == before
    assert list(folder.iterdir()) == []


@everywhere
def test_lengths_that_lie(patient: Server, name: str, stored: Callable[[], dict[str, int]], folder: Path) -> None:
    before = stored()
    listener = TARGETS[name][0]
    for lines, body in (
        ([b"Content-Length: 1000"], b"{}"),
        ([b"Transfer-Encoding: chunked"], b"ffff\r\n{}"),
        ([b"Transfer-Encoding: chunked"], b"2\r\n{}\r\n"),
    ):
        # Nobody is left to be answered.
        assert statuses(patient.talk(listener, head(name, *lines) + body, hangs_up=True)) in ([], [400])
    too_long = patient.talk(listener, head(name, b"Content-Length: 999999999999", b"Filename: x", b"Connection: close"))
    assert is_refused(name, too_long, 413)
    assert patient.logged == []
    assert stored() == before
    assert list(folder.iterdir()) == []


@everywhere
def test_packed_body_is_not_unpacked(patient: Server, name: str, stored: Callable[[], dict[str, int]]) -> None:
    before = stored()
    bomb = gzip.compress(b"\0" * 10_000_000)
    lines = [b"Content-Encoding: gzip", b"Content-Length: %d" % len(bomb), b"Connection: close"]
    answered = patient.talk(TARGETS[name][0], head(name, *lines) + bomb)
    assert any(is_refused(name, answered, status) for status in (400, 401, 404, 415))
    assert stored() == before


@everywhere
def test_slow_head_and_slow_body_are_cut_off(
    impatient: Server, name: str, stored: Callable[[], dict[str, int]], folder: Path
) -> None:
    before = stored()
    listener = TARGETS[name][0]
    half = head(name, b"Content-Length: 100", b"Filename: x")

    assert impatient.talk(listener, half[:-2]) == b""  # returns: the server has closed the connection
    answered = impatient.talk(listener, half[:-2] + b"Connection: close\r\n\r\n{")

    assert is_refused(name, answered, 408)
    assert impatient.logged == []
    assert stored() == before
    assert list(folder.iterdir()) == []


@everywhere
def test_head_without_end(patient: Server, name: str) -> None:
    for lines in ([b"X: " + b"y" * 20_000], [b"X%d: y" % number for number in range(3_000)]):
        assert statuses(patient.talk(TARGETS[name][0], head(name, *lines)))[:1] in ([431], [])
    many = patient.talk(TARGETS[name][0], head(name, *[b"X: y"] * 110, b"Content-Length: 0"), hangs_up=True)
    assert is_refused(name, many, 431)


#: One of each kind: SOAP, REST, an upload and an agent. With TLS each of them takes a handshake.
WITH_TLS = ("soap", "POST ScheduleJob", "upload", "poll")
#: Some that are refused at once, so that nobody need hang up to be answered.
FORMS_WITH_TLS = ("length and chunks", "two lengths", "bare line feed", "NUL", "huge chunk", "chunk that is longer")
with_tls = pytest.mark.parametrize("name", WITH_TLS)


def apart(name: str) -> str:
    """Return at which listener *name* is where the services have a port each."""
    listener, path = TARGETS[name]
    return "web2" if "/ResourceService/" in path else listener


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    authority = Authority()
    shown = tls_context(*authority.issue(tmp_path_factory.mktemp("tls")))
    return Tls(shown, ssl.create_default_context(cadata=authority.pem.decode()))


@pytest.fixture
def deadline_s() -> float:
    return 20


@pytest.fixture
def tls_server(
    hall: Hall,
    tls: Tls,
    folder: Path,
    deadline_s: float,
    load_library: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Server]:
    """One with TLS everywhere, the SchedulingService at the port ``web`` and the ResourceService at ``web2``."""
    monkeypatch.setattr(agents, "DEADLINE_S", deadline_s)
    monkeypatch.setattr(uploads, "LINGER_SILENCE_S", 0.2)
    load_library(LIBRARY)
    with serving(hall, _now, deadline_s, UploadLimits(1 << 20, 4, folder), tls) as server:
        hall.settings.set("webapi.scheduling_port", str(server.ports["web"]), SYSTEM)
        hall.settings.set("webapi.resource_port", str(server.ports["web2"]), SYSTEM)
        yield server


@with_tls
def test_with_tls_no_second_request_in_one(tls_server: Server, name: str, datastore: Datastore) -> None:
    before = rows(datastore)
    for form in FORMS_WITH_TLS:
        lines, body = FORMS[form]
        answered = tls_server.talk(apart(name), head(name, *lines) + body + SMUGGLED)
        assert b"live" not in answered, form
        assert statuses(answered) == [400], (form, answered[:300])
    assert tls_server.logged == []
    assert rows(datastore) == before


@with_tls
def test_with_tls_lengths_that_lie_and_connections_that_are_cut(
    tls_server: Server, name: str, datastore: Datastore, folder: Path
) -> None:
    before = rows(datastore)
    tls_server.talk(apart(name), head(name, b"Content-Length: 1000", b"Filename: x") + b"{}", hangs_up=True)
    tls_server.talk(apart(name), head(name, b"Transfer-Encoding: chunked", b"Filename: x") + b"ff\r\n{}", hangs_up=True)
    too_long = tls_server.talk(
        apart(name), head(name, b"Content-Length: 999999999999", b"Filename: x", b"Connection: close")
    )
    assert is_refused(name, too_long, 413)
    for lines in ([b"X: " + b"y" * 20_000], [b"X%d: y" % number for number in range(3_000)]):
        assert statuses(tls_server.talk(apart(name), head(name, *lines)))[:1] in ([431], [])
    assert tls_server.logged == []
    assert rows(datastore) == before
    assert list(folder.iterdir()) == []


# As long as a handshake may take: all of them at once.
@pytest.mark.parametrize("deadline_s", [3])
def test_with_tls_slow_heads_and_slow_bodies_are_cut_off(tls_server: Server, datastore: Datastore) -> None:
    before = rows(datastore)

    def talk(name: str) -> tuple[bytes, bytes]:
        half = head(name, b"Content-Length: 100", b"Filename: x")[:-2]
        return tls_server.talk(apart(name), half), tls_server.talk(apart(name), half + b"Connection: close\r\n\r\n{")

    with ThreadPoolExecutor(len(WITH_TLS)) as pool:
        for name, (slow_head, slow_body) in zip(WITH_TLS, pool.map(talk, WITH_TLS), strict=True):
            assert slow_head == b"", name
            assert is_refused(name, slow_body, 408), (name, slow_body)
    assert tls_server.logged == []
    assert rows(datastore) == before


@pytest.mark.parametrize(("name", "body"), [("POST ScheduleJob", JOB_JSON.encode()), ("upload", b"a tool")])
@pytest.mark.parametrize("form", ["{path}", "https://localhost:{port}{path}", "{path}?port={port}"])
def test_service_is_at_its_own_port_alone_whatever_is_said(
    tls_server: Server, name: str, body: bytes, form: str, datastore: Datastore
) -> None:
    listener, port = apart(name), tls_server.ports[apart(name)]
    target = form.format(path=TARGETS[name][1], port=port)
    sent = (
        f"{VERBS[name]} {target} HTTP/1.1\r\nHost: localhost:{port}\r\nForwarded: host=localhost:{port}\r\n"
        f"X-Forwarded-Port: {port}\r\nX-Forwarded-Host: localhost:{port}\r\nContent-Type: application/json\r\n"
        f"Filename: tool.exe\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    ).encode() + body
    before = rows(datastore)

    elsewhere = tls_server.talk("web" if listener == "web2" else "web2", sent)
    assert statuses(elsewhere) == [404], elsewhere
    assert statuses(tls_server.talk("agents", sent)) == [404]
    assert rows(datastore) == before
    assert statuses(tls_server.talk(listener, sent)) == [200]
    assert rows(datastore) != before
