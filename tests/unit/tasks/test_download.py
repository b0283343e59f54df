"""Downloads: verified, cached, resumed, and all of the file or nothing."""

from __future__ import annotations

import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from dispatcher.core.networks import RefusedByPolicy
from dispatcher.tasks.download import TYPE
from dispatcher.tasks.work import TaskFailed

DATA = b"0123456789" * 1000
LONG = DATA * 10
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def with_tool(workshop: Any) -> Any:
    workshop.library["Tool"] = SimpleNamespace(sha256=SHA256, file_name="tool.bin")
    workshop.contents[SHA256] = DATA
    return workshop


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_resource_is_placed_and_fetched_once(with_tool: Any) -> None:
    work = with_tool.work
    with_tool.do(TYPE, {"resource": "$[R]", "target": "copy", "mode": "0755"}, PARAM_R="Tool")
    with_tool.do(TYPE, {"resource": "Tool", "target": "."})
    assert names(work) == ["copy", "tool.bin"]
    assert {file.read_bytes() for file in work.iterdir()} == {DATA}
    assert (work / "copy").stat().st_mode & 0o777 == 0o755
    assert with_tool.fetched == [(SHA256, 0)]
    assert names(work.parent / "cache") == [SHA256]


@pytest.mark.parametrize("name", ["../../evil", "..\\evil", "/evil"])
def test_name_from_the_library_is_no_way_out(with_tool: Any, name: str) -> None:
    with_tool.library["Tool"].file_name = name
    with_tool.do(TYPE, {"resource": "Tool", "target": "."})
    assert names(with_tool.work) == ["evil"]


def test_wrong_bytes_never_reach_the_target(with_tool: Any) -> None:
    with_tool.contents[SHA256] = b"something else"
    (with_tool.work / "copy").write_bytes(b"old")
    with pytest.raises(TaskFailed, match=f"the content has the SHA-256 .*, not {SHA256}"):
        with_tool.do(TYPE, {"resource": "Tool", "target": "copy"})
    assert names(with_tool.work) == ["copy"]
    assert (with_tool.work / "copy").read_bytes() == b"old"


def test_pinned_resource_must_have_that_content(with_tool: Any) -> None:
    with_tool.do(TYPE, {"resource": "Tool", "sha256": SHA256.upper(), "target": "a"})
    with pytest.raises(TaskFailed, match="has another content"):
        with_tool.do(TYPE, {"resource": "Tool", "sha256": "0" * 64, "target": "b"})
    with pytest.raises(TaskFailed, match="no resource Other"):
        with_tool.do(TYPE, {"resource": "Other", "target": "b"})
    assert names(with_tool.work) == ["a"]


def test_damaged_file_in_the_cache_is_fetched_again(with_tool: Any) -> None:
    with_tool.do(TYPE, {"resource": "Tool", "target": "a"})
    (with_tool.work.parent / "cache" / SHA256).write_bytes(b"damaged")
    with_tool.do(TYPE, {"resource": "Tool", "target": "b"})
    assert (with_tool.work / "b").read_bytes() == DATA
    assert len(with_tool.fetched) == 2


@pytest.mark.parametrize(("left", "offsets"), [(DATA[:5000], [5000]), (b"x" * 5000, [5000, 0]), (DATA, [len(DATA)])])
def test_fetch_goes_on_where_it_was_cut_off(with_tool: Any, left: bytes, offsets: list[int]) -> None:
    (with_tool.work.parent / "cache").mkdir()
    (with_tool.work.parent / "cache" / f"{SHA256}.part").write_bytes(left)
    with_tool.do(TYPE, {"resource": "Tool", "target": "a"})
    assert (with_tool.work / "a").read_bytes() == DATA
    assert [offset for _, offset in with_tool.fetched] == offsets


def test_what_was_not_used_for_longest_leaves_the_cache(with_tool: Any) -> None:
    cache = with_tool.work.parent / "cache"
    digests = []
    for number in range(4):
        data = bytes([number]) * (400 << 10)
        digests.append(hashlib.sha256(data).hexdigest())
        with_tool.contents[digests[-1]] = data
        with_tool.library[str(number)] = SimpleNamespace(sha256=digests[-1], file_name="x")
    for used in ("0", "1", "0", "2"):
        with_tool.do(TYPE, {"resource": used, "target": "x"})
        os.utime(
            cache / digests[int(used)], ns=(len(with_tool.fetched), len(with_tool.fetched) + int(used == "0") * 10)
        )
    assert set(names(cache)) == {digests[0], digests[2]}
    large = b"l" * (2 << 20)
    digest = hashlib.sha256(large).hexdigest()
    with_tool.contents[digest] = large
    with_tool.library["large"] = SimpleNamespace(sha256=digest, file_name="x")
    with_tool.do(TYPE, {"resource": "large", "target": "x"})
    assert names(cache) == [digest]


def test_tasks_at_the_same_time_fetch_once(with_tool: Any) -> None:
    threads = [
        threading.Thread(target=lambda: with_tool.cache.open(SHA256).close(), name=str(number)) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert with_tool.fetched == [(SHA256, 0)]


class Unsteady(BaseHTTPRequestHandler):
    """Sends at most 40,000 bytes at a time, then hangs up."""

    knows_ranges = True
    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.headers["Range"])
        first = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-")) if self.knows_ranges else 0
        self.send_response(206 if self.knows_ranges else 200)
        self.send_header("Content-Length", str(len(LONG) - first))
        self.end_headers()
        self.wfile.write(LONG[first : first + 40_000 if self.knows_ranges or len(self.asked) == 1 else None])

    def log_message(self, *args: object) -> None: ...


def test_url_that_gives_more_than_it_may_fails(workshop: Any, web: Any) -> None:
    web.answers["/x"] = (200, {}, LONG)
    settings = {"url": f"{web.url}/x", "sha256": hashlib.sha256(LONG).hexdigest(), "target": "x"}
    with pytest.raises(TaskFailed, match=f"longer than {len(LONG) - 1} bytes"):
        workshop.do(TYPE, {**settings, "max_bytes": len(LONG) - 1})
    assert names(workshop.work) == []
    workshop.do(TYPE, {**settings, "max_bytes": len(LONG)})
    assert (workshop.work / "x").read_bytes() == LONG


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_url_is_resumed_and_cached(workshop: Any, knows_ranges: bool) -> None:
    digest = hashlib.sha256(LONG).hexdigest()
    handler = type("Handler", (Unsteady,), {"knows_ranges": knows_ranges, "asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/files/tool%20one.bin?x=1"
        workshop.do(TYPE, {"url": url, "sha256": digest, "target": "."})
        workshop.do(TYPE, {"url": url, "sha256": digest, "target": "again"})
        server.shutdown()
    assert names(workshop.work) == ["again", "tool one.bin"]
    assert {file.read_bytes() for file in workshop.work.iterdir()} == {LONG}
    assert handler.asked[:2] == ["bytes=0-", "bytes=32768-"]
    assert len(handler.asked) == (3 if knows_ranges else 2)


def test_url_must_be_allowed_and_answer(workshop: Any, web: Any) -> None:
    with pytest.raises(RefusedByPolicy):
        workshop.do(TYPE, {"url": "http://8.8.8.8/x", "sha256": SHA256, "target": "x"})
    with pytest.raises(TaskFailed, match="the answer is 404"):
        workshop.do(TYPE, {"url": web.url + "/x", "sha256": SHA256, "target": "x"})
    assert names(workshop.work) == []


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"target": "x"}, "exactly one"),
        ({"resource": "a", "url": "b", "target": "x"}, "exactly one"),
        ({"url": "http://x", "target": "x"}, "needs sha256"),
        ({"resource": "a"}, "Field required"),
        ({"resource": "a", "target": "x", "sha256": "12"}, "should match"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        TYPE.Settings.model_validate(settings)


def test_summary_and_resources() -> None:
    settings = TYPE.Settings.model_validate({"resource": "Tool", "target": "$[x]"})
    assert (TYPE.summary(settings), TYPE.resources(settings)) == ("Tool to $[x]", ["Tool"])
