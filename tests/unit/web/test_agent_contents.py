"""Contents for agents: whole or in part, over a real socket, for agents only."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
import requests
import uvicorn

from dispatcher.agents import identity, protocol
from dispatcher.agents.content import Cache
from dispatcher.agents.downloads import Downloads
from dispatcher.agents.gateway import Gateway
from dispatcher.agents.identity import StoredIdentity
from dispatcher.agents.premises import Premises
from dispatcher.core.permissions import SYSTEM
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall
from dispatcher.tasks.work import TaskFailed
from dispatcher.web.agents import AgentsApp, read_range
from dispatcher.web.connections import BoundedProtocol

DATA = bytes(range(256)) * 10_000


@pytest.fixture
def listener(hall: Hall, clock: Any) -> Iterator[str]:
    """The address of a listener for agents that serves the hall."""
    gateway = Gateway(hall, clock)
    config = uvicorn.Config(AgentsApp(gateway), port=0, log_level="critical", lifespan="off", http=BoundedProtocol)
    server = uvicorn.Server(config)

    async def serve() -> None:
        await gateway.start()
        await server.serve()
        gateway.release()
        await gateway.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    while not server.started:
        pass
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}{protocol.PATH}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def get(listener: str, hall: Hall) -> Callable[..., requests.Response]:
    token = hall.tokens.create_enrol_token(SYSTEM)
    agent = hall.enrolment.enrol(token, "one", None, Facts())

    def get(path: str, method: str = "GET", authorization: str = "", **options: Any) -> requests.Response:
        headers = {"Authorization": authorization or protocol.credentials(*agent), **options.pop("headers", {})}
        return requests.request(method, f"{listener}/{path}", headers=headers, timeout=10, **options)

    return get


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_whole_content(get: Any, hall: Hall, method: str) -> None:
    answer = get(f"content/{hall.resources.store(io.BytesIO(DATA))}", method)
    assert (answer.status_code, answer.content == DATA) == (200, True)
    assert answer.headers["content-length"] == str(len(DATA))


@pytest.mark.parametrize(
    ("asked", "status", "first", "stop"),
    [
        ("bytes=0-", 206, 0, len(DATA)),
        ("bytes=1500000-", 206, 1_500_000, len(DATA)),
        ("bytes=5-9", 206, 5, 10),
        ("bytes=-7", 206, len(DATA) - 7, len(DATA)),
        ("bytes=5-999999999", 206, 5, len(DATA)),
        ("bytes=0-1,5-6", 200, 0, len(DATA)),
        ("bytes=-", 200, 0, len(DATA)),
        ("lines=0-5", 200, 0, len(DATA)),
        ("bytes=" + "9" * 40 + "-", 200, 0, len(DATA)),
    ],
)
def test_part_of_a_content(get: Any, hall: Hall, asked: str, status: int, first: int, stop: int) -> None:
    answer = get(f"content/{hall.resources.store(io.BytesIO(DATA))}", headers={"Range": asked})
    assert (answer.status_code, answer.content == DATA[first:stop]) == (status, True)
    if status == 206:
        assert answer.headers["content-range"] == f"bytes {first}-{stop - 1}/{len(DATA)}"


def test_part_behind_the_end_is_refused(get: Any, hall: Hall) -> None:
    for data, asked in ((DATA, f"bytes={len(DATA)}-"), (b"", "bytes=0-"), (DATA, "bytes=-0")):
        answer = get(f"content/{hall.resources.store(io.BytesIO(data))}", headers={"Range": asked})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(data)}")


def test_nobody_else_gets_a_content_or_learns_of_one(get: Any, hall: Hall) -> None:
    digest = hall.resources.store(io.BytesIO(DATA))
    for authorization in ("Basic YTpi", "Agent x:y", protocol.credentials(UUID(int=7), "guess")):
        for path in (f"content/{digest}", "content/" + "0" * 64):
            assert get(path, authorization=authorization).status_code == 401
        assert get("resource", "POST", authorization=authorization, json={"name": "A"}).status_code == 401


@pytest.mark.parametrize("path", ["content/" + "0" * 64, "content/x", "content/", "content/%2e%2e", "content/a/b"])
def test_what_is_not_there_is_not_found(get: Any, path: str) -> None:
    assert get(path).status_code == 404


def test_resource_is_found_by_name(get: Any, load_library: Any, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tool.bin").write_bytes(DATA)
    load_library("resources: [{name: Tool, file: tool.bin}]")

    found = get("resource", "POST", json={"name": "tool"}).json()
    assert (found["size"], found["file_name"]) == (len(DATA), "tool.bin")
    answer = get("resource", "POST", json={"name": "none"})
    assert (answer.status_code, answer.json()["message"]) == (400, "resource: no resource is called 'none'")
    assert get("resource", "POST", json={"name": ""}).status_code == 400


def test_range_of_nothing() -> None:
    assert read_range("bytes=0-", 0) is None
    assert read_range("", 0) == range(0)


def test_agent_fetches_what_it_is_told_of(
    hall: Hall, listener: str, load_library: Any, tmp_path: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tool.bin").write_bytes(DATA)
    load_library("resources: [{name: Tool, file: tool.bin}]")
    agent_id, secret = hall.enrolment.enrol(hall.tokens.create_enrol_token(SYSTEM), "two", None, Facts())
    # The first dispatcher of the list is away: the next one is asked.
    urls = ["http://127.0.0.1:9", listener.removesuffix(protocol.PATH)]
    identity.save(tmp_path, StoredIdentity(agent_id=agent_id, secret=secret, name="two", dispatchers=urls))
    downloads = Downloads(tmp_path, Premises())
    cache = Cache(tmp_path / "cache", 1 << 30, downloads.find, downloads.fetch)

    found = cache.find("Tool")
    with cache.open(found.sha256) as stream:
        assert stream.read() == DATA
    assert b"".join(downloads.fetch(found.sha256, len(DATA) - 3)) == DATA[-3:]
    assert b"".join(downloads.fetch(found.sha256, len(DATA))) == b""
    with pytest.raises(TaskFailed, match="no resource is called 'Other'"):
        cache.find("Other")
    with pytest.raises(TaskFailed, match="content answered 404"):
        cache.open("0" * 64)


def test_agent_without_an_identity_fetches_nothing(tmp_path: Any) -> None:
    with pytest.raises(TaskFailed, match="has no identity"):
        Downloads(tmp_path, Premises()).find("Tool")
