"""TCP ports: open, refused and silent ones, and how many are tried at a time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

from dispatcher.tasks.discovering.probes import Answer, Waiting, together
from dispatcher.tasks.discovering.tcp_ports import PORTS_AT_A_TIME, PortScan, State, attempt, connect

ONCE = Waiting(0.3, 1)


def ask(ports: list[int], *addresses: str, waiting: Waiting = ONCE, connections: int = 100) -> list[Answer | None]:
    async def all_of_them() -> list[Answer | None]:
        scan = PortScan(ports, connections)
        return await together(scan.ask(address, waiting) for address in addresses)

    return asyncio.run(all_of_them())


def test_open_ports_are_told_ascending_each_once(listen, closed_port) -> None:
    ports = [listen(), listen()]
    assert ask([*ports, closed_port, *ports], "127.0.0.1") == [Answer(ports=tuple(sorted(ports)))]


def test_refused_connection_shows_a_computer(closed_port) -> None:
    assert ask([closed_port], "127.0.0.1", "127.0.0.77") == [Answer(), Answer()]


def test_ipv6(listen) -> None:
    port = listen("::1")
    assert ask([port], "::1") == [Answer(ports=(port,))]


def test_silence_is_no_answer_after_all_tries(hush) -> None:
    port, begin = hush("127.0.0.3"), time.monotonic()
    assert ask([port], "127.0.0.3", waiting=Waiting(0.1, 3)) == [None]
    assert 0.3 <= time.monotonic() - begin < 1.5


def test_one_port_that_answers_is_enough(hush, closed_port) -> None:
    assert ask([hush(), closed_port], "127.0.0.1") == [Answer()]


def test_where_no_way_leads_there_is_silence() -> None:
    # Nobody can connect to a multicast group: the system refuses before anything is sent.
    assert asyncio.run(connect("224.0.0.1", 9)) is State.SILENT


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")
def test_own_limits_are_not_taken_for_silence(closed_port) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def out_of_descriptors() -> Answer | None:
        scan = PortScan([closed_port], 10)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            return await scan.ask("127.0.0.1", ONCE)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    with pytest.raises(OSError, match="Too many"):
        asyncio.run(out_of_descriptors())


def test_sockets_at_a_time_are_bounded(hush) -> None:
    port = hush("127.0.0.1")
    addresses = [f"127.0.0.{number}" for number in range(2, 42)]
    for address in addresses:
        hush(address, port)
    before = _connecting(port)
    most, is_over = [0], threading.Event()

    def count() -> None:
        while not is_over.wait(0.01):
            most[0] = max(most[0], _connecting(port) - before)

    thread = threading.Thread(target=count)
    thread.start()
    assert ask([port], *addresses, waiting=Waiting(0.1, 1), connections=10) == [None] * 40
    is_over.set()
    thread.join()
    assert 5 <= most[0] <= 10


def _connecting(port: int) -> int:
    found = psutil.Process(os.getpid()).net_connections("tcp4")
    return sum(bool(one.raddr) and one.raddr.port == port and one.status == "SYN_SENT" for one in found)


def test_ports_of_one_computer_are_tried_some_at_a_time(hush) -> None:
    ports = [hush() for _ in range(2 * PORTS_AT_A_TIME)]
    begin = time.monotonic()
    assert ask(ports, "127.0.0.1", waiting=Waiting(0.2, 1)) == [None]
    assert 0.4 <= time.monotonic() - begin < 1.5


def test_silence_is_waited_for_as_often_as_said(hush) -> None:
    port, begin = hush(), time.monotonic()
    assert asyncio.run(attempt("127.0.0.1", port, Waiting(0.1, 2))) is State.SILENT
    assert 0.2 <= time.monotonic() - begin < 1


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")
@pytest.mark.parametrize(
    ("hard", "parallel", "at_most"), [(300, 64, 16), (700, 64, 408), (5000, 64, 512), (100, 1, 16)]
)
def test_connections_fit_the_descriptors_that_may_be_had(hard, parallel, at_most) -> None:
    # In a process of its own: a lower limit cannot be taken back.
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (90, {hard}))
from dispatcher.tasks.discovering.tcp_ports import connections
print(connections({parallel}), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, soft = map(int, done.stdout.split())
    assert count == at_most
    assert soft <= hard
    assert count + 3 * parallel + 100 <= soft or count == 16
