"""SNMP traps: devices tell that their configuration has changed, and are backed up when they have come to rest.

A listener of its own, off unless it is configured. It understands traps of SNMP v1 and v2c, and informs of v2c, with a
community that is configured; everything else is dropped. What a trap leads to is a job that was scheduled for that, and
for that device: a forged one can do no more than that, and no oftener than the device may come to rest.
"""

from __future__ import annotations

import hmac
import math
import socket
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from contextlib import suppress

import structlog

from dispatcher import snmp
from dispatcher.core.errors import Unavailable

log = structlog.get_logger(__name__)

#: How long a device must be silent before it counts as at rest, and after how long it does in any case, in seconds.
QUIET_S, LONGEST_S = 10.0, 60.0
#: How many devices may be restless at the same time: addresses can be forged.
MOST = 10_000
#: How many packets are looked at in a second. What comes beyond that is left to the system, which drops it.
MOST_PACKETS = 1_000
#: How often the thread looks whether it shall end, and how long it waits when nothing can be received, in seconds.
TICK_S = 0.5
#: How often at most the log tells what was dropped, in seconds.
TELL_EVERY_S = 60.0
#: No packet of UDP is larger, in bytes.
_LARGEST = 65_535


class Rest:
    """Finds out when devices that tell of changes have come to rest, by a clock that its callers read."""

    def __init__(self, quiet_s: float = QUIET_S, longest_s: float = LONGEST_S) -> None:
        self._quiet_s = quiet_s
        self._longest_s = longest_s
        # When each has told of a change first and last: the earliest is at the beginning.
        self._first: OrderedDict[str, float] = OrderedDict()
        self._last: OrderedDict[str, float] = OrderedDict()

    def note(self, address: str, now: float) -> None:
        """Note that the device has told of a change. Time does not go back from one call to the next."""
        if address in self._first or len(self._first) < MOST:
            self._first.setdefault(address, now)
            self._last[address] = now
            self._last.move_to_end(address)

    def take(self, now: float) -> list[str]:
        """Return, once, the devices that have come to rest by now."""
        found = []
        while (following := self._following()) is not None and following[0] <= now:
            address = following[1]
            del self._first[address], self._last[address]
            found.append(address)
        return found

    def next_at(self) -> float | None:
        """Return when the next one may have come to rest; None if none is restless."""
        following = self._following()
        return None if following is None else following[0]

    def _following(self) -> tuple[float, str] | None:
        """Return which one comes to rest next, and when."""
        if not self._first:
            return None
        first, last = next(iter(self._first)), next(iter(self._last))
        return min((self._first[first] + self._longest_s, first), (self._last[last] + self._quiet_s, last))


class Traps:
    """A thread that listens at a UDP address, and calls *changed* with the addresses of devices that have changed."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        communities: Collection[str],
        ids: Collection[str],
        changed: Callable[[Collection[str]], object],
        steady: Callable[[], float],
        rest: Rest | None = None,
        shared: bool = False,
    ) -> None:
        """Listen; what arrives is looked at after ``start``. *ids* are those of the traps that tell of a change.

        :raises OSError: if the address cannot be listened on.
        """
        self._communities = [community.encode() for community in communities]
        self._ids = {snmp.encode_id(one) for one in ids}
        self._changed = changed
        self._steady = steady
        self._rest = rest or Rest()
        self._dropped: Counter[str] = Counter()
        self._tell_at = -math.inf
        self._second = (-math.inf, 0)  #: when the last second has begun, and how many packets there were in it
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        if shared:  # what one device sends from one port comes to the same process each time
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traps", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._socket.getsockname()[1]
        return port

    def start(self) -> None:
        """Begin to heed what is heard."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it. Devices that are not at rest yet count as if they were."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(10)
        self._socket.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            next_at = self._rest.next_at()
            left = TICK_S if next_at is None else next_at - self._steady()
            self._socket.settimeout(min(max(left, 0.001), TICK_S))
            try:
                self._hear()
            except TimeoutError:
                pass
            except OSError as error:  # a network that is down comes up again
                self._drop("not_received", str(error))
                self._stopping.wait(TICK_S)
            self._tell(self._rest.take(self._steady()))
        self._tell(self._rest.take(math.inf))

    def _hear(self) -> None:
        """Take in one packet.

        :raises TimeoutError: if there is none.
        """
        data, peer = self._socket.recvfrom(_LARGEST)
        address = peer[0].removeprefix("::ffff:")
        self._pace(address)
        try:
            trap = snmp.read(data)
        except snmp.Malformed:
            self._drop("malformed", address)
            return
        # All are compared, to the end: the time that it takes tells nothing.
        if not sum(hmac.compare_digest(trap.community, community) for community in self._communities):
            self._drop("wrong_community", address)
            return
        if trap.id in self._ids:
            self._rest.note(address, self._steady())
        if trap.answer is not None:
            with suppress(OSError):
                self._socket.sendto(trap.answer, peer)

    def _pace(self, address: str) -> None:
        """Wait until the second is over if there were enough packets in it."""
        now = self._steady()
        began, packets = self._second
        self._second = (began, packets + 1) if now < began + 1 else (now, 1)
        if self._second[1] >= MOST_PACKETS:
            self._drop("seconds_with_too_many", address)
            self._stopping.wait(self._second[0] + 1 - now)

    def _drop(self, reason: str, last: str) -> None:
        """Note that something was dropped; the log hears of it now and then."""
        self._dropped[reason] += 1
        now = self._steady()
        if now >= self._tell_at:
            self._tell_at = now + TELL_EVERY_S
            log.warning("trap.dropped", **self._dropped, last=last)
            self._dropped.clear()

    def _tell(self, addresses: Collection[str]) -> None:
        """Say that the devices with these addresses have changed."""
        if not addresses:
            return
        try:
            self._changed(addresses)
        except Unavailable as error:
            log.warning("trap.not_heeded_yet", addresses=len(addresses), error=error.message)
            for address in addresses:
                self._rest.note(address, self._steady())
        except Exception:  # the next devices must not suffer for it; these are backed up when they are due
            log.exception("trap.not_heeded", addresses=len(addresses))
