"""Processes: those of the agent in a directory of this computer, and their end."""

from __future__ import annotations

# It runs on Linux only, and is checked for Windows, too, which lacks what is used here.
# mypy: disable-error-code="attr-defined"
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

#: How long an agent may take to end its tasks and report them, in seconds.
GOODBYE_S = 20.0
#: How long what is killed may take to be gone, in seconds.
_KILL_S = 5.0
_LOOK_S = 0.1
#: The place of the parent and of the moment of the start in ``/proc/<pid>/stat``, counted behind the name.
_PARENT, _STARTED = 1, 19
_ZOMBIE = "Z"


@dataclass(frozen=True)
class Process:
    """A process. Its number alone says little: it is given to another one later."""

    pid: int
    started: int


def of_agent(directory: Path, proc: Path = Path("/proc")) -> set[Process]:
    """Return the processes of the agent in *directory*, with all that have come from them as far as that shows."""
    found = list(_all(proc))
    mine = {process for process, _ in found if _belongs(proc / str(process.pid), directory)}
    return mine | _children(found, mine)


def stop(directory: Path, goodbye_s: float = GOODBYE_S) -> list[int]:
    """End the agent in *directory* and whatever it runs; return the ids of processes that cannot be killed.

    It is asked first, and may report; whatever is left then is killed.
    """
    known = of_agent(directory)
    for process in _roots(known):
        _send(process, signal.SIGTERM)

    def left() -> bool:
        known.update(of_agent(directory), _children(list(_all(Path("/proc"))), known))
        return bool(_alive(known))

    _wait(left, goodbye_s)
    # Stopped first: nothing that starts others escapes while they are killed one after the other.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for process in _alive(known):
            _send(process, number)

    def survives() -> bool:
        for process in _alive(known):
            _send(process, signal.SIGKILL)
        return left()

    _wait(survives, _KILL_S)
    return sorted(process.pid for process in _alive(known))


def _belongs(place: Path, directory: Path) -> bool:
    """Whether the program of the process is the agent's, or a task of the agent is where it comes from."""
    program, task = os.fsencode(directory / "program") + b"/", os.fsencode(directory / "home") + b"/"
    with suppress(OSError):
        if (place / "cmdline").read_bytes().startswith(program):
            return True
        # Every task finds there where it writes its outputs.
        return any(
            line.startswith(b"DISPATCHER_OUTPUT=" + task) for line in (place / "environ").read_bytes().split(b"\0")
        )
    return False


def _all(proc: Path) -> Iterator[tuple[Process, int]]:
    """Give every process that runs, with the id of its parent."""
    for entry in proc.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError, ValueError, IndexError):
                fields = _stat(entry)
                if fields[0] != _ZOMBIE:
                    yield Process(int(entry.name), int(fields[_STARTED])), int(fields[_PARENT])


def _stat(entry: Path) -> list[str]:
    # The name is in parentheses, and may hold anything.
    return (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()


def _children(found: list[tuple[Process, int]], of: set[Process]) -> set[Process]:
    """Return the descendants of the processes *of* among those that were *found*."""
    below: dict[int, list[Process]] = {}
    for process, parent in found:
        below.setdefault(parent, []).append(process)
    running = {process for process, _ in found}
    waiting, known = [process.pid for process in of & running], set[Process]()
    while waiting:
        for process in below.get(waiting.pop(), []):
            if process not in known:
                known.add(process)
                waiting.append(process.pid)
    return known


def _roots(known: set[Process]) -> set[Process]:
    parents = dict(_all(Path("/proc")))
    ids = {process.pid for process in known}
    return {process for process in known if process in parents and parents[process] not in ids}


def _alive(known: set[Process]) -> set[Process]:
    return known & {process for process, _ in _all(Path("/proc"))}


def _send(process: Process, number: signal.Signals) -> None:
    with suppress(OSError, ValueError, IndexError):
        if int(_stat(Path(f"/proc/{process.pid}"))[_STARTED]) == process.started:
            os.kill(process.pid, number)


def _wait(is_so: Callable[[], bool], most_s: float) -> None:
    until = time.monotonic() + most_s
    while is_so() and time.monotonic() < until:
        time.sleep(_LOOK_S)
