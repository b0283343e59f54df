"""SNMP: so much of a message as tells which trap it is, of versions 1 and 2c (RFC 1157, 3416, 3417).

Anybody may send any bytes here, so as little as possible is read: a fixed number of elements, however many there are.
Ids of objects stay in their encoding, for all that is done with them is to compare them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: The traps by which devices tell that their configuration has changed: of Cisco (two), of Juniper, and of all others.
CHANGE_TRAPS = (
    "1.3.6.1.4.1.9.9.43.2.0.1",
    "1.3.6.1.4.1.9.9.43.2.0.2",
    "1.3.6.1.4.1.2636.4.5.0.1",
    "1.3.6.1.2.1.47.2.0.1",
)
_INTEGER, _OCTETS, _ID, _SEQUENCE, _ADDRESS = 0x02, 0x04, 0x06, 0x30, 0x40
_TRAP_1, _RESPONSE, _INFORM, _TRAP_2 = 0xA4, 0xA2, 0xA6, 0xA7
_VERSION_1, _VERSION_2C = 0, 1
_ENTERPRISE_SPECIFIC = 6
#: A number takes no more bytes than this: those of SNMP have 32 bits, and perhaps a zero before them.
_NUMBER_BYTES = 5
_AN_ID = re.compile(r"\.?([01]\.[1-3]?[0-9]|2\.[0-9]{1,10})(\.[0-9]{1,10})+")


class Malformed(ValueError):
    """It is no trap and no inform of version 1 or 2c."""


@dataclass(frozen=True, slots=True)
class Trap:
    """A trap, or an inform, which is a trap that waits for an *answer*. *id* is encoded, and is that of version 2c."""

    community: bytes
    id: bytes
    answer: bytes | None = None


def encode_id(text: str) -> bytes:
    """Return the id of an object, such as ``1.3.6.1.6.3.1.1.5.4``, in its encoding.

    :raises ValueError: if it is none.
    """
    if not _AN_ID.fullmatch(text.strip()):
        raise ValueError(f"{text} is no id of an object")
    first, second, *others = map(int, text.strip().removeprefix(".").split("."))
    return b"".join(map(_base_128, (40 * first + second, *others)))


def _base_128(number: int) -> bytes:
    """Return *number* in digits of seven bits, all but the last of them with the eighth bit set."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))


_TRAP_ID = encode_id("1.3.6.1.6.3.1.1.4.1.0")
#: How the ids of the standard traps of version 1 begin in version 2c (RFC 3584, section 3.1).
_STANDARD = encode_id("1.3.6.1.6.3.1.1.5")


def read(data: bytes) -> Trap:
    """Return the trap that *data* is. What follows the message is ignored.

    :raises Malformed: if it is none.
    """
    message, rest = _take(memoryview(data), _SEQUENCE)
    version, message = _number(message)
    community, message = _take(message, _OCTETS)
    tag, pdu, _ = _next(message)
    if (version, tag) == (_VERSION_1, _TRAP_1):
        return Trap(bytes(community), _id_of_version_1(pdu))
    if version != _VERSION_2C or tag not in (_TRAP_2, _INFORM):
        raise Malformed("no trap of a version that is understood")
    if tag == _TRAP_2:
        return Trap(bytes(community), _id_of_version_2(pdu))
    # An inform is answered by what it says itself (RFC 3416, section 4.2.7).
    end = len(data) - len(rest)
    begin = end - len(message)
    answer = data[:begin] + bytes([_RESPONSE]) + data[begin + 1 : end]
    return Trap(bytes(community), _id_of_version_2(pdu), answer)


def _id_of_version_1(pdu: memoryview) -> bytes:
    enterprise, pdu = _take(pdu, _ID)
    _, pdu = _take(pdu, _ADDRESS)
    generic, pdu = _number(pdu)
    specific, _ = _number(pdu)
    if generic == _ENTERPRISE_SPECIFIC:
        return bytes(enterprise) + b"\x00" + _base_128(specific)
    return _STANDARD + _base_128(generic + 1)


def _id_of_version_2(pdu: memoryview) -> bytes:
    for _ in ("request-id", "error-status", "error-index"):
        _, pdu = _take(pdu, _INTEGER)
    bindings, _ = _take(pdu, _SEQUENCE)
    for _ in ("sysUpTime", "snmpTrapOID"):  # the first two, in this order; a device that has no clock forgets the first
        binding, bindings = _take(bindings, _SEQUENCE)
        name, value = _take(binding, _ID)
        if name == _TRAP_ID:
            found, _ = _take(value, _ID)
            return bytes(found)
    raise Malformed("it names no trap")


def _number(data: memoryview) -> tuple[int, memoryview]:
    """Return the number that is not negative at the beginning of *data*, and what follows."""
    content, rest = _take(data, _INTEGER)
    number = int.from_bytes(content, "big", signed=True)
    if not 1 <= len(content) <= _NUMBER_BYTES or number < 0:
        raise Malformed("a number that there is not")
    return number, rest


def _take(data: memoryview, tag: int) -> tuple[memoryview, memoryview]:
    """Return the content of the element at the beginning of *data*, which must have the *tag*, and what follows."""
    found, content, rest = _next(data)
    if found != tag:
        raise Malformed(f"an element {found:#x} instead of {tag:#x}")
    return content, rest


def _next(data: memoryview) -> tuple[int, memoryview, memoryview]:
    """Return the tag and the content of the element at the beginning of *data*, and what follows.

    In SNMP tags are of one byte, and lengths are told beforehand.
    """
    if len(data) < 2:
        raise Malformed("it ends too early")
    length, begin = data[1], 2
    if length & 0x80:
        begin += length & 0x7F
        if not 2 < begin <= 6 or begin > len(data):
            raise Malformed("a length that there is not")
        length = int.from_bytes(data[2:begin], "big")
    end = begin + length
    if end > len(data):
        raise Malformed("it ends too early")
    return data[0], data[begin:end], data[end:]
