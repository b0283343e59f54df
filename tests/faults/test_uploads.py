"""A server that is killed in the middle of an upload leaves nothing that anybody could take for a resource."""

from __future__ import annotations

import http.client
import random
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

PATH = "/Dispatcher/ResourceService/UploadResource"
SIZE = 96 << 20
HEADERS = {"Filename": "tool.bin", "Overwrite": "true"}


def rows(datastore: str, query: str) -> list[Any]:
    with closing(sqlite3.connect(datastore.removeprefix("sqlite:///"), timeout=20)) as connection:
        return connection.execute(query).fetchall()


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def spooled(pid: int, folder: Path) -> int:
    """Return how many bytes the process has in nameless files of *folder*."""
    sizes = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if str(file.readlink()).startswith(str(folder)) and file.stat().st_nlink == 0:
                sizes.append(file.stat().st_size)
        except FileNotFoundError:
            continue
    return sum(sizes)


@pytest.mark.parametrize("moment", ["while it comes", "while it is stored"])
def test_killed_server_leaves_no_half_upload(start_server: Callable[..., Any], tmp_path: Path, moment: str) -> None:
    data = random.Random(1).randbytes(SIZE)
    uploads = tmp_path / "uploads"
    settings = {"DISPATCHER_LOCAL_AGENT__ENABLED": "false", "DISPATCHER_LIMITS__UPLOAD_DIRECTORY": str(uploads)}
    server = start_server(**settings)
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
    connection.putrequest("POST", PATH)
    for name, value in {**HEADERS, "Content-Length": str(SIZE)}.items():
        connection.putheader(name, value)
    connection.endheaders()
    if moment == "while it comes":
        connection.send(data[: SIZE // 2])
        wait_until(lambda: spooled(server.process.popen.pid, uploads) > SIZE // 4)
    else:
        connection.send(data)
        wait_until(lambda: rows(server.datastore, "SELECT count(*) FROM content_chunk")[0][0] > 2)
    server.process.kill()
    connection.close()
    assert list(uploads.iterdir()) == []
    assert rows(server.datastore, "SELECT * FROM resource") == []
    assert rows(server.datastore, "SELECT is_complete FROM content") == ([] if moment == "while it comes" else [(0,)])

    server = start_server(**settings)
    assert requests.post(server.url + PATH, data, headers=HEADERS, timeout=100).status_code == 200
    assert rows(server.datastore, "SELECT is_complete, size FROM content") == [(1, SIZE)]
    assert rows(server.datastore, "SELECT sum(length(data)) FROM content_chunk") == [(SIZE,)]


def test_client_that_vanishes_leaves_nothing(start_server: Callable[..., Any], tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    server = start_server(DISPATCHER_LOCAL_AGENT__ENABLED="false", DISPATCHER_LIMITS__UPLOAD_DIRECTORY=str(uploads))
    pid = server.process.popen.pid
    for _ in range(12):  # more than there may be at once
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=60)
        connection.putrequest("POST", PATH)
        for name, value in {**HEADERS, "Transfer-Encoding": "chunked"}.items():
            connection.putheader(name, value)
        connection.endheaders()
        connection.send(b"200000\r\n" + b"x" * (2 << 20) + b"\r\n")
        wait_until(lambda: spooled(pid, uploads) > 1 << 20)
        connection.close()
        wait_until(lambda: spooled(pid, uploads) == 0)
    assert list(uploads.iterdir()) == []
    assert rows(server.datastore, "SELECT * FROM content") == []
    assert requests.post(server.url + PATH, b"well", headers=HEADERS, timeout=60).status_code == 200
