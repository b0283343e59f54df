"""Serving: listeners that would let anybody in, or secrets out, must be asked for by name."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from real_server import Server
from structlog.testing import capture_logs

from dispatcher import logs, serving
from dispatcher.config import load
from dispatcher.places import UnsafeListener, check_safety, wanted
from dispatcher.services import builtin
from dispatcher.services.settings import Snapshot


def check(*, has_logins: bool, **sections: dict[str, Any]) -> None:
    config, settings = load(sections, environ={}), Snapshot(0, {})
    check_safety(config, settings, wanted(config, settings), lambda: has_logins)


@pytest.mark.parametrize(
    ("has_logins", "sections", "problem"),
    [
        (False, {"web": {"listen": "0.0.0.0:8080"}}, "there is no login"),
        (True, {"web": {"listen": "0.0.0.0:8080"}}, "passwords would travel to 0.0.0.0:8080"),
        (True, {"agents": {"listen": "0.0.0.0:3163"}}, "agents' secrets"),
        (False, {"agents": {"listen": "[::]:3163"}}, "agents' secrets"),
    ],
)
def test_what_is_unsafe_is_refused(has_logins: bool, sections: dict[str, Any], problem: str) -> None:
    with pytest.raises(UnsafeListener, match=problem):
        check(has_logins=has_logins, **sections)


@pytest.mark.parametrize(
    ("has_logins", "sections"),
    [
        (False, {}),
        (True, {"web": {"listen": "[::1]:8080"}, "agents": {"listen": "127.0.0.2:3163"}}),
        (False, {"web": {"listen": "0.0.0.0:8080", "allow_no_login": True}}),
        (True, {"web": {"listen": "0.0.0.0:8080", "allow_plain_http": True}, "agents": {"listen": "0.0.0.0:3163"}}),
        (True, {"web": {"listen": "0.0.0.0:8080", "tls_cert": "c", "tls_key": "k"}, "agents": {"listen": "[::]:1"}}),
    ],
)
def test_what_is_safe_or_asked_for_is_allowed(has_logins: bool, sections: dict[str, Any]) -> None:
    check(has_logins=has_logins, **sections)


STUCK = """
import asyncio, signal
from dispatcher.web.listeners import Listener, listen, serve

async def application(scope, receive, send):
    pass

async def stopping():
    print("draining", flush=True)
    await asyncio.sleep(3600)

def ready():
    print("deaf" if signal.getsignal(signal.SIGINT) is signal.SIG_IGN else "ready", flush=True)

asyncio.run(serve({1: Listener(listen("127.0.0.1", 0), application)}, ready=ready, stopping=stopping))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes in its own way")
@pytest.mark.parametrize(("first", "second"), [("SIGTERM", "SIGTERM"), ("SIGINT", "SIGINT"), ("SIGTERM", "SIGINT")])
def test_a_second_signal_ends_a_server_that_drains(first: str, second: str) -> None:
    # Where the tests themselves are in the background of a shell, they and all below them ignore SIGINT.
    hearing = f"import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n{STUCK}"
    with subprocess.Popen([sys.executable, "-c", hearing], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            assert server.stdout.readline() == "ready\n"
            server.send_signal(signal.Signals[first])
            assert server.stdout.readline() == "draining\n"
            server.send_signal(signal.Signals[second])
            assert server.wait(20) == -signal.Signals[second]
        finally:
            server.kill()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no shells like that")
def test_a_server_in_the_background_of_a_shell_leaves_ctrl_c_to_others() -> None:
    command = ["sh", "-c", 'trap "" INT; exec "$0" -c "$1"', sys.executable, STUCK]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            assert server.stdout.readline() == "deaf\n"
        finally:
            server.kill()


def test_a_server_with_another_key_starts_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "configure", lambda *_: None)

    def problems(key_file: str) -> list[Any]:
        datastore = {"url": f"sqlite:///{tmp_path / 'test.db'}", "key_file": str(tmp_path / key_file)}
        config = load({"datastore": datastore}, environ={"XDG_DATA_HOME": str(tmp_path)})

        def prepare(house: Any, datastore: Any, secrets: Any) -> None:
            builtin.install(datastore, house.ports, secrets)

        with capture_logs() as events, ExitStack() as closing:
            serving.build(config, prepare, closing)
        return [one["key_file"] for one in events if one["event"] == "secret.key_does_not_fit"]

    assert problems("first.key") == []
    assert problems("other.key") == [str(tmp_path / "other.key")]
    assert problems("first.key") == []


PLAIN = "web.plain_for_clients_of_https"


def test_what_is_doubtful_about_listeners_is_logged_once(start_server: Callable[..., Server]) -> None:
    server = start_server("--no-local-agent", DISPATCHER_LISTENERS__CCS="127.0.0.1:0")
    server.process.stop()
    assert "".join(server.process.lines).count(PLAIN) == 1


@pytest.mark.parametrize("in_crew", [True, False])
def test_what_the_parent_of_a_crew_has_logged_its_members_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_crew: bool
) -> None:
    monkeypatch.setattr(logs, "configure", lambda *_: None)
    sections = {
        "datastore": {"url": f"sqlite:///{tmp_path / 'test.db'}", "key_file": str(tmp_path / "key")},
        "listeners": {"ccs": "127.0.0.1"},
    }
    config = load(sections, environ={"XDG_DATA_HOME": str(tmp_path)})
    with capture_logs() as events, ExitStack() as closing:
        serving.build(config, lambda *_: None, closing, in_crew=in_crew)
    assert [one["event"] for one in events].count(PLAIN) == (0 if in_crew else 1)
