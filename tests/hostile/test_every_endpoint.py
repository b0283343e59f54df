"""Every endpoint: each attack at each operation of the SchedulingService, over SOAP and REST, and nothing is left.

The richer sets of attacks are in the other modules, at a few addresses; here is what no operation may be forgotten for.
"""

from __future__ import annotations

import gzip
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hostile_world import BASE, EVERY_ADDRESS, NOBODY, OPERATIONS, Address, Door, path_of
from lxml import etree

from dispatcher.core.permissions import SYSTEM
from dispatcher.wire.http import Request
from dispatcher.wire.operations import Operation

XML = [one for one in EVERY_ADDRESS if not one.is_json]
SOAP = [one for one in EVERY_ADDRESS if one.is_soap]
JSON = [one for one in EVERY_ADDRESS if one.is_json]


def at_each(addresses: list[Address]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("address", addresses, ids=lambda address: address.name)


by_rest = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


@pytest.fixture(autouse=True)
def _nothing_is_left(door: Door, stored: Callable[[], dict[str, int]]) -> Iterator[None]:
    before = stored()
    yield
    assert stored() == before


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("canary") / "canary"
    path.write_text("the canary sings")
    return path


@pytest.fixture(scope="module")
def trap() -> Iterator[socket.socket]:
    """A listener that nobody may come to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@at_each(XML)
def test_entities(door: Door, address: Address, canary: Path, trap: socket.socket) -> None:
    url = f"http://127.0.0.1:{trap.getsockname()[1]}/x"
    laughs = "<!ENTITY l0 'lol'>" + "".join(f"<!ENTITY l{n + 1} '{f'&l{n};' * 10}'>" for n in range(9))
    for subset in (
        f'<!ENTITY l9 SYSTEM "{canary.as_uri()}">',
        f'<!ENTITY l9 SYSTEM "{url}">',
        f'<!ENTITY % p SYSTEM "{url}"> %p;',
        laughs,
        f"<!ENTITY l9 '{'x' * 100_000}'>",
    ):
        message = address.wrap("<Description>&l9;</Description>", f"<!DOCTYPE x [{subset}]>")
        text = door.refuses(address, message, soapaction='""')
        assert "DOCTYPE" in text
        assert "sings" not in text
    with pytest.raises(BlockingIOError):
        trap.accept()


SHAPES = {
    "depth, at most 32": "<a>" * 100_000,
    "attributes of one element, at most 64": "<a " + " ".join(f'b{number}=""' for number in range(20_000)) + "/>",
    "characters of names, at most 16384": f"<{'a' * 100_000}/>",
    "the name of a namespace, at most 1024": f'<a xmlns="{"u" * 100_000}"/>',
    "characters of one string, at most 1048576": f"<a>{'x' * 1_100_000}</a>",
    "larger than 4194304 bytes": "x" * 4_200_000,
}


@at_each(XML)
def test_shapes(door: Door, address: Address) -> None:
    for words, content in SHAPES.items():
        assert words in door.refuses(address, address.wrap(content), soapaction='""')


# Takes more time than all other shapes together: of the addresses for SOAP, at one.
@at_each([one for one in XML if not one.is_soap or one.name.endswith("soap 1.1")])
def test_number_of_elements(door: Door, address: Address) -> None:
    assert "elements, at most 50000" in door.refuses(address, address.wrap("<a/>" * 60_000), soapaction='""')


@at_each(EVERY_ADDRESS)
def test_what_is_no_message(door: Door, address: Address) -> None:
    bodies = [b"", b" \n", b"\0", b"\xff\xfe", b"<", b"{", b"[]", b"<a>", b"%PDF-1.7", b"a=b&c=d"]
    bodies.append(gzip.compress(b"<a/>" * 100_000))
    for body in bodies:
        # What is packed is not unpacked: there is nothing to blow up.
        for headers in ({}, {"content_encoding": "gzip"}):
            assert door.refuses(address, body, soapaction='""', **headers)


@at_each(SOAP)
def test_envelopes(door: Door, address: Address) -> None:
    message = address.wrap("")
    name = address.operation
    for broken, words in {
        message.replace("</s:Body>", "</s:Body><s:Body/>"): "2 bodies",
        message.replace("<s:Body>", "<s:Body><GetJobs/>"): "2 elements",
        message.replace("s:Body>", "Body>"): "0 bodies",
        message.replace(f"<{name}>", "<Dance>").replace(f"</{name}>", "</Dance>"): "no operation Dance",
        message.replace("<s:Body>", "<?php x?><s:Body>"): "processing instructions",
        message.replace("s:Envelope", "s:Letter"): "no SOAP envelope",
        message.replace("<s:Body>", "<s:Header><a xmlns='u' s:mustUnderstand='1'/></s:Header><s:Body>"): "understood",
    }.items():
        assert words in door.refuses(address, broken, soapaction=f'"http://tempuri.org/ISchedulingService/{name}"')


@at_each(SOAP)
def test_action_cannot_choose_the_operation(door: Door, address: Address) -> None:
    asked = address.wrap("").replace(f"{address.operation}>", "GetProjects>")

    answer = door.ask(address, asked, soapaction=f'"http://tempuri.org/ISchedulingService/{address.operation}"')

    assert answer.status == 200
    assert b"<GetProjectsResponse" in answer.body


@at_each(XML)
def test_namespaces_of_any_characters(door: Door, address: Address) -> None:
    for namespace in ("urn:}", "{}", "}{", "{http://x}y", "%n%s", "\N{PILE OF POO}", "&quot;&lt;"):
        # libxml2 lets any of them pass once it has warned of a relative one further on.
        members = f'<Description xmlns="{namespace}"/><ID xmlns="{namespace}"><b/></ID><x xmlns="relative"/>'
        door.ask(address, address.wrap(members), soapaction='""')
        assert door.logged == []


JSON_SHAPES = {
    "depth, at most 32": '{"a":' * 40 + "1" + "}" * 40,
    "the JSON cannot be read": "[" * 100_000,
    "objects and arrays, at most 50000": '{"a":[' + "{}," * 50_000 + "{}]}",
    "digits of an integer, at most 4300": '{"a":' + "9" * 100_000 + "}",
    "characters of one string, at most 1048576": f'{{"a":"{"x" * 1_100_000}"}}',
    "larger than 4194304 bytes": '{"a":"' + "x" * 4_200_000 + '"}',
}


@at_each(JSON)
def test_json_shapes(door: Door, address: Address) -> None:
    for words, body in JSON_SHAPES.items():
        assert words in door.refuses(address, body)


@at_each(JSON)
def test_of_equal_names_the_last_wins(door: Door, address: Address) -> None:
    # The wrong ones alone would be refused for their shape, at whatever of these the type has.
    members = ("Description", "AgentID", "TeamID", "Name")
    wrong = ",".join(f'"{name}":{{}}' for name in members) + ',"Type":"Bomb"'
    right = ",".join(f'"{name}":"x"' for name in members) + ',"Type":2'
    refusal = re.compile("a text is expected|is none of")

    assert refusal.search(door.refuses(address, f"{{{right},{wrong}}}"))
    assert not refusal.search(door.refuses(address, f"{{{wrong},{right}}}"))


VALUES = (
    "'; DROP TABLE job; --",
    "' OR 1=1 --",
    "../../../etc/passwd",
    "..\\..\\x",
    "%00",
    "\x00",
    "\r\nSet-Cookie: evil=1",
    "<script>alert(1)</script>",
    "${jndi:ldap://127.0.0.1/x}",
    "{" * 1_000,
    "9" * 5_000,
    "-1",
    "9223372036854775808",
    "1e400",
    "NaN",
    "0x10",
    "\N{ARABIC-INDIC DIGIT ONE}",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
    "\ud800",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
    "/Date(99999999999999999)/",
    NOBODY + "\x00",
)


def _asked(door: Door, operation: Operation, path: str, query: str, body: bytes = b"") -> None:
    headers = {"content-type": "application/xml"}
    answer = door.binding(Request(operation.route.verb, BASE + path, query, headers, body, caller=SYSTEM))
    assert door.logged == [], (path, query)
    assert answer.status in (200, 400, 403, 404, 405, 409), (path, query)
    assert b"<script" not in answer.body
    assert all("\n" not in value and "\r" not in value for _, value in answer.headers)
    if answer.status != 200:
        etree.fromstring(answer.body)


@by_rest
def test_values_in_addresses(door: Door, operation: Operation) -> None:
    path, names = path_of(operation), operation.route.template.partition("?")[2]
    for value in VALUES:
        for variable in (NOBODY, "module"):
            if variable in path:
                _asked(door, operation, path.replace(variable, value), "")
        for pair in filter(None, names.split("&")):
            name = pair.partition("=")[0]
            _asked(door, operation, path, f"{name}={quote(value, errors='surrogatepass')}")
            _asked(door, operation, path, f"{name}={name}&{name.upper()}={quote(value, errors='surrogatepass')}")


@by_rest
def test_path_that_leads_elsewhere_is_no_address(door: Door, operation: Operation) -> None:
    for evil in ("/../../etc/passwd", "/..", "//", "/./", "/%2e%2e/%2e%2e", "/\x00", ";a=b", "/what/../../x"):
        request = Request(operation.route.verb, BASE + path_of(operation) + evil, "", {}, b"", caller=SYSTEM)
        answer = door.binding(request)
        assert door.logged == []
        assert answer.status in (200, 400, 404, 405)
        assert b"root:" not in answer.body


@by_rest
def test_body_where_none_is_read_changes_nothing(door: Door, operation: Operation) -> None:
    if operation.route.body is not None:
        return
    plain = Request(operation.route.verb, BASE + path_of(operation), "", {}, b"", caller=SYSTEM)
    expected = door.binding(plain)
    for body in (b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>", b"[" * 100_000, b"\xff" * 1_000):
        answer = door.binding(Request(plain.method, plain.path, "", {"content-type": "text/xml"}, body, caller=SYSTEM))
        assert (answer.status, answer.body) == (expected.status, expected.body)
        assert door.logged == []
