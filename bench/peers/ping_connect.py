"""The peer: what one would write first: a ping, then connections to some ports, address by address, one at a time."""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
from contextlib import suppress

TIMEOUT_S = 3.0


def main(first: str, count: str, *ports: str) -> None:
    """Ask *count* addresses from *first* on, and print how many were found."""
    start, found = int(ipaddress.ip_address(first)), 0
    for number in range(start, start + int(count)):
        address = str(ipaddress.ip_address(number))
        answers = [_echoes(address, number & 0xFFFF), *(_answers(address, int(port)) for port in ports)]
        found += any(answers)
    sys.stdout.write(f"{found}\n")


def _echoes(address: str, number: int) -> bool:
    total = 0x0800 + number
    packet = struct.pack("!BBHHH", 8, 0, 0xFFFF - (total & 0xFFFF) - (total >> 16), 0, number)
    with _socket() as stream:
        stream.settimeout(TIMEOUT_S)
        stream.sendto(packet, (address, 0))
        with suppress(TimeoutError):
            while True:
                data, (sender, _) = stream.recvfrom(2048)
                answer = data[20:] if data[0] >> 4 == 4 else data  # raw sockets give the IP header, too
                if sender == address and answer[0] == 0 and answer[6:8] == packet[6:8]:
                    return True
    return False


def _socket() -> socket.socket:
    try:
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
    except PermissionError:
        return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


def _answers(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
        stream.settimeout(TIMEOUT_S)
        try:
            stream.connect((address, port))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return True


if __name__ == "__main__":
    main(*sys.argv[1:])
