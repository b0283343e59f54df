"""Golden messages: how the files of requests and answers are read, and how answers are compared with them."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote

from lxml import etree

from dispatcher.core.permissions import Caller, Right, everything
from dispatcher.wire.http import Request, Response

#: Whom the golden requests come from.
API = Caller("api", everything(Right.MODIFY))
#: Ids that the datastore hands out: only that there is one is golden.
GENERATED = re.compile(rb"019A0000-0000-7000-8000-[0-9A-F]{12}")
STYLE = re.compile(rb"\s*<style>.*?</style>", re.DOTALL)


def cases(folder: Path) -> list[str]:
    """Return the names of the cases in *folder*."""
    return sorted(path.name.removesuffix(".request") for path in folder.glob("*.request"))


def read_request(path: Path) -> Request:
    head, _, body = path.read_bytes().partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    method, target = first.split(" ")
    path_text, _, query = target.partition("?")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    host = headers.pop("host", "dispatcher.example")
    return Request(method, unquote(path_text), query, headers, body, host=host, caller=API, new_id=lambda: "request-1")


def written(response: Response) -> bytes:
    head = [f"{response.status} {HTTPStatus(response.status).phrase}", f"Content-Type: {response.content_type}"]
    head += [f"{name}: {value}" for name, value in response.headers]
    body = GENERATED.sub(b"019A0000-0000-7000-8000-000000000000", response.body)
    return "\n".join(head).encode() + b"\n\n" + STYLE.sub(b"", body)


def canonical(message: bytes) -> bytes:
    head, _, body = message.partition(b"\n\n")
    is_xml = any(media in head for media in (b"/xml", b"/soap+xml"))
    return head + b"\n\n" + (etree.tostring(etree.fromstring(body), method="c14n") if is_xml else body)
