"""NetBIOS: what is read of node statuses, and that nothing else is."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.core.computers import Way
from dispatcher.tasks.discovering.datagrams import Malformed
from dispatcher.tasks.discovering.netbios import NetbiosProbe, NodeStatus, question, read
from dispatcher.tasks.discovering.probes import Answer, Waiting

UNIQUE, GROUP = 0x0400, 0x8400
#: The name of RFC 1002, 4.2.18, as an answer repeats it.
NAME = b"\x20CK" + b"A" * 30 + b"\x00"
PC = [("PC-7", 0x00, UNIQUE), ("BERLIN", 0x00, GROUP), ("PC-7", 0x20, UNIQUE), ("BERLIN", 0x1E, GROUP)]
MAC = bytes.fromhex("001122aabbcc")


def an_answer(
    number: int, names: list[tuple[str, int, int]], mac: bytes = MAC, name: bytes = NAME, flags: int = 0x8400
) -> bytes:
    """Return a node status as RFC 1002, 4.2.18 draws it."""
    listed = b"".join(
        text.encode("cp850").ljust(15)[:15] + struct.pack(">BH", kind, group) for text, kind, group in names
    )
    data = bytes([len(names)]) + listed + mac + bytes(40)
    return struct.pack(">6H", number, flags, 0, 1, 0, 0) + name + struct.pack(">HHIH", 0x21, 1, 0, len(data)) + data


def test_the_question_is_that_of_the_rfc() -> None:
    expected = "1234 0000 0001 0000 0000 0000 20 434b" + "41" * 30 + "00 0021 0001"
    assert question(0x1234) == bytes.fromhex(expected)


def test_name_workgroup_and_mac_are_read() -> None:
    assert read(an_answer(7, PC), 7) == NodeStatus("PC-7", "BERLIN", "00:11:22:aa:bb:cc")
    assert read(an_answer(7, PC, mac=bytes(6)), 7).mac == ""
    assert read(an_answer(7, [("FILES", 0x20, UNIQUE), ("BÜRO", 0x00, GROUP)]), 7) == NodeStatus(
        "FILES", "BÜRO", "00:11:22:aa:bb:cc"
    )
    assert read(an_answer(7, []), 7).name == ""


@pytest.mark.parametrize("name", [b"\xc0\x0c", NAME[:-1] + b"\xc0\x0c", NAME[:-1] + b"\x05local\x00", b"\x00"])
def test_names_in_other_forms_are_left_out(name: bytes) -> None:
    assert read(an_answer(7, PC, name=name), 7).name == "PC-7"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        an_answer(8, PC),
        an_answer(7, PC, flags=0x0000),
        an_answer(7, PC, flags=0x8403),
        an_answer(7, PC, name=b"\x7fabc"),
        an_answer(7, PC).replace(b"\x00\x21\x00\x01", b"\x00\x20\x00\x01"),
        an_answer(7, PC)[:90],
        question(7),
    ],
)
def test_what_is_no_node_status_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        read(data, 7)


@given(st.binary(max_size=600), st.integers(0, 600), st.integers(0, 600))
def test_whatever_is_sent_is_read_or_refused(junk: bytes, start: int, end: int) -> None:
    sound = an_answer(7, PC * 3)
    for data in (junk, sound[:start] + junk + sound[end:], sound[:12] + junk):
        try:
            status = read(data, 7)
        except Malformed:
            continue
        assert len(status.name) <= 15
        assert len(status.workgroup) <= 15
        assert len(status.mac) in (0, 17)


@given(
    st.lists(st.tuples(st.text("ABCXYZ-019Ü", max_size=15), st.integers(0, 255), st.sampled_from([UNIQUE, GROUP]))),
    st.integers(0, 65_535),
)
def test_whatever_a_computer_is_called_is_read(names: list[tuple[str, int, int]], number: int) -> None:
    status = read(an_answer(number, names[:255]), number)
    own = [text for text, kind, flags in names if (kind, flags) == (0, UNIQUE)]
    groups = [text for text, kind, flags in names if (kind, flags) == (0, GROUP)]
    assert not own or not own[0] or status.name == own[0]
    assert status.workgroup == (groups[0] if groups else "")


def test_a_computer_is_asked_and_its_answer_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            data, asker = server.recvfrom(1000)
            [number] = struct.unpack_from(">H", data)
            assert data == question(number)
            server.sendto(an_answer(number ^ 1, [("OTHER", 0, UNIQUE)]), asker)
            server.sendto(an_answer(number, PC), asker)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        answer = asyncio.run(_ask(server.getsockname()[1]))
        thread.join(5)
        port = server.getsockname()[1]
    assert answer == Answer(netbios_name="PC-7", mac="00:11:22:aa:bb:cc", description="workgroup BERLIN")
    assert asyncio.run(_ask(port)) is None


async def _ask(port: int) -> Answer | None:
    probe = NetbiosProbe(port)
    assert probe.way is Way.NETBIOS
    try:
        return await probe.ask("127.0.0.1", Waiting(0.5, 1))
    finally:
        await probe.close()
