"""Processes: what a server and all its children use of processor and memory, and on which core they run."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1
#: Loaded before anything is forked: a new process may not wait for locks of others.
_LIBC = ctypes.CDLL(None)
#: How long a server may take to stop, in seconds, before it is killed.
STOP_S = 15


class Server:
    """A server process, pinned to one core together with whatever it starts. A context manager: it ends with it.

    It is also asked to end when the thread that started it ends, however that happens.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], core: int | None, log: Path) -> None:
        parent = os.getpid()

        def settle() -> None:
            _end_with(parent)
            _allow_many_files()
            if core is not None:
                os.sched_setaffinity(0, {core})

        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=settle,
            )
        self._log = log

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def stop(self) -> None:
        """Ask the process to end and wait until it has; kill it with all it has started if that takes too long."""
        self.__exit__(None, None, None)

    def check(self) -> None:
        """Raise RuntimeError if the server has ended, with the end of its log."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the server has ended:\n{self._log.read_text()[-2000:]}")

    def cpu_s(self) -> float:
        """Return the seconds of processor time that the server's whole tree has used so far."""
        return cpu_s(self._process.pid)

    def memory_mib(self) -> float:
        """Return the memory of the server's whole tree: what is shared counts once (PSS), in MiB."""
        return sum(_pss_kib(pid) for pid in _tree(self._process.pid)) / 1024


def cpu_s(root: int) -> float:
    """Return the seconds of processor time that the process *root* and all below it have used so far."""
    return sum(_ticks(pid) for pid in _tree(root)) / TICKS_PER_S


def _end_with(parent: int) -> None:
    """Have the kernel ask this process to end when *parent* does: a benchmark that is killed leaves nothing running."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it has ended already
        os._exit(1)


def _allow_many_files() -> None:
    """Let a server have as many connections as the machine allows."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _pss_kib(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = _fields(stat)
        if fields:
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [root]
    for pid in found:  # grows while it is walked
        found += children.get(pid, [])
    return found


def _ticks(pid: int) -> int:
    """Return the user and system time of the process and of its children that have ended."""
    fields = _fields(Path(f"/proc/{pid}/stat"))
    return sum(map(int, fields[11:15]))  # nothing of a process that is gone


def _fields(stat: Path) -> list[str]:
    """Return what follows the name, which may hold blanks and brackets; nothing of a process that is gone."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def wait_until(ready: Callable[[], bool], server: Server, seconds: float = 30) -> None:
    """Return when ``ready()`` is true.

    :raises RuntimeError: if the server ends, or is not ready in time.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        server.check()
        if time.monotonic() > deadline:
            raise RuntimeError("the server is not ready in time")
        time.sleep(0.05)
