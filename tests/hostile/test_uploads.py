"""Uploads that mean harm: lengths that lie, chunks without end, names that lead elsewhere; nothing is left of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cheap_passwords import cheap_passwords
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from upload_server import Listener, listening

from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.folders import Folder
from dispatcher.datastore.models import Base
from dispatcher.datastore.resources import Resource
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.web import uploads
from dispatcher.web.uploads import UploadLimits

MOST = 2 << 20
NAME = b"Filename: tool.exe\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "uploads").mkdir()
    return tmp_path / "uploads"


@pytest.fixture
def listener(hall: Hall, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    monkeypatch.setattr(uploads, "LINGER_SILENCE_S", 0.2)
    with listening(hall, folder, UploadLimits(MOST, 2)) as found:
        yield found


@pytest.fixture
def rows(datastore: Any) -> Callable[[], dict[str, int]]:
    def rows() -> dict[str, int]:
        with datastore.read() as session:
            tables = [Base.metadata.tables[name] for name in ("resource", "content", "content_chunk", "folder")]
            return {table.name: session.scalar(select(func.count()).select_from(table)) for table in tables}

    return rows


def status(answer: bytes) -> int:
    (found, *_) = re.findall(rb"HTTP/1\.1 ([2-5]\d\d)", answer) or [b"0"]
    return int(found)


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


BODIES: dict[str, tuple[int, list[bytes]]] = {
    "longer than it says": (400, [NAME + b"Content-Length: 3\r\n\r\n", b"abcdef garbage\r\n\r\n"]),
    "shorter than it says": (0, [NAME + b"Content-Length: 100\r\n\r\n", b"abc"]),
    "larger than allowed, it says": (413, [NAME + b"Content-Length: %d\r\n\r\n" % (MOST + 1), b"a" * 100]),
    "larger than any number": (400, [NAME + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n", b"a"]),
    "two lengths": (400, [NAME + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n", b"abcd"]),
    "length and chunks": (
        400,
        [NAME + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n"],
    ),
    "chunks larger than allowed": (413, [NAME + b"Transfer-Encoding: chunked\r\n\r\n", *[chunked(b"a" * 65536)] * 40]),
    "chunk larger than it says": (400, [NAME + b"Transfer-Encoding: chunked\r\n\r\n", b"2\r\nabcdef\r\n0\r\n\r\n"]),
    "size of a chunk that is no number": (
        400,
        [NAME + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\nab\r\n0\r\n\r\n"],
    ),
    "chunk without end": (0, [NAME + b"Transfer-Encoding: chunked\r\n\r\n", b"ffffff\r\nabc"]),
    "extension without end": (0, [NAME + b"Transfer-Encoding: chunked\r\n\r\n", b"2;" + b"x" * 40_000]),
    "encoding that is none": (400, [NAME + b"Transfer-Encoding: gzip\r\n\r\n", b"abc"]),
    "no name": (400, [b"Content-Length: 3\r\n\r\n", b"abc"]),
    "nothing": (400, [NAME + b"Content-Length: 0\r\n\r\n"]),
    "nothing in chunks": (400, [NAME + b"Transfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n"]),
    "head too long": (431, [b"Filename: " + b"x" * 20_000 + b"\r\n\r\n"]),
}


#: After these the server would wait for more.
HANGING = ("shorter than it says", "chunk without end")


@pytest.mark.parametrize("name", BODIES)
def test_broken_upload_leaves_nothing(
    listener: Listener, name: str, rows: Callable[[], dict[str, int]], folder: Path
) -> None:
    expected, pieces = BODIES[name]
    nothing = rows()
    try:
        answered = listener.talk(*pieces, hangs_up=name in HANGING)
    except (BrokenPipeError, ConnectionResetError):
        answered = b""
    if name == "longer than it says":  # what it says is a message; the rest is none
        assert status(answered) in (200, 400)
        return
    assert status(answered) == expected
    assert rows() == nothing
    assert list(folder.iterdir()) == []
    assert listener.logged == []
    assert requests.post(listener.url, b"well", headers={"Filename": "well"}, timeout=20).status_code == 200


def test_thousands_of_tiny_chunks_are_a_message_like_any_other(listener: Listener, hall: Hall) -> None:
    tiny = [chunked(*[b"a"] * 1000)] * 50
    answered = listener.talk(NAME + b"Transfer-Encoding: chunked\r\n\r\n", *tiny, b"0\r\n\r\n")
    assert status(answered) == 200
    assert hall.resources.find("tool.exe").size == 50_000


@pytest.mark.parametrize("name", ["..\\..\\x.exe", "/etc/passwd", "..%2F..%2Fx", "=?utf-8?B?Li4vLi4veA==?=", "C:\\x"])
def test_name_leads_nowhere(listener: Listener, name: str, datastore: Any, folder: Path) -> None:
    answer = requests.post(listener.url, b"x", headers={"Filename": name, "Folder": "Tools"}, timeout=20)
    assert answer.status_code == 200
    with datastore.read() as session:
        (stored,) = session.scalars(select(Resource)).all()
        assert [one.path for one in session.scalars(select(Folder))] == ["Tools"]
    assert stored.file_name == stored.name
    assert stored.file_name in ("x.exe", "passwd", "x")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("text", [b"tool%0d%0aX-Evil: 1", b"tool%00", b"\x01tool", b"..", b"a/..", b"%2e%2e"])
@pytest.mark.parametrize("header", [b"Filename", b"Folder"])
def test_header_that_would_break_out_is_refused(
    listener: Listener, text: bytes, header: bytes, rows: Callable[[], dict[str, int]]
) -> None:
    names = header + b": " + text + b"\r\n" + (NAME if header != b"Filename" else b"")
    answered = listener.talk(names + b"Content-Length: 1\r\n\r\n", b"x")
    assert status(answered) == 400
    assert b"X-Evil: 1\r\n" not in answered
    assert rows()["resource"] == 0


def test_message_in_an_error_is_no_markup(listener: Listener) -> None:
    answer = requests.post(listener.url, b"x", headers={"Overwrite": "<script>alert(1)</script>"}, timeout=20)
    assert answer.status_code == 400
    assert "<script>" not in answer.text


def test_stranger_stores_nothing_and_may_come_again_on_the_same_connection(
    listener: Listener, datastore: Any, ports: Any, rows: Callable[[], dict[str, int]], folder: Path
) -> None:
    Logins(datastore, ports, cheap_passwords()).add("api", "s3cret", roles=["Full Access"], caller=SYSTEM)
    with requests.Session() as session:
        headers = {"Filename": "tool.exe"}
        assert session.post(listener.url, b"x" * MOST, headers=headers, timeout=20).status_code == 401
        assert session.post(listener.url, iter([b"x"] * 100), headers=headers, timeout=20).status_code == 401
        assert (rows()["content"], list(folder.iterdir())) == (0, [])
        answer = session.post(listener.url, b"x" * MOST, headers=headers, auth=("api", "s3cret"), timeout=20)
        assert answer.status_code == 200
    with listener.connect() as connection:
        head = b"POST /Dispatcher/ResourceService/UploadResource HTTP/1.1\r\nHost: localhost\r\n" + NAME
        connection.sendall(head + b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n")
        answered = connection.recv(65536)
        assert status(answered) == 401
        assert b"100 Continue" not in answered
        assert b"connection: close" in answered


def test_client_that_is_welcome_is_asked_for_its_body(listener: Listener, hall: Hall) -> None:
    with listener.connect() as connection:
        head = b"POST /Dispatcher/ResourceService/UploadResource HTTP/1.1\r\nHost: localhost\r\n" + NAME
        connection.sendall(head + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert status(connection.recv(65536)) == 200
    assert hall.resources.find("tool.exe").size == 3


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tail=st.binary(max_size=300), chunks=st.booleans())
def test_any_bytes(listener: Listener, tail: bytes, chunks: bool) -> None:
    kind = b"Transfer-Encoding: chunked" if chunks else b"Content-Length: 100"
    answered = listener.talk(b"Filename: any\r\nOverwrite: true\r\n" + kind + b"\r\n\r\n", tail, hangs_up=True)
    assert status(answered) in (0, 200, 400, 431)
    assert listener.logged == []
