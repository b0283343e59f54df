"""NetBIOS: the node status of computers (RFC 1002, 4.2.17 and 4.2.18), as Windows and Samba tell it by UDP."""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass

from dispatcher.core.computers import Way
from dispatcher.tasks.discovering.datagrams import Datagrams, Malformed
from dispatcher.tasks.discovering.probes import Answer, Waiting

PORT = 137
#: The name "*" of RFC 1001, 14.1, as labels: 16 bytes, each as two letters.
_ANY = b"\x20CK" + b"A" * 30 + b"\x00"
_NODE_STATUS, _INTERNET = 0x0021, 0x0001
_IS_ANSWER, _OPERATION, _RESULT = 0x8000, 0x7800, 0x000F
_IS_GROUP = 0x8000
#: A name in an answer: 15 characters, what it is for, flags.
_NAME = struct.Struct(">15sBH")
#: What the last byte of a name says it is for: the computer (of a group: the workgroup or domain), files.
_COMPUTER, _FILES = 0x00, 0x20
_NO_MAC = bytes(6)


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What a computer says of itself; what it does not say is empty."""

    name: str = ""
    workgroup: str = ""
    mac: str = ""


def question(number: int) -> bytes:
    """Return the question for the node status, by the *number* that the answer must have."""
    return struct.pack(">6H", number, 0, 1, 0, 0, 0) + _ANY + struct.pack(">HH", _NODE_STATUS, _INTERNET)


def read(data: bytes, number: int) -> NodeStatus:
    """Return what the answer *data* to the question *number* says.

    :raises Malformed: if it is no such answer.
    """
    try:
        found, flags, _, answers, *_ = struct.unpack_from(">6H", data)
        if found != number or flags & (_IS_ANSWER | _OPERATION | _RESULT) != _IS_ANSWER or not answers:
            raise Malformed("it is no answer to this question")
        start = _after_name(data, 12)
        kind, of, _, length, count = struct.unpack_from(">HHIHB", data, start)
        if (kind, of) != (_NODE_STATUS, _INTERNET):
            raise Malformed("it is no node status")
        start += 11
        end = start + count * _NAME.size
        if end > min(len(data), start - 1 + length):
            raise Malformed("it ends inside its names")
        return _status([*_NAME.iter_unpack(data[start:end])], data[end : end + 6])
    except struct.error:
        raise Malformed("it is too short") from None


class NetbiosProbe:
    """Asks computers for their node status."""

    way = Way.NETBIOS

    def __init__(self, port: int = PORT) -> None:
        self._datagrams = Datagrams(port)

    async def ask(self, address: str, waiting: Waiting) -> Answer | None:
        """Return what the computer at *address* says; None if it says nothing."""
        number = secrets.randbelow(1 << 16)
        status = await self._datagrams.ask(address, [question(number)], lambda data: read(data, number), waiting)
        if status is None:
            return None
        described = f"workgroup {status.workgroup}" if status.workgroup else ""
        return Answer(netbios_name=status.name, mac=status.mac, description=described)

    async def close(self) -> None:
        """Close the sockets."""
        await self._datagrams.close()


def _after_name(data: bytes, start: int) -> int:
    """Return where the name at *start* ends. A pointer ends it and is not followed: what it says does not matter."""
    while True:
        [length] = struct.unpack_from("B", data, start)
        if length >= 0xC0:
            return start + 2
        if length > 63:
            raise Malformed("a label is too long")
        start += 1 + length
        if not length:
            return start


def _status(names: list[tuple[bytes, int, int]], mac: bytes) -> NodeStatus:
    # The first one of each kind counts; a computer may have further names, such as those of clusters.
    own: dict[tuple[int, bool], str] = {}
    for name, purpose, flags in names:
        own.setdefault((purpose, bool(flags & _IS_GROUP)), _text(name))
    return NodeStatus(
        name=own.get((_COMPUTER, False)) or own.get((_FILES, False), ""),
        workgroup=own.get((_COMPUTER, True), ""),
        # Samba has nothing but zeros to say.
        mac=mac.hex(":") if len(mac) == 6 and mac != _NO_MAC else "",
    )


def _text(name: bytes) -> str:
    # It is in the code page of the computer, which it does not name: this is that of Western Europe.
    return name.rstrip(b"\x00 ").decode("cp850")
