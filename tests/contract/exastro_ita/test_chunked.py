"""Messages whose length nobody is told before (``Transfer-Encoding: chunked``) may be as large as any others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from exastro_client import OPERATIONS
from exastro_server import AUTHORITY, Site

LARGE = 5_600_000


@pytest.fixture
def site(real_site: Site) -> Iterator[Site]:
    yield real_site
    real_site.clean()


def in_chunks(body: bytes) -> Iterator[bytes]:
    for begin in range(0, len(body), 300_000):
        yield body[begin : begin + 300_000]


def send(site: Site, body: bytes, *, path: str = f"{OPERATIONS}/maintenance/all/", **headers: str) -> tuple[int, Any]:
    """Send *body* in chunks; return the status and the code, or the data."""
    headers = {"Content-Type": "application/json", **AUTHORITY, **headers}
    answer = requests.post(f"{site.base}/{path}", data=in_chunks(body), headers=headers, timeout=60)
    assert answer.request.headers["Transfer-Encoding"] == "chunked"
    told = answer.json()
    return answer.status_code, told.get("data") or told["result"]


def registering(name: str, size: int = 0) -> bytes:
    parameter = {"operation_name": name, "scheduled_date_for_execution": "2031/06/01 02:00"}
    return json.dumps([{"type": "Register", "parameter": parameter}]).encode().ljust(size)


@pytest.mark.parametrize("size", [0, LARGE])
def test_their_records_are_stored(site: Site, size: int) -> None:
    status, data = send(site, registering("chunked", size))
    assert (status, data["Register"]) == (200, 1)
    assert [one["parameter"]["operation_name"] for one in site.records("operation_list")] == ["chunked"]


@pytest.mark.parametrize("size", [0, LARGE])
def test_it_is_the_same_message_as_with_its_length(site: Site, size: int) -> None:
    key = {"Idempotency-Key": f"chunked {size}"}
    body = registering(f"once {size}", size)
    first = requests.post(
        f"{site.base}/{OPERATIONS}/maintenance/all/",
        data=body,
        headers={"Content-Type": "application/json", **AUTHORITY, **key},
        timeout=60,
    )
    assert send(site, body, **key) == (200, first.json()["data"])
    assert send(site, body + b" ", **key) == (409, "409-00001")


def test_who_may_not_send_them_is_told_so(site: Site) -> None:
    assert send(site, registering("x", LARGE), path="menu/none/maintenance/all/") == (499, "499-00002")
    assert send(site, registering("x"), Authorization="Basic eDp4") == (401, "401-00002")
