"""NTLM: what a computer says of itself before anybody has logged in ([MS-NLMP] 2.2.1.2, the challenge)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

SIGNATURE = b"NTLMSSP\0"
#: The first message ([MS-NLMP] 2.2.1.1): Unicode, a target is asked for, NTLM, extended session security, the target's
#: information, version, 128 and 56 bits; no domain, no computer, no version to tell.
HELLO = SIGNATURE + struct.pack("<II", 1, 0xA288_8205) + bytes(24)
_CHALLENGE = SIGNATURE + struct.pack("<I", 2)
#: From there: the target's name (length, room, offset), flags, challenge, reserved, the target's information, version.
_FIELDS = struct.Struct("<HHI I 8s 8s HHI BBH")
#: Some leave the version out; then it ends before that.
_SHORTEST = 48
_HAS_VERSION = 0x0200_0000
#: What the pairs of the target's information are ([MS-NLMP] 2.2.2.1).
_END, _NETBIOS_NAME, _NETBIOS_DOMAIN, _DNS_NAME, _DNS_DOMAIN = range(5)
_MOST_PAIRS = 64


@dataclass(frozen=True, slots=True)
class Challenger:
    """What a computer says of itself; what it does not say is empty."""

    netbios_name: str = ""
    netbios_domain: str = ""
    dns_name: str = ""
    dns_domain: str = ""
    version: tuple[int, int, int] = (0, 0, 0)  #: of the system: major, minor, build


def challenge(token: bytes) -> bytes:
    """Return the challenge in *token*, which may be wrapped by SPNEGO; empty if there is none."""
    start = token.find(_CHALLENGE)
    return token[start:] if start >= 0 else b""


def read(message: bytes) -> Challenger:
    """Return what the challenge *message* says.

    :raises ValueError: if it is none.
    """
    if not message.startswith(_CHALLENGE):
        raise ValueError("it is no challenge")
    if len(message) < _SHORTEST:
        raise ValueError("the challenge is too short")
    fields = _FIELDS.unpack_from(message.ljust(len(_CHALLENGE) + _FIELDS.size, b"\0"), len(_CHALLENGE))
    _, _, _, flags, _, _, length, _, offset, major, minor, build = fields
    told = _pairs(message[offset : offset + length])
    return Challenger(
        netbios_name=told.get(_NETBIOS_NAME, ""),
        netbios_domain=told.get(_NETBIOS_DOMAIN, ""),
        dns_name=told.get(_DNS_NAME, ""),
        dns_domain=told.get(_DNS_DOMAIN, ""),
        version=(major, minor, build) if flags & _HAS_VERSION else (0, 0, 0),
    )


def _pairs(data: bytes) -> dict[int, str]:
    """Return the texts of *data* by what they are, as far as it goes."""
    told: dict[int, str] = {}
    start = 0
    for _ in range(_MOST_PAIRS):
        if start + 4 > len(data):
            break
        kind, length = struct.unpack_from("<HH", data, start)
        value = data[start + 4 : start + 4 + length]
        if kind == _END or len(value) < length:
            break
        if kind <= _DNS_DOMAIN:
            told.setdefault(kind, value.decode("utf-16-le", "replace"))
        start += 4 + length
    return told
