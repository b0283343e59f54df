"""SMB: what a file server says of itself, and whether it lets somebody in ([MS-SMB2]; smbprotocol writes what is sent).

The connections of smbprotocol itself believe any length that they are told, and each keeps a thread: this one reads
little, and not for long.
"""

from __future__ import annotations

import os
import socket
import struct
import time
import uuid
from dataclasses import dataclass
from typing import Any

from dispatcher.tasks.discovering import ntlm

PORT = 445
#: The longest message that is read, in bytes.
LONGEST = 65_536
#: How many interim answers ("wait") may come before one that counts.
_MOST_INTERIM = 8
#: [MS-SMB2] 2.2.1: what of the header of an answer counts: status, command, number, session.
_HEADER = struct.Struct("<4s H H I H H I I Q I I Q 16s")
_SUCCESS, _PENDING, _MORE = 0x0, 0x103, 0xC000_0016
#: [MS-SMB2] 2.2.4: size, security mode, dialect, contexts, GUID. 2.2.6: size, flags, offset and length of the token.
_NEGOTIATED, _SET_UP = struct.Struct("<H H H H 16s"), struct.Struct("<H H H H")
_SIGNING_REQUIRED = 0x2
_IS_GUEST, _IS_NOBODY = 0x1, 0x2
_DIALECTS = {0x0202: "2.0.2", 0x0210: "2.1", 0x0300: "3.0", 0x0302: "3.0.2", 0x0311: "3.1.1"}


class NoServer(Exception):
    """What answers speaks no SMB 2 or 3."""


@dataclass(frozen=True, slots=True)
class Server:
    """What a file server has said."""

    dialect: str  #: the best one that it speaks, such as 3.1.1
    guid: uuid.UUID
    requires_signing: bool
    challenger: ntlm.Challenger  #: who it is; unknown if it does not take NTLM
    login: str = ""  #: what became of the login, if there was one: ``login ok``, ``Access Denied``, or another reason


class Connection:
    """A connection to the address of a file server. What is not done in *timeout_s* ends with an error.

    :raises OSError: if it cannot be made.
    """

    def __init__(self, address: str, port: int, timeout_s: float) -> None:
        self._number = self._session = 0
        self._ends_at = 0.0
        self.allow(timeout_s)
        self._socket = socket.create_connection((address, port), timeout_s)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def allow(self, timeout_s: float) -> None:
        """Let what follows take *timeout_s* from now on."""
        self._ends_at = time.monotonic() + timeout_s

    def negotiate(self) -> Server:
        """Return what the server says first.

        :raises NoServer: if it is none.
        :raises OSError: if it does not answer.
        """
        from smbprotocol.header import Commands

        status, body = self._exchange(Commands.SMB2_NEGOTIATE, _negotiation())
        if status != _SUCCESS:
            raise NoServer(f"it refuses to talk: 0x{status:08X}")
        _, mode, dialect, _, guid = _unpack(_NEGOTIATED, body)
        if dialect not in _DIALECTS:
            raise NoServer("it speaks no dialect that was offered")
        return Server(_DIALECTS[dialect], uuid.UUID(bytes_le=guid), bool(mode & _SIGNING_REQUIRED), ntlm.Challenger())

    def set_up(self, token: bytes) -> tuple[int, int, bytes]:
        """Send *token* to log in; return the status, the flags and the token of the answer.

        :raises NoServer: if it is none of a file server.
        :raises OSError: if there is none.
        """
        from smbprotocol.header import Commands
        from smbprotocol.session import SMB2SessionSetupRequest

        request = SMB2SessionSetupRequest()
        request["security_mode"] = 1  # signing is enabled, not required
        request["buffer"] = token
        status, body = self._exchange(Commands.SMB2_SESSION_SETUP, request)
        if status not in (_SUCCESS, _MORE):
            return status, 0, b""
        _, flags, offset, length = _unpack(_SET_UP, body)
        start = offset - _HEADER.size
        return status, flags, body[start : start + length] if start >= 0 else b""

    def _exchange(self, command: int, request: Any) -> tuple[int, bytes]:
        """Send *request*; return the status and what follows the header of its answer."""
        from smbprotocol.header import SMB2HeaderRequest

        number = self._number
        self._number += 1
        header = SMB2HeaderRequest()
        header["command"] = command
        header["credit_request"] = 8
        header["message_id"] = number
        header["session_id"] = self._session
        header["data"] = request
        message = header.pack()
        self._socket.settimeout(self._left_s())
        self._socket.sendall(struct.pack(">I", len(message)) + message)
        for _ in range(_MOST_INTERIM):
            answer = self._read()
            protocol, _, _, status, of, *_, found, _, _, session, _ = _unpack(_HEADER, answer)
            if (protocol, of, found) != (b"\xfeSMB", command, number):
                raise NoServer("it answers something else")
            if status != _PENDING:
                self._session = session
                return status, answer[_HEADER.size :]
        raise NoServer("it never answers")

    def _read(self) -> bytes:
        kind, high, low = struct.unpack(">BBH", self._take(4))
        length = high << 16 | low
        if kind or length > LONGEST:
            raise NoServer("its message is too long")
        return self._take(length)

    def _take(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            self._socket.settimeout(self._left_s())
            part = self._socket.recv(length - len(data))
            if not part:
                raise NoServer("it hangs up")
            data += part
        return bytes(data)

    def _left_s(self) -> float:
        left_s = self._ends_at - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("it does not answer in time")
        return left_s


def status_text(status: int) -> str:
    """Return the name of *status*, such as STATUS_LOGON_FAILURE."""
    from smbprotocol.header import NtStatus

    named = (name for name, value in vars(NtStatus).items() if value == status and name.startswith("STATUS_"))
    return next(named, f"0x{status:08X}")


def outcome(status: int, flags: int) -> str:
    """Return what *status* and *flags* of the last answer mean for who has logged in."""
    if status != _SUCCESS:
        return f"Access Denied ({status_text(status)})"
    # A server may let everybody in, without a look at the password: that is no login.
    return "Access Denied (as a guest only)" if flags & (_IS_GUEST | _IS_NOBODY) else "login ok"


def wants_more(status: int) -> bool:
    """Return whether the server waits for the next token."""
    return status == _MORE


def _negotiation() -> Any:
    """Return the request that offers all dialects there are."""
    from smbprotocol.connection import (
        HashAlgorithms,
        NegotiateContextType,
        SMB2NegotiateContextRequest,
        SMB2PreauthIntegrityCapabilities,
        SMB3NegotiateRequest,
    )

    request = SMB3NegotiateRequest()
    request["dialects"] = list(_DIALECTS)
    request["security_mode"] = 1
    request["client_guid"] = uuid.uuid4()
    integrity = SMB2NegotiateContextRequest()
    integrity["context_type"] = NegotiateContextType.SMB2_PREAUTH_INTEGRITY_CAPABILITIES
    integrity["data"] = SMB2PreauthIntegrityCapabilities()
    integrity["data"]["hash_algorithms"] = [HashAlgorithms.SHA_512]
    integrity["data"]["salt"] = os.urandom(32)
    # The last context of a message has nothing after it.
    integrity["padding"].size = 0
    integrity["padding"] = b""
    request["negotiate_context_list"] = [integrity]
    return request


def _unpack(fields: struct.Struct, data: bytes) -> tuple[Any, ...]:
    try:
        return fields.unpack_from(data)
    except struct.error:
        raise NoServer("its answer is too short") from None
