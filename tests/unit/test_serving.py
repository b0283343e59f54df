"""Serving: listeners that would let anybody in, or secrets out, must be asked for by name."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any

import pytest

from dispatcher.config import load
from dispatcher.places import UnsafeListener, check_safety, wanted
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
