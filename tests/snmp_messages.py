"""SNMP messages, as another library writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyasn1.codec.ber import encoder
from pysnmp.proto import api

CHANGED = "1.3.6.1.4.1.9.9.43.2.0.1"
LINK_UP = "1.3.6.1.6.3.1.1.5.4"
TRAP_ID = "1.3.6.1.6.3.1.1.4.1.0"
UPTIME = "1.3.6.1.2.1.1.3.0"
V1, V2C = api.SNMP_VERSION_1, api.SNMP_VERSION_2C


def v2c(id_: str, community: str = "secret", kind: Any = None, bindings: Sequence[str] = (UPTIME,)) -> bytes:
    """Return a trap, or another *kind* of message, that names this id after *bindings* of a number."""
    protocol = api.PROTOCOL_MODULES[V2C]
    pdu = (kind or protocol.TrapPDU)()
    protocol.apiPDU.set_defaults(pdu)
    before = [(protocol.ObjectIdentifier(one), protocol.TimeTicks(12_345)) for one in bindings]
    named = (protocol.ObjectIdentifier(TRAP_ID), protocol.ObjectIdentifier(id_))
    protocol.apiPDU.set_varbinds(pdu, [*before, named])
    return _message(protocol, pdu, community)


def v1(enterprise: str, specific: int, generic: int = 6, community: str = "secret") -> bytes:
    """Return a trap of the first version."""
    protocol = api.PROTOCOL_MODULES[V1]
    pdu = protocol.TrapPDU()
    protocol.apiTrapPDU.set_defaults(pdu)
    protocol.apiTrapPDU.set_enterprise(pdu, protocol.ObjectIdentifier(enterprise))
    protocol.apiTrapPDU.set_generic_trap(pdu, generic)
    protocol.apiTrapPDU.set_specific_trap(pdu, specific)
    return _message(protocol, pdu, community)


def _message(protocol: Any, pdu: Any, community: str) -> bytes:
    message = protocol.Message()
    protocol.apiMessage.set_defaults(message)
    protocol.apiMessage.set_community(message, community.encode("latin-1"))
    protocol.apiMessage.set_pdu(message, pdu)
    return bytes(encoder.encode(message))
