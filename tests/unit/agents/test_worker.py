"""Workers: task types that are no program obey time limits and aborts, mask secrets, and say how they ended."""

from __future__ import annotations

import hashlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dispatcher.agents import premises, worker, worker_order
from dispatcher.agents.protocol import Value
from dispatcher.core.accounts import Account
from dispatcher.core.inputs import Input
from dispatcher.core.parameters import ParameterType
from dispatcher.tasks import outputs
from dispatcher.tasks.ssh_fetch import TYPE as FETCH

DATA = b"#!/bin/sh\n" * 20_000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def gateway(shared_gateway: Any) -> Any:
    return shared_gateway


@pytest.fixture
def agent(shared_agent: Any) -> Any:
    return shared_agent


def task(kind: str, settings: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": kind, "settings": settings, **more}


def ends(gateway: Any, order: Any) -> list[tuple[str, int | None, str]]:
    gateway.finished(order.run_id)
    events = gateway.of(order.run_id, "task_finished")
    return [(event.state, event.exit_code, event.message) for event in events]


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_nothing_of_an_order_is_on_the_disk_while_it_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    premises.save(tmp_path, premises.Premises(dispatchers=["http://127.0.0.1"]))
    account = Account("me", "hush-hush")
    settings = FETCH.Settings.model_validate({"command": "show"})
    inputs = [Input("a", "hush-hush", is_secret=True), Input("b", [1, {"c": None}])]
    process = worker_order.prepare("ssh_fetch", settings, tmp_path, tmp_path, tmp_path / "work", account, inputs)
    seen: list[bool] = []

    def on_disk() -> bool:
        return any(b"hush-hush" in file.read_bytes() for file in tmp_path.iterdir() if file.is_file())

    def do(_settings: Any, tools: Any) -> str:
        seen.append(tools.account == account and tools.inputs == inputs and not on_disk())
        return ""

    monkeypatch.setattr(type(FETCH), "do", lambda _self, settings, tools: do(settings, tools))
    monkeypatch.setenv(outputs.VARIABLE, str(tmp_path / "outputs"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert on_disk()
    assert worker.main([process.command_line[-1]]) == 0
    assert seen == [True]


@pytest.fixture
def web() -> Iterator[str]:
    """A web server that says what it was sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = f"{self.path} {self.headers['X-Key']}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_each_kind_says_how_it_ended(gateway: Any, agent: Any, an_order: Any, web: str) -> None:
    order = an_order(
        task("http_request", {"url": web + "/a", "save": [{"parameter": "Line", "regex": "^/(.*) "}]}),
        task("set_output", {"values": {"Text": "1\n2 $[Line]\n"}}),
        task("query", {"command": "echo $[Text]", "take": {"line": 2}, "expect": {"equals": "2 a"}}),
        task("files", {"action": "write", "target": "made", "text": "$[Line]"}),
        task("http_request", {"url": "http://8.8.8.8/"}, on_error="continue"),
        task("power", {"action": "reboot"}, on_error="continue"),
        task("query", {"file": "missing", "parameter": "Line"}, on_error="continue"),
        task("wait", {"seconds": "$[Line]"}),
        values=(Value(name="Line", value=""), Value(name="Text", value="", type=ParameterType.MULTILINE)),
    )
    gateway.order(order)
    found = ends(gateway, order)
    assert found[:4] == [
        ("completed", None, "200 OK"),
        ("completed", None, ""),
        ("completed", None, ""),
        ("completed", None, ""),
    ]
    assert [(state, code) for state, code, _ in found[4:]] == [("failed", None)] * 4
    messages = [message for _, _, message in found[4:]]
    assert messages[0] == "refused by policy: 8.8.8.8 is not among allowed_targets"
    assert messages[1].startswith("refused by policy: the agent on this computer was not started with --allow-power")
    assert "No such file" in messages[2]
    assert "settings.seconds" in messages[3]
    assert gateway.output(order.run_id, 0) == b"200 OK\n/a None"
    assert (agent.home / "work" / "made").read_text() == "a"


@pytest.mark.parametrize("kind", ["wait", "http_request", "query"])
def test_time_limit_ends_what_blocks(gateway: Any, agent: Any, an_order: Any, silent: int, kind: str) -> None:
    settings = {
        "wait": {"seconds": 300},
        "http_request": {"url": f"http://127.0.0.1:{silent}/", "timeout_s": 300},
        "query": {"command": "trap '' TERM; sleep 300", "parameter": "x"},
    }[kind]
    order = an_order(task(kind, settings, timeout_s=1))
    started = time.monotonic()
    gateway.order(order)
    assert ends(gateway, order) == [("timed_out", None, "not done after 1 s")]
    assert time.monotonic() - started < 8
    assert [slot.children(recursive=True) for slot in agent.slots() if slot.children()] == []


@pytest.mark.parametrize("kind", ["wait", "http_request"])
def test_abort_ends_what_blocks(gateway: Any, agent: Any, an_order: Any, silent: int, kind: str) -> None:
    settings = {"wait": {"file": "never"}, "http_request": {"url": f"http://127.0.0.1:{silent}/", "timeout_s": 300}}
    order = an_order(task(kind, settings[kind]))
    gateway.order(order)
    deadline = time.monotonic() + 10
    while not any(slot.children() for slot in agent.slots()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    gateway.abort(order.run_id)
    assert gateway.finished(order.run_id).state == "aborted"
    assert len(gateway.of(order.run_id, "task_finished")[0].killed) == 1
    assert [slot.children(recursive=True) for slot in agent.slots() if slot.children()] == []


def test_secrets_show_nowhere(gateway: Any, agent: Any, an_order: Any, web: str) -> None:
    order = an_order(
        task("http_request", {"url": web + "/$[Word]", "headers": {"X-Key": "$[Word]"}}),
        task("files", {"action": "delete", "target": "$[Word]"}),
        values=(Value(name="Word", value="geheimnis", type=ParameterType.PASSWORD),),
    )
    gateway.order(order)
    assert gateway.finished(order.run_id).state == "failed"
    assert gateway.output(order.run_id) == b"200 OK\n/******** ********"
    assert gateway.of(order.run_id, "task_finished")[1].message.endswith("/********")
    assert "geheimnis" not in repr(gateway.events) + agent.log.read_text() + (agent.home / "spool.log").read_text()
    deadline = time.monotonic() + 10
    while list((agent.home / "scratch").glob("*/*")):  # emptied once the end is told
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_premises_are_private_and_allow_least(gateway: Any, agent: Any, an_order: Any) -> None:
    order = an_order("true")
    gateway.order(order)
    gateway.finished(order.run_id)
    assert (agent.home / premises.FILE).stat().st_mode & 0o777 == 0o600
    found = premises.load(agent.home)
    assert (found.dispatchers, found.allows_power) == ([gateway.url], False)
    assert "8.8.8.0/24" not in found.allowed_targets


def test_no_premises_allow_least(tmp_path: Any) -> None:
    assert premises.load(tmp_path) == premises.Premises()
    premises.save(tmp_path, premises.Premises(allows_power=True))
    assert premises.load(tmp_path).allows_power
