"""SNMP: what agents of the network management say of their computers: name and description (RFC 3418), by v2c.

Messages are written and read by pysnmp; there is no engine and no MIB, so nothing is kept of a computer afterwards.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.core.computers import Way
from dispatcher.tasks.discovering.datagrams import Datagrams, Malformed
from dispatcher.tasks.discovering.probes import Answer, LibraryMissing, Waiting

PORT = 161
#: SNMPv2-MIB of RFC 3418.
DESCRIPTION, OBJECT_ID, NAME = "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.5.0"
#: How much of a text counts, in bytes: RFC 3418 allows no more.
LONGEST_TEXT = 255
#: How the descriptions of their own agents say which system it is. Devices name others somewhere in the middle.
_SYSTEMS = {"windows": r"\bSoftware: Windows\b", "linux": r"^Linux\b", "macos": r"^Darwin\b"}


@dataclass(frozen=True, slots=True)
class System:
    """What an agent says; what it does not say is empty."""

    name: str = ""
    description: str = ""
    object_id: str = ""  #: which product it is, in the maker's own numbers


def question(number: int, community: str) -> bytes:
    """Return the question for the system, by the *number* that the answer must have."""
    from pyasn1.codec.ber import encoder

    protocol = _protocol()
    pdu = protocol.GetRequestPDU()
    protocol.apiPDU.set_defaults(pdu)
    protocol.apiPDU.set_request_id(pdu, number)
    asked = (protocol.ObjectIdentifier(one) for one in (NAME, DESCRIPTION, OBJECT_ID))
    protocol.apiPDU.set_varbinds(pdu, [(one, protocol.null) for one in asked])
    message = protocol.Message()
    protocol.apiMessage.set_defaults(message)
    protocol.apiMessage.set_community(message, community.encode())
    protocol.apiMessage.set_pdu(message, pdu)
    return bytes(encoder.encode(message))


def read(data: bytes, numbers: range) -> System:
    """Return what *data* says, which must be an answer to a question with one of these *numbers*.

    An agent may have nothing to tell, yet it has answered then.

    :raises Malformed: if it is no such answer.
    """
    from pyasn1.codec.ber import decoder

    protocol = _protocol()
    try:
        message, _ = decoder.decode(data, asn1Spec=protocol.Message())
        pdu = protocol.apiMessage.get_pdu(message)
        if not isinstance(pdu, protocol.ResponsePDU) or int(protocol.apiPDU.get_request_id(pdu)) not in numbers:
            raise Malformed("it is no answer to this question")
        values = {} if protocol.apiPDU.get_error_status(pdu) else _values(protocol, pdu)
    except Malformed:
        raise
    except Exception as error:  # the library has errors of its own, and others leave it too
        raise Malformed(f"it is no message: {type(error).__name__}") from None
    return System(values.get(NAME, ""), values.get(DESCRIPTION, ""), values.get(OBJECT_ID, ""))


class SnmpProbe:
    """Asks computers for their system, with one community after the other."""

    way = Way.SNMP

    def __init__(self, communities: Sequence[str], port: int = PORT) -> None:
        """Prepare to ask.

        :raises LibraryMissing: if there is no pysnmp.
        """
        try:
            import pysnmp.proto.api  # noqa: F401
        except ImportError:
            raise LibraryMissing("pysnmp") from None
        self._communities = [*dict.fromkeys(communities)]
        self._datagrams = Datagrams(port)

    async def ask(self, address: str, waiting: Waiting) -> Answer | None:
        """Return what the computer at *address* says; None if it answers to no community."""
        # They are asked with at a time: to a community that it does not know an agent says nothing, just as a computer
        # that is not there does.
        first = secrets.randbelow(1 << 30)
        numbers = range(first, first + len(self._communities))
        questions = [question(number, one) for number, one in zip(numbers, self._communities, strict=True)]
        system = await self._datagrams.ask(address, questions, lambda data: read(data, numbers), waiting)
        if system is None:
            return None
        described = system.description or (f"SNMP object {system.object_id}" if system.object_id else "")
        return Answer(name=system.name, description=described, os=_os_of(system.description))

    async def close(self) -> None:
        """Close the sockets."""
        await self._datagrams.close()


def _protocol() -> Any:
    from pysnmp.proto import api

    return api.PROTOCOL_MODULES[api.SNMP_VERSION_2C]


def _values(protocol: Any, pdu: Any) -> dict[str, str]:
    """Return the texts and ids that *pdu* tells; what is not there has another type."""
    found = {}
    for identifier, value in protocol.apiPDU.get_varbinds(pdu):
        if isinstance(value, protocol.OctetString):
            found[str(identifier)] = bytes(value)[:LONGEST_TEXT].decode("utf-8", "replace")
        elif isinstance(value, protocol.ObjectIdentifier):
            found[str(identifier)] = str(value)[:LONGEST_TEXT]
    return found


def _os_of(description: str) -> str:
    return next((name for name, pattern in _SYSTEMS.items() if re.search(pattern, description)), "")
