"""Computers that let in and answer with nonsense, without end or never: that costs little, and ends by itself."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import paramiko
import pytest
from ssh_servers import Doorkeeper, PasswordServer

from dispatcher.core.accounts import Account
from dispatcher.tasks.agent_setup import ssh_way
from dispatcher.tasks.agent_setup.on_linux.session import MARK
from dispatcher.tasks.agent_setup.order import SetupOrder
from dispatcher.tasks.work import TaskFailed


def log_in(server: PasswordServer, home: Path) -> None:
    place = ("127.0.0.1", server.port)
    stream = socket.create_connection(place, 10)
    with ssh_way.session(stream, place, Account("anna", "right"), home, SetupOrder()):
        raise AssertionError("it has answered")


def problem_of(answer: Callable[[str], bytes], home: Path, door: type[Doorkeeper] = Doorkeeper) -> str:
    """Return why a computer has failed that answers so."""
    server = PasswordServer("right", answer)
    server._make = lambda: door("right", answer, False, server.seen)
    try:
        with pytest.raises(TaskFailed) as caught:
            log_in(server, home)
    finally:
        server.stop()
    return caught.value.message


class Endless(Doorkeeper):
    """Says the same again and again until nobody listens; without a pause, if ``pause_s`` is 0."""

    piece, pause_s = b"x" * 30_000, 0.0

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        def talk() -> None:
            with suppress(OSError, EOFError):
                for _ in range(2_000):
                    channel.sendall(self.piece)
                    time.sleep(self.pause_s)

        threading.Thread(target=talk, daemon=True).start()
        return True


class Lines(Endless):
    """Says short lines."""

    piece = b"hello\n" * 5_000


class Dripping(Endless):
    """Says a line now and then."""

    piece, pause_s = b"hello\n", 0.05


@pytest.mark.parametrize(
    ("door", "why"),
    [(Endless, "lines of more than 65536 bytes"), (Lines, "more than 1048576 bytes came, and no answer: hello")],
)
def test_what_has_no_end_is_cut_off(door: type[Doorkeeper], why: str, tmp_path: Path) -> None:
    tracemalloc.start()
    try:
        assert why in problem_of(lambda _: b"", tmp_path, door)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


class Silent(Doorkeeper):
    """Never says whether a command may be run."""

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        time.sleep(4)
        return False


@pytest.mark.parametrize(("door", "why"), [(Dripping, "no answer came within 0.5 s"), (Silent, "Channel closed")])
def test_who_never_answers_is_not_waited_for(
    door: type[Doorkeeper], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh_way, "STATE_S", 0.5)
    monkeypatch.setattr(ssh_way, "LOGIN_S", 1.0)
    began = time.monotonic()
    assert why in problem_of(lambda _: b"", tmp_path, door)
    assert time.monotonic() - began < 4


@pytest.mark.parametrize(
    "text",
    [b"[1]", b"{", b"[" * 50_000, b"{}", b'{"host_name": 1, "directory": 7}', b'{"agent_id": 7, "directory": "/"}'],
)
def test_an_answer_that_is_none_says_so(text: bytes, tmp_path: Path) -> None:
    assert "no answer that could be understood" in problem_of(lambda _: MARK.encode() + text + b"\n", tmp_path)
