"""The ResourceService as clients see it: golden messages, help pages, the challenge, switched off."""

from __future__ import annotations

import hashlib
import io
import re
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from golden_messages import canonical, cases, read_request, written
from lxml import etree

from dispatcher.bindings.ivanti_automation.resource_service import ResourceDoor
from dispatcher.core.contents import Content
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right
from dispatcher.services.hall import Hall
from dispatcher.wire.http import Admission, Request, Response

BASE = "/Dispatcher/ResourceService"
GOLDEN = Path(__file__).parent / "golden"
CASES = cases(GOLDEN)
KEY = "{5CF59E5A-343C-4D85-A83C-8B18E47310AA}"
SPARE = "{5CF59E5A-343C-4D85-A83C-8B18E47310AB}"
asking = partial(Request, caller=SYSTEM, host="dispatcher.example:8080")


def send(door: ResourceDoor, request: Request) -> Response:
    """Answer *request* as the web layer has it answered: an upload is admitted, and its body in a file."""
    if door.is_upload(request):
        admitted = door.admit(request)
        if isinstance(admitted, Response):
            return admitted
        if admitted.is_kept:
            digest = hashlib.sha256(request.body).digest()
            request.content = Content(io.BytesIO(request.body), len(request.body), digest)
        request.body = b""
    return door(request)


def post(path: str, body: bytes = b"", caller: Caller = SYSTEM, **headers: str) -> Request:
    return Request("POST", f"{BASE}/{path}", "", headers, body, host="dispatcher.example:8080", caller=caller)


def get(path: str, method: str = "GET") -> Request:
    return asking(method, f"{BASE}/{path}")


@pytest.mark.parametrize("case", CASES)
def test_answer_is_the_golden_one(case: str, door: ResourceDoor, logged: list[Any]) -> None:
    answer = written(send(door, read_request(GOLDEN / f"{case}.request")))

    assert canonical(answer) == canonical((GOLDEN / f"{case}.response").read_bytes())
    assert logged == []


@pytest.mark.parametrize("case", CASES)
def test_source_names_the_contract_or_the_vendor_page(case: str) -> None:
    source = (GOLDEN / f"{case}.source.rst").read_text()

    assert "contract section" in source or "vendor page" in source


def test_xml_answer_is_the_contracts_byte_for_byte(door: ResourceDoor) -> None:
    edited = send(door, post("UploadResource", id=KEY))
    deleted = send(door, post("DeleteResource", id=SPARE))

    namespace = "http://schemas.microsoft.com/2003/10/Serialization/"
    assert edited.body.decode() == f'<string xmlns="{namespace}">{KEY}</string>'
    assert deleted.body.decode() == f'<boolean xmlns="{namespace}">true</boolean>'
    assert edited.content_type == "application/xml; charset=utf-8"


def test_help_lists_both_operations(door: ResourceDoor) -> None:
    page = door(get("help"))
    text = page.body.decode()

    assert (page.status, page.content_type) == (200, "text/html; charset=utf-8")
    assert "This page describes the service operations at this endpoint." in text
    assert re.findall(r'href="(help/operations/\w+)">(\w+)<', text) == [
        ("help/operations/DeleteResource", "POST"),
        ("help/operations/UploadResource", "POST"),
    ]
    assert "2,147,483,648 bytes" in text
    assert "wsdl" not in text.lower()
    assert "SOAP" not in text


def test_help_says_what_the_stream_and_the_headers_are(door: ResourceDoor) -> None:
    text = door(get("HELP/Operations/uploadresource")).body.decode()

    sentence = "The Request body is a byte stream. See service documentation for allowed content types."
    assert f"<tr><td>Request</td><td>Unknown</td><td>{sentence}</td></tr>" in text
    assert "<td>Filename</td>" in text
    shown = unescape(text)
    assert f'<string xmlns="http://schemas.microsoft.com/2003/10/Serialization/">{SPARE}</string>' in shown
    assert '<xs:element name="string" nillable="true" type="xs:string"/>' in shown
    deleting = door(get("help/operations/DeleteResource")).body.decode()
    assert "<tr><td>Request</td><td>N/A</td><td>The Request body is empty.</td></tr>" in deleting
    assert "<td>ResourceID</td>" in deleting
    with pytest.raises(etree.XMLSyntaxError):  # PowerShell would parse it
        etree.fromstring(text)


@pytest.mark.parametrize("name", ["UploadResource", "DeleteResource"])
@pytest.mark.parametrize("media", ["application/xml", "application/json"])
def test_every_example_on_a_help_page_is_a_valid_request(door: ResourceDoor, name: str, media: str) -> None:
    page = door(get(f"help/operations/{name}")).body.decode()
    (example,) = re.findall(r'<pre class="request-head">(.*?)</pre>', page, re.DOTALL)
    head, _, body = unescape(example).partition("\n\n")
    (verb, path, _), *headers = (line.split(maxsplit=2 if ": " not in line else 1) for line in head.splitlines())
    given = {key.lower().removesuffix(":"): value for key, value in headers}
    assert given["host"] == "dispatcher.example:8080"
    assert given["content-length"] == str(len(body.encode()))

    answer = send(door, asking(verb, path, "", given | {"accept": media}, body.encode()))

    assert (answer.status, answer.content_type) == (200, f"{media}; charset=utf-8")
    (shown,) = re.findall(rf'<pre class="response-{media[12:]}">(.*?)</pre>', page, re.DOTALL)
    guid = re.compile(r"[{][0-9A-F-]{36}[}]")
    assert guid.sub("", unescape(shown)) == guid.sub("", answer.body.decode()).replace("\\/", "/")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("help", "HEAD"), 200),
        (get("help/"), 301),
        (get("help/operations/Nothing"), 404),
        (get("help/other"), 404),
        (get(""), 404),
        (get("UploadResource", "PUT"), 405),
        (get("UploadResource", "HEAD"), 405),
        (asking("POST", BASE, "wsdl"), 404),
        (asking("GET", BASE, "wsdl"), 404),
        (post("soap"), 404),
        (post("help"), 404),
        (post("UploadResource/x"), 404),
    ],
)
def test_everything_else(door: ResourceDoor, request_: Request, status: int) -> None:
    assert not door.is_upload(request_)
    assert send(door, request_).status == status


@pytest.mark.parametrize("path", ["UploadResource", "uploadresource", "UPLOADRESOURCE/"])
def test_only_uploads_are_uploads(door: ResourceDoor, path: str) -> None:
    assert door.is_upload(post(path))
    assert not door.is_upload(post("DeleteResource"))


def test_refusals_before_the_body_comes(door: ResourceDoor, hall: Hall) -> None:
    reader = Caller("bob", {Node.RESOURCES: Right.READ})
    for headers, caller, status in (
        ({}, SYSTEM, 400),
        ({"filename": "setup.exe"}, SYSTEM, 409),
        ({"id": "{00000000-0000-0000-0000-0000000000FF}"}, SYSTEM, 404),
        ({"filename": "new.exe"}, reader, 403),
        ({"filename": "new.exe"}, Caller("", {}), 403),
    ):
        answer = door.admit(post("UploadResource", caller=caller, **headers))
        assert isinstance(answer, Response)
        assert (answer.status, b"Request Error" in answer.body) == (status, True)
    hall.settings.set("resources.login_quota_bytes", "11", SYSTEM)
    assert door.admit(post("UploadResource", filename="a")) == Admission(11, "a login may upload 11 bytes in all")
    assert door.admit(post("UploadResource", id=KEY)).is_kept is False  # type: ignore[union-attr]
    api = Caller("api", SYSTEM.rights)
    assert send(door, post("UploadResource", b"x" * 12, api, filename="new.exe")).status == 413


@pytest.mark.parametrize("encoding", ["gzip", "GZip", "identity, br", "x-unknown"])
def test_encoded_content_is_refused_and_not_stored(door: ResourceDoor, encoding: str) -> None:
    for request in (
        post("UploadResource", b"x", filename="new.exe", **{"content-encoding": encoding}),
        post("UploadResource", b"x", id=KEY, filename="setup.exe", **{"content-encoding": encoding}),
    ):
        for answer in (send(door, request), door(request)):
            assert (answer.status, b"Request Error" in answer.body) == (415, True)
            assert f"Content-Encoding: '{encoding}' is not identity" in unescape(answer.body.decode())
    assert send(door, post("UploadResource", b"x", filename="new.exe")).status == 200  # it is not there yet


@pytest.mark.parametrize("encoding", ["", "identity", " Identity "])
def test_content_that_is_as_it_is_is_stored(door: ResourceDoor, encoding: str) -> None:
    request = post("UploadResource", b"x", filename="new.exe", **{"content-encoding": encoding})
    assert send(door, request).status == 200


@pytest.mark.parametrize("path", ["UploadResource", "DeleteResource", "help", ""])
def test_switched_off_there_is_nothing(door: ResourceDoor, hall: Hall, path: str) -> None:
    assert not door.is_public(get(path))
    hall.settings.set("webapi.state", "DISABLED", SYSTEM)
    assert door.is_public(get(path))
    assert send(door, post(path, b"x", filename="new.exe")) == Response(404)
    assert door(get(path)) == Response(404)


def test_challenge_and_links_are_the_clients(door: ResourceDoor, hall: Hall) -> None:
    answer = door.unauthenticated(get("help"))
    assert (answer.status, answer.headers) == (401, [("WWW-Authenticate", 'Basic realm="Automation"')])
    hall.settings.set("webapi.public_address", "https://jobs.example.com", SYSTEM)
    assert b"Operations at https://jobs.example.com/Dispatcher/ResourceService/" in door(get("help")).body
    assert b"https://jobs.example.com/Dispatcher/ResourceService/help" in send(door, post("UploadResource")).body


def test_defect_is_logged_and_not_told(door: ResourceDoor, logged: list[dict[str, Any]], monkeypatch: Any) -> None:
    monkeypatch.setattr(door._uploads, "delete", lambda *_: 1 / 0)
    answer = send(door, post("DeleteResource", id=SPARE))
    assert (answer.status, b"unexpected error" in answer.body, b"Zero" in answer.body) == (500, True, False)
    assert [one["event"] for one in logged] == ["wire.failed"]
