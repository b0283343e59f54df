"""Strangers: without the right credentials nobody is told or changes anything, however often and wherever they try."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from cheap_passwords import cheap_passwords
from hostile_server import Loop, applications
from hostile_world import BASE, EVERY_ADDRESS, JOB_XML, LIBRARY, OPERATIONS, path_of, rows

from dispatcher import logs
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.web.app import Limits

#: Method, path and Content-Type of every address, and a message that is right there.
REQUESTS: dict[str, tuple[str, str, str, str]] = {
    **{
        one.name: (one.method, BASE + one.path, one.content_type, "{}" if one.is_json else one.wrap(JOB_XML))
        for one in EVERY_ADDRESS
    },
    **{
        f"{name} by address": (one.route.verb, BASE + path_of(one), "application/xml", "")
        for name, one in OPERATIONS.items()
    },
    "help": ("GET", f"{BASE}/help", "", ""),
    "upload": ("POST", "/Dispatcher/ResourceService/UploadResource", "application/octet-stream", "x"),
    "delete a resource": ("POST", "/Dispatcher/ResourceService/DeleteResource", "", ""),
}


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


RIGHT = basic("api", "s3cret")
NO_CREDENTIALS = ("", "Basic", "Basic !", "Basic " + base64.b64encode(b"api").decode(), "Bearer x", "Negotiate YII=")
WRONG = (basic("api", ""), basic("api", "S3CRET"), basic("' OR 1=1 --", "x"), basic("api\0", "s3cret"), basic("", ""))


@pytest.fixture
def loop(hall: Hall, clock: Any, datastore: Any, ports: Any, load_library: Callable[[str], None]) -> Iterator[Loop]:
    load_library(LIBRARY)
    Logins(datastore, ports, cheap_passwords()).add("api", "s3cret", caller=SYSTEM)
    opened = Loop(applications(hall, clock, Limits()))
    yield opened
    opened.close()


@pytest.fixture
def stored(datastore: Any) -> Callable[[], dict[str, int]]:
    return partial(rows, datastore)


def ask(loop: Loop, name: str, authorization: str) -> tuple[int, dict[str, str], bytes]:
    method, path, content_type, body = REQUESTS[name]
    headers = [("Host", "localhost"), ("Content-Type", content_type), ("Filename", "tool.exe")]
    if authorization:
        headers.append(("Authorization", authorization))
    return loop.ask("web", method, path, headers, body.encode())


def test_nobody_is_let_in_without_credentials(loop: Loop, stored: Callable[[], dict[str, int]]) -> None:
    before = stored()
    for name in REQUESTS:
        for authorization in NO_CREDENTIALS:
            status, headers, body = ask(loop, name, authorization)
            assert (status, body) == (401, b""), (name, authorization)
            assert headers["www-authenticate"].startswith("Basic realm=")
    assert stored() == before


def test_wrong_credentials_open_no_address(loop: Loop, stored: Callable[[], dict[str, int]], clock: Any) -> None:
    before = stored()
    for number, name in enumerate(REQUESTS):
        status, _, body = ask(loop, name, basic(f"api{number % 50}", "guess"))
        assert (status, body) == (401, b""), name
    for authorization in WRONG:
        assert ask(loop, "upload", authorization)[0] == 401
    assert stored() == before


def test_guesses_at_all_addresses_count_together(loop: Loop, stored: Callable[[], dict[str, int]]) -> None:
    before = stored()
    names = [*REQUESTS]
    for guess in range(10):
        assert ask(loop, names[guess * len(names) // 10], basic("api", str(guess)))[0] == 401
    for name in names:
        # By now even the right ones are refused, and nothing tells them from the wrong ones.
        assert ask(loop, name, RIGHT) == ask(loop, name, basic("api", "wrong")), name
        assert ask(loop, name, RIGHT)[0] == 401
    assert stored() == before


def test_right_credentials_are_let_in(loop: Loop) -> None:
    for name in ("GetModules by address", "help", "upload"):
        assert ask(loop, name, RIGHT)[0] == 200


@pytest.mark.parametrize("form", ["json", "console"])
def test_nothing_that_strangers_say_makes_a_line_of_the_log(loop: Loop, form: Any) -> None:
    stream = io.StringIO()
    logs.configure("debug", form, stream)
    evil = 'api\n{"event": "login.added", "by": "root"}\r\n\x1b[2J\N{LINE SEPARATOR}forged \N{RIGHT-TO-LEFT OVERRIDE}'
    for guess in range(11):
        ask(loop, "GetModules by address", basic(evil, str(guess)))
    ask(loop, "upload", "Basic \n forged")
    loop.ask("web", "POST", f"{BASE}/jobs%0Aforged", [("X", "y\r\nforged")], b"forged\n")

    written = stream.getvalue()
    assert "security.locked_out" in written
    for line in written.splitlines():
        assert not line.startswith(("forged", '{"event": "login.added"'))
        assert line.isprintable()
        if form == "json":
            assert json.loads(line)["event"]
