"""Windows: what a real SMB server says of itself, and whom it lets in; and what hostile ones may do."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from free_ports import free_port
from hypothesis import given
from hypothesis import strategies as st
from network_programs import USER, Smbd
from spnego._ntlm_raw import messages

from dispatcher.core.computers import Way
from dispatcher.tasks.discovering import ntlm, smb
from dispatcher.tasks.discovering.ntlm import Challenger
from dispatcher.tasks.discovering.probes import Answer, LibraryMissing, Threads, Waiting
from dispatcher.tasks.discovering.windows import WindowsProbe

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=30)


@pytest.fixture(scope="module")
def smbd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Smbd]:
    server = Smbd(tmp_path_factory.mktemp("smbd"))
    yield server
    server.stop()


def ask(port: int, username: str = "", password: str = "", timeout_s: float = 3, times: int = 1) -> Answer | None:
    async def work() -> Answer | None:
        probe = WindowsProbe(username, password, Threads(), port)
        assert probe.way is Way.WINDOWS
        answer = await probe.ask("127.0.0.1", Waiting(timeout_s, times))
        await probe.close()
        return answer

    return asyncio.run(work())


def test_a_real_server_says_who_it_is_without_a_login(smbd: Smbd) -> None:
    answer = ask(smbd.port)
    assert answer is not None
    assert answer.netbios_name == "FILES"
    assert answer.dns_name == socket.gethostname().partition(".")[0] or answer.dns_name
    assert answer.description.startswith("SMB 3.1.1, signing not required, version ")
    assert ", server " in answer.description
    assert answer.remark == ""
    assert answer.os == ""  # it is Samba, which says so by a version without a build


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("server signing = mandatory", "signing required"),
        ("server max protocol = SMB2_10", "SMB 2.1, "),
        ("ntlm auth = disabled", "SMB 3.1.1, "),
    ],
)
def test_how_it_is_set_up_is_told(tmp_path: Path, settings: str, said: str) -> None:
    server = Smbd(tmp_path / "smbd", settings=settings)
    try:
        answer = ask(server.port, USER, Smbd.PASSWORD)
    finally:
        server.stop()
    assert answer is not None
    assert said in answer.description
    assert (answer.remark == "login ok") is (settings != "ntlm auth = disabled")


def test_a_login_is_told_and_never_its_password(smbd: Smbd) -> None:
    for username in (USER, f"FILES\\{USER}", USER.upper()):
        answer = ask(smbd.port, username, Smbd.PASSWORD)
        assert answer is not None
        assert answer.remark == "login ok"
        assert Smbd.PASSWORD not in repr(answer)
    for username, password in ((USER, "wrong"), (USER, ""), ("nobody at all", Smbd.PASSWORD), ("@", "x"), ("\\", "x")):
        answer = ask(smbd.port, username, password)
        assert answer is not None
        assert answer.netbios_name == "FILES"
        assert answer.remark.startswith("Access Denied (STATUS_")


def test_guests_have_not_logged_in(tmp_path: Path) -> None:
    server = Smbd(tmp_path / "smbd", settings="map to guest = bad user")
    try:
        answer = ask(server.port, "nobody at all", "whatever")
    finally:
        server.stop()
    assert answer is not None
    assert answer.remark == "Access Denied (as a guest only)"


def test_a_wrong_password_is_tried_once(smbd: Smbd, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens: list[bytes] = []
    set_up = smb.Connection.set_up
    monkeypatch.setattr(smb.Connection, "set_up", lambda self, token: (tokens.append(token), set_up(self, token))[1])
    assert ask(smbd.port, USER, "wrong", times=5) is not None
    assert len(tokens) == 2  # who asks, and the proof


def test_many_are_asked_at_a_time(smbd: Smbd) -> None:
    async def work() -> list[Answer | None]:
        probe = WindowsProbe("", "", Threads(8), smbd.port)
        return await asyncio.gather(*(probe.ask("127.0.0.1", Waiting(10, 1)) for _ in range(40)))

    answers = asyncio.run(work())
    assert {answer and answer.netbios_name for answer in answers} == {"FILES"}


class Impostor:
    """Somebody on loopback who *answers* each message of SMB with bytes as they are, or hangs up."""

    def __init__(self, answers: list[bytes], *, waits: bool = False) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.connections = 0
        self._answers, self._waits = answers, waits
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._server.accept()
                self.connections += 1
                threading.Thread(target=self._talk, args=(peer,), daemon=True).start()

    def _talk(self, peer: socket.socket) -> None:
        with suppress(OSError), peer:
            for answer in self._answers:
                peer.recv(4096)
                peer.sendall(answer)
            if self._waits:
                peer.recv(4096)
                time.sleep(5)


def a_message(command: int, number: int, body: bytes, status: int = 0) -> bytes:
    header = struct.pack("<4sHHIHHIIQIIQ16s", b"\xfeSMB", 64, 0, status, command, 1, 1, 0, number, 0, 0, 77, bytes(16))
    return struct.pack(">I", len(header) + len(body)) + header + body


HELLO = a_message(0, 0, struct.pack("<HHHH16s", 65, 3, 0x0300, 0, bytes(range(16))) + bytes(40))
LATER = a_message(0, 0, b"", status=0x103)
MORE = 0xC000_0016


def test_an_answer_may_be_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Impostor([LATER + LATER + HELLO])
    answer = ask(one.port)
    one.stop()
    assert answer is not None
    guid = "03020100-0504-0706-0809-0a0b0c0d0e0f"
    assert answer.description == f"SMB 3.0, signing required, server {guid}"


@pytest.mark.parametrize(
    "answers",
    [
        [],
        [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
        [b"\x00\xff\xff\xff" + bytes(1000)],
        [b"\x00\x00\x00\x05abcde"],
        [HELLO[:80]],
        [a_message(0, 1, bytes(100))],
        [a_message(1, 0, bytes(100))],
        [a_message(0, 0, b"", status=0xC000_00BB)],
        [a_message(0, 0, bytes(100))],
        [LATER * 20],
    ],
)
def test_what_is_no_file_server_is_none(answers: list[bytes]) -> None:
    one = Impostor(answers)
    began = time.monotonic()
    assert ask(one.port, timeout_s=1, times=3) is None
    assert time.monotonic() - began < 1.5
    one.stop()


def test_silence_is_waited_for_as_often_as_there_is_patience() -> None:
    one = Impostor([], waits=True)
    began = time.monotonic()
    assert ask(one.port, timeout_s=0.2, times=3) is None
    assert 0.5 < time.monotonic() - began < 1.5
    assert one.connections == 1 + 3  # the first says only whether anybody listens
    one.stop()
    assert ask(free_port(), timeout_s=5, times=5) is None


@given(st.binary(max_size=200), st.booleans())
def test_a_login_survives_whatever_is_sent(junk: bytes, is_challenge: bool) -> None:
    token = (ntlm.SIGNATURE + b"\2\0\0\0" if is_challenge else b"") + junk
    body = struct.pack("<HHHH", 9, 0, 72, len(token)) + token
    one = Impostor([HELLO, a_message(1, 1, body, status=MORE), a_message(1, 2, junk)])
    answer = ask(one.port, "ann", "secret", timeout_s=0.5)
    one.stop()
    assert answer is not None
    assert answer.description.startswith("SMB 3.0, ")


def test_a_login_that_gets_no_answer_is_not_repeated() -> None:
    challenge = messages.Challenge(target_info=messages.TargetInfo()).pack()
    body = struct.pack("<HHHH", 9, 0, 72, len(challenge)) + challenge
    one = Impostor([HELLO, a_message(1, 1, body, status=MORE)], waits=True)
    answer = ask(one.port, "ann", "secret", timeout_s=0.3, times=4)
    assert answer is not None
    assert answer.remark == "no login (TimeoutError)"
    assert one.connections == 1 + 1  # the first says only whether anybody listens
    one.stop()


@given(st.tuples(NAMES, NAMES, NAMES, NAMES), st.tuples(*[st.integers(0, 255)] * 2, st.integers(0, 65_535)))
def test_challenges_are_read_as_another_library_writes_them(names: tuple[str, ...], version: Any) -> None:
    kinds = ("nb_computer_name", "nb_domain_name", "dns_computer_name", "dns_domain_name")
    info = messages.TargetInfo()
    for kind, name in zip(kinds, names, strict=True):
        info[messages.AvId[kind]] = name
    info[messages.AvId.timestamp] = messages.FileTime.now()
    written = messages.Challenge(target_name="x", target_info=info, version=messages.Version(*version)).pack()
    assert ntlm.read(ntlm.challenge(b"wrapped" + written)) == Challenger(*names, version=version)
    without = messages.Challenge(target_name="x", target_info=info).pack()
    assert ntlm.read(without) == Challenger(*names)
    assert ntlm.read(without[:48]) == Challenger()


@given(st.binary(max_size=200))
def test_whatever_is_no_challenge_is_refused(junk: bytes) -> None:
    assert ntlm.challenge(b"NTLMSSP\0\1" + junk.replace(b"N", b"M")) == b""
    with suppress(ValueError):
        read = ntlm.read(ntlm.SIGNATURE + b"\2\0\0\0" + junk)
        assert len(read.dns_name) <= 100


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smbprotocol.session", None)
    with pytest.raises(LibraryMissing, match="smbprotocol is missing"):
        WindowsProbe("", "", Threads())
