"""A name server on loopback that knows some records, and remembers what it was asked."""

from __future__ import annotations

import ipaddress
import socket
import threading
from contextlib import suppress

import dns.message
import dns.rdatatype
import dns.rrset


class NameServer:
    """Answers until it is stopped. ``records`` has texts by name and type; names in ``silent`` get no answer."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.silent: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._stopping = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def name(self, address: str, name: str) -> None:
        """Have *address* be that of *name*, and the other way round."""
        parsed = ipaddress.ip_address(address)
        self.records.setdefault((f"{name}.", "A" if parsed.version == 4 else "AAAA"), []).append(address)
        self.records[f"{parsed.reverse_pointer}.", "PTR"] = [f"{name}."]

    def stop(self) -> None:
        self._stopping = True
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(10)
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                data, peer = self._socket.recvfrom(4096)
                if self._stopping:
                    return
                query = dns.message.from_wire(data)
                question = query.question[0]
                name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
                self.asked.append((name, kind))
                if name in self.silent:
                    continue
                answer = dns.message.make_response(query)
                if found := self.records.get((name, kind)):
                    answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *found))
                elif not any(known == name for known, _ in self.records):
                    answer.set_rcode(3)
                self._socket.sendto(answer.to_wire(), peer)
