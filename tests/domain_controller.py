"""A domain controller on loopback: as much of LDAP and of a name service as looks from outside like one."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import dns.message
import dns.rdatatype
import dns.rrset
from ldap3.protocol.rfc4511 import (
    LDAPDN,
    AttributeDescription,
    AttributeValue,
    BindResponse,
    LDAPMessage,
    LDAPString,
    MessageID,
    PartialAttribute,
    PartialAttributeList,
    ProtocolOp,
    ResultCode,
    SearchResultDone,
    SearchResultEntry,
    Vals,
)
from pyasn1.codec.ber import decoder, encoder


class DomainController:
    """Answers until it is stopped. ``said`` is what it says of itself, ``records`` whom its records name."""

    def __init__(
        self, domain: str = "ad.example", *, host: str = "127.0.0.1", ldap_port: int = 0, dns_port: int = 0
    ) -> None:
        self.said = {
            "defaultNamingContext": ",".join(f"DC={part}" for part in domain.split(".")),
            "dnsHostName": f"dc1.{domain}",
            "isSynchronized": "TRUE",
            "isGlobalCatalogReady": "FALSE",
            "domainFunctionality": "7",
        }
        self.clock_is_off = timedelta()
        kinds = ("_ldap._tcp.dc._msdcs", "_ldap._tcp.pdc._msdcs", "_ldap._tcp", "_kerberos._tcp", "_kpasswd._tcp")
        self.records = {f"{kind}.{domain}.": f"0 100 389 dc1.{domain}." for kind in kinds}
        self._tcp = socket.create_server((host, ldap_port))
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((host, dns_port))
        self.ldap_port: int = self._tcp.getsockname()[1]
        self.dns_port: int = self._udp.getsockname()[1]
        self._stopping = False
        self._threads = [threading.Thread(target=one, daemon=True) for one in (self._serve_ldap, self._serve_dns)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        # Threads that wait in them must have gone: the next sockets may get the same numbers.
        self._stopping = True
        self._tcp.shutdown(socket.SHUT_RDWR)
        self._udp.sendto(b"", self._udp.getsockname())
        for thread in self._threads:
            thread.join(10)
        self._tcp.close()
        self._udp.close()

    def _serve_dns(self) -> None:
        with suppress(OSError):
            while True:
                data, peer = self._udp.recvfrom(4096)
                if self._stopping:
                    return
                query = dns.message.from_wire(data)
                answer = dns.message.make_response(query)
                name = query.question[0].name
                if record := self.records.get(name.to_text()):
                    answer.answer.append(dns.rrset.from_text(name, 60, "IN", dns.rdatatype.SRV, record))
                else:
                    answer.set_rcode(3)
                self._udp.sendto(answer.to_wire(), peer)

    def _serve_ldap(self) -> None:
        with suppress(OSError):
            while True:
                stream, _ = self._tcp.accept()
                threading.Thread(target=self._talk, args=(stream,), daemon=True).start()

    def _talk(self, stream: socket.socket) -> None:
        received = b""
        with stream, suppress(OSError):
            while data := stream.recv(65_536):
                received += data
                while received and len(received) >= _length(received):
                    message, received = decoder.decode(received, asn1Spec=LDAPMessage())
                    for answer in self._answers(message):
                        stream.sendall(encoder.encode(answer))

    def _answers(self, message: Any) -> list[Any]:
        kind = message["protocolOp"].getName()
        if kind == "bindRequest":
            return [_reply(message, "bindResponse", _result(BindResponse()))]
        if kind != "searchRequest":
            return []
        moment = datetime.now(UTC) + self.clock_is_off
        said = {**self.said, "currentTime": f"{moment:%Y%m%d%H%M%S}.0Z"}
        entry = SearchResultEntry()
        entry["object"] = LDAPDN("")
        attributes = PartialAttributeList()
        for place, (name, value) in enumerate(said.items()):
            attribute = PartialAttribute()
            attribute["type"] = AttributeDescription(name)
            values = Vals()
            values.setComponentByPosition(0, AttributeValue(value))
            attribute["vals"] = values
            attributes.setComponentByPosition(place, attribute)
        entry["attributes"] = attributes
        return [
            _reply(message, "searchResEntry", entry),
            _reply(message, "searchResDone", _result(SearchResultDone())),
        ]


def _length(data: bytes) -> int:
    """Return how long the message is that *data* begins with."""
    if len(data) < 2:
        return 2
    if data[1] < 0x80:
        return 2 + data[1]
    size = data[1] & 0x7F
    return 2 + size + int.from_bytes(data[2 : 2 + size], "big")


def _result(result: Any) -> Any:
    result["resultCode"] = ResultCode(0)
    result["matchedDN"] = LDAPDN("")
    result["diagnosticMessage"] = LDAPString("")
    return result


def _reply(message: Any, kind: str, content: Any) -> Any:
    operation = ProtocolOp()
    operation.setComponentByName(kind, content)
    answer = LDAPMessage()
    answer["messageID"] = MessageID(int(message["messageID"]))
    answer["protocolOp"] = operation
    return answer
