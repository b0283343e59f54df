"""Free ports of 127.0.0.1, for programs that are told one before they start, or that start again on the same one."""

from __future__ import annotations

import itertools
import os
import random
import re
import socket
from collections.abc import Iterator

#: Below those that the system gives to connections and to whoever binds port 0 (Linux has them from 32768, others from
#: 49152): nobody else gets the port before the program is there, or while it is away.
_PORTS = range(20_000, 32_000)
#: How many workers may test at the same time without having the same ports.
_WORKERS = 16


def _shuffled() -> Iterator[int]:
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    mine = list(_PORTS[worker % _WORKERS :: _WORKERS])
    random.SystemRandom().shuffle(mine)  # others may test on this computer, too
    return itertools.cycle(mine)


_NEXT = _shuffled()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port that nobody uses; not one of those that were returned lately."""
    for port in itertools.islice(_NEXT, len(_PORTS)):
        with socket.socket(socket.AF_INET, kind) as one:
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
