"""M13: how fast computers are discovered, and how fast loose JSON is read, which such orders come in."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import Figure, Round, Series, Verdict
from dispatcher.agents import premises, worker_order
from dispatcher.agents.premises import Premises
from dispatcher.tasks import outputs
from dispatcher.tasks.discovering.order import PINGS_PER_S, PORTS, DiscoveryOrder
from dispatcher.wire.loose_json import read_loose_json
from dispatcher.wire.quotas import Quotas

#: How many addresses are asked everything, and how many are only pinged: a /24 and a /16.
ALL, PINGED = 256, 65_536
#: The size of the large document, in bytes; json5 reads a sixteenth of it.
LARGE = 1 << 20
_FIRST = "127.3.0.0"
#: All questions that need no credentials, and those of a ping.
_PING = ["icmp", "verify_with_ping"]
_EVERYTHING = [*_PING, "port_scan", "dns_name", "mac_address", "netbios_name", "snmp", "windows"]
_LOOK_EVERY_S = 0.01
_FPING_AT_A_TIME = 16_384
#: Goals: seconds for a /16, MiB of memory, how many times json5, and how many times the time of the standard library.
_MOST_S, _MOST_MIB, _JSON5, _JSON = 60.0, 96.0, 10.0, 30.0
#: The seed's model of a discovery, strictly written.
_SAMPLE = {
    "Name": "Test",
    "JobType": 1,
    "StartTime": "2022-03-03T11:30:00.000Z",
    "DiscoveryTargets": {"RangeIpTargets": [{"StartIp": "192.168.19.100", "EndIP": "192.168.19.200"}]},
}


@dataclass(frozen=True, slots=True)
class _Ended:
    """A process that has ended: what it took, and how many computers it has found."""

    seconds: float
    cpu_s: float
    memory_mib: float  #: at most
    found: int


_Contestants = dict[str, Callable[[], _Ended]]


def run(directory: Path, pairs: int, everything: int, pinged: int, large: int) -> Figure:
    """Measure discoveries of *everything* and *pinged* addresses of 127.0.0.0/8, and documents of *large* bytes.

    Each discovery is a process, ours is that of the agent's task. Nobody listens at the ports, every address echoes.

    :raises RuntimeError: if a computer was not found.
    """
    figure = Figure("M13", f"discovery of {everything} addresses with all options, of {pinged} by ping", unit="host")
    home = directory.resolve() / "m13"
    home.mkdir(parents=True)
    premises.save(home, Premises(allowed_targets=["127.0.0.0/8"]))
    ports = [str(port) for port in PORTS]
    naive = [sys.executable, "-m", "bench.peers.ping_connect", _FIRST, str(everything), *ports]
    contestants: _Contestants = {
        "Dispatcher, all options": lambda: _discovery(home, everything, _EVERYTHING),
        "a loop of ping and connect": lambda: _process(naive, home / "naive", int),
    }
    _compare(figure, everything, pairs, contestants)
    contestants = {
        f"Dispatcher, ping, {PINGS_PER_S} a second": lambda: _discovery(home, pinged, _PING),
        "Dispatcher, ping, as fast as it can": lambda: _discovery(home, pinged, _PING, pings_per_s=100_000),
    }
    if shutil.which("fping"):
        contestants["fping, as fast as it can"] = lambda: _fping(home, pinged)
    else:
        figure.notes.append("fping is not installed.")
    paced, *_ = _compare(figure, pinged, 1, contestants)
    what, took_s, memory_mib = f"{pinged} addresses by ping", paced.seconds, paced.memory_mib
    figure.verdicts += [
        Verdict(f"{what} in at most {_MOST_S:g} s", f"{took_s:.1f} s", took_s <= _MOST_S),
        Verdict(f"{what} in at most {_MOST_MIB:g} MiB", f"{memory_mib:.0f} MiB", memory_mib <= _MOST_MIB),
    ]
    _read(figure, pairs, "the sample", json.dumps(_SAMPLE), 1)
    _read(figure, pairs, f"{large} bytes", _document(large), 16)
    return figure


def _fping(home: Path, addresses: int) -> _Ended:
    """Ping as many, a part after the other: of 65,536 at once it runs out of sequence numbers."""
    begin, parts = ipaddress.ip_address(_FIRST), []
    for start in range(0, addresses, _FPING_AT_A_TIME):
        end = min(addresses, start + _FPING_AT_A_TIME) - 1
        command = ["fping", "-a", "-r", "3", "-t", "3000", "-i", "0", "-g", str(begin + start), str(begin + end)]
        parts.append(_process(command, home / "fping", lambda said: len(said.splitlines())))
    return _Ended(
        sum(one.seconds for one in parts),
        sum(one.cpu_s for one in parts),
        max(one.memory_mib for one in parts),
        sum(one.found for one in parts),
    )


def _compare(figure: Figure, addresses: int, pairs: int, contestants: _Contestants) -> list[_Ended]:
    """Have all take turns, *pairs* times; return how each ended last."""
    all_series = [Series(name) for name in contestants]
    ended: list[_Ended] = []
    for _ in range(pairs):
        ended = [work() for work in contestants.values()]
        for series, one in zip(all_series, ended, strict=True):
            if one.found != addresses:
                raise RuntimeError(f"{series.name}: {one.found} of {addresses} were found")
            series.rounds.append(Round(addresses, 0, addresses / one.seconds, addresses / max(one.cpu_s, 0.01)))
    figure.series += all_series
    memory = [f"{series.name} {one.memory_mib:.0f} MiB" for series, one in zip(all_series, ended, strict=True)]
    figure.notes.append(f"{addresses} addresses, the most memory: {'; '.join(memory)}.")
    return ended


def _discovery(home: Path, addresses: int, options: Sequence[str], **more: Any) -> _Ended:
    """Do a discovery as an agent does: its task in a worker process."""
    end = str(ipaddress.ip_address(_FIRST) + addresses - 1)
    scratch = home / f"scratch-{time.monotonic_ns()}"
    scratch.mkdir()
    order = DiscoveryOrder.model_validate(
        {
            "targets": [{"kind": "range", "start": _FIRST, "end": end}],
            "options": dict.fromkeys(options, True),
            **more,
        }
    )
    process = worker_order.prepare("discovery", order, home, scratch, home)
    given = {**os.environ, outputs.VARIABLE: str(scratch / "outputs")}

    def count(said: str) -> int:
        return said.count("\tFound\t")

    return _process([*process.command_line], scratch / "said", count, process.directory, given)


def _process(
    command: Sequence[str],
    said: Path,
    count: Callable[[str], int],
    directory: Path | None = None,
    environment: dict[str, str] | None = None,
) -> _Ended:
    """Run *command* to its end, with its output in the file *said*, in which *count* finds how many were found.

    :raises RuntimeError: if it fails.
    """
    begun = time.perf_counter()
    problems = said.with_suffix(".errors")
    with said.open("wb") as output, problems.open("wb") as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, cwd=directory, env=environment
        )
    memory_kib = 0
    # Not the system's maximum of a child, which counts what the parent had when it was forked.
    while not (waited := os.wait4(process.pid, os.WNOHANG))[0]:
        memory_kib = max(memory_kib, _memory_kib(process.pid))
        time.sleep(_LOOK_EVERY_S)
    _, status, used = waited
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {problems.read_text()[-500:]}")
    return _Ended(seconds, used.ru_utime + used.ru_stime, memory_kib / 1024, count(said.read_text()))


def _memory_kib(process: int) -> int:
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0  # it has ended


def _document(size: int) -> str:
    """Return an order of about *size* bytes: many single addresses."""
    one = {"Ip": "127.100.100.100", "Timeout": 3000, "Retry": 3}
    count = max(1, size // (len(json.dumps(one)) + 2))
    return json.dumps({**_SAMPLE, "DiscoveryTargets": {"SingleIpTargets": [one] * count}})


def _read(figure: Figure, pairs: int, what: str, text: str, share: int) -> None:
    """Have *text*, which is strict, read by us, json5 and the standard library; json5 gets a *share* of it."""
    try:
        import json5
    except ImportError:
        figure.notes.append("json5 is not installed: the reading of JSON was not measured.")
        return
    quotas = Quotas(message_bytes=len(text) + 1)
    part = text if share == 1 else _document(len(text) // share)
    ours: list[float] = []
    peers: list[float] = []
    standard: list[float] = []
    for _ in range(pairs):
        ours.append(_per_byte(lambda: read_loose_json(text, quotas), text))
        peers.append(_per_byte(lambda: json5.loads(part), part))
        standard.append(_per_byte(lambda: json.loads(text), text))
    least, times, slower = min(ours), min(peers) / min(ours), min(ours) / min(standard)
    mib_per_s = 1 / least / (1 << 20)
    figure.verdicts += [
        Verdict(f"loose JSON, {what}: at least {_JSON5:g} times json5", f"{times:.0f} times", times >= _JSON5),
        Verdict(f"the same: at most {_JSON:g} times the time of json", f"{slower:.0f} times", slower <= _JSON),
    ]
    took_us = least * len(text) * 1e6
    figure.notes.append(f"Loose JSON, {what} ({len(text)} bytes): {took_us:.0f} µs, {mib_per_s:.1f} MiB/s.")


def _per_byte(read: Callable[[], object], text: str) -> float:
    """Return the processor time that a byte takes, in seconds: what is short is read many times."""
    times = max(1, 20_000 // len(text))
    begun = time.process_time()
    for _ in range(times):
        read()
    return (time.process_time() - begun) / times / len(text)
