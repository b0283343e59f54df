"""Processes: starting one, watching it and leaving nothing of it behind.

A slot makes itself the *subreaper* of what it starts (Linux): a process whose parent dies becomes its child, so that
neither a new session nor a double fork nor a cleaned environment hides one. Windows has job objects for that (see
``job_processes``). Elsewhere descendants and the members of the task's session are found; a process that leaves both
escapes.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from dispatcher.agents.pipes import Bell

_PR_SET_CHILD_SUBREAPER = 36
#: How long processes that were sent SIGKILL may take to disappear, in seconds.
KILL_TIMEOUT_S = 5.0
#: How long new processes may keep appearing before those that were found are killed, in seconds.
STOP_TIMEOUT_S = 2.0
#: How many processes are named as killed; more are counted only.
MAX_NAMED = 500


def become_subreaper() -> bool:
    """Make this process the parent of all its orphaned descendants; return whether the system can do that."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        return bool(libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    else:  # noqa: RET505 - the type checker knows what it must not look at
        return False


class Family:
    """One process at a time, and all that come from it. *bell* rings when one of them ends.

    It must be made in the main thread, and owns SIGCHLD.
    """

    def __init__(self, bell: Bell) -> None:
        self._is_subreaper = become_subreaper()
        self._session: int | None = None
        bell.ring_on_signals()
        if sys.platform != "win32":
            # A handler, not SIG_IGN: an ignored signal would stay ignored in every task.
            signal.signal(signal.SIGCHLD, lambda *_: None)

    def start(self, command_line: list[str] | str, directory: str, environment: Mapping[str, str], output: int) -> int:
        """Start a process (see ``start``)."""
        pid = start(command_line, directory, environment, output)
        self._session = None if self._is_subreaper else pid
        return pid

    def reap(self) -> tuple[dict[int, int], bool]:
        """Take leave of every child that has ended; return their wait statuses, and whether something is left."""
        ended, others = reap()
        # Whatever lost its parent is a child of this process by now, if this is a subreaper.
        return ended, others if self._is_subreaper else bool(descendants(self._session))

    def terminate(self) -> list[str]:
        """Ask all that is left to end; return it as "pid name"."""
        return terminate(self._session)

    def kill(self, wait: Callable[[float], None]) -> Killed:
        """Kill all that is left (see ``kill``)."""
        return kill(wait, self._session)


def start(command_line: list[str] | str, directory: str, environment: Mapping[str, str], output: int) -> int:
    """Start a process in a session of its own that writes to the descriptor *output*; return its pid.

    It reads nothing. Whoever calls this reaps it (see ``reap``).

    :raises OSError: if it cannot be started.
    :raises ValueError: if an argument or variable cannot be passed on.
    """
    process = subprocess.Popen(
        command_line,
        cwd=directory,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    process.returncode = 0  # reaped here, not by this object
    return process.pid


def reap() -> tuple[dict[int, int], bool]:
    """Take leave of every child that has ended; return their wait statuses, and whether others are left."""
    ended: dict[int, int] = {}
    if sys.platform == "win32":
        return ended, False  # there nothing waits for that
    else:  # noqa: RET505 - the type checker knows what it must not look at
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ended, False
            if pid == 0:
                return ended, True
            ended[pid] = status


def name_of(process: psutil.Process) -> str:
    """Return "pid name"; only the pid if the process is gone."""
    try:
        # A name may be any bytes; what is not UTF-8 could not be reported.
        return f"{process.pid} {process.name().encode(errors='replace').decode()}"
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return str(process.pid)


@dataclass(slots=True)
class Killed:
    """What had to be killed, as "pid name", and what would not die."""

    names: list[str] = field(default_factory=list)
    survivors: list[str] = field(default_factory=list)


def descendants(session: int | None = None, spare: frozenset[int] = frozenset()) -> list[psutil.Process]:
    """Return the living descendants of this process but those below the children in *spare*.

    With *session*, also the members of that session (for systems without subreapers).
    """
    below = psutil.Process().children(recursive=True)
    found = {process.pid: process for process in (_beside(spare, below) if spare else below)}
    if session is not None:
        for process in psutil.process_iter():
            if _session_of(process.pid) == session:
                found[process.pid] = process
    return [process for process in found.values() if _is_alive(process)]


def terminate(session: int | None = None) -> list[str]:
    """Ask every descendant to end; return them as "pid name"."""
    asked = descendants(session)
    names = [name_of(process) for process in asked]
    for process in asked:
        _signal(process, signal.SIGTERM)
        if sys.platform != "win32":
            _signal(process, signal.SIGCONT)  # a stopped process would not hear it
    return names


def kill(wait: Callable[[float], None], session: int | None = None, spare: frozenset[int] = frozenset()) -> Killed:
    """Kill every descendant (see ``descendants``) and reap it, again and again until none is left.

    They are all stopped before the first is killed, so that none can start another. *wait* waits at most so many
    seconds for a child to end. Gives up on what does not die within ``KILL_TIMEOUT_S``.
    """
    killed = Killed()
    deadline: float | None = None
    named: set[psutil.Process] = set()
    while found := _stopped_descendants(session, spare):
        for process in found - named:
            killed.names.append(name_of(process))
        named |= found
        for process in found:
            _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        # From here on: to find and stop a whole crowd may take longer.
        deadline = deadline or time.monotonic() + KILL_TIMEOUT_S
        _reap_these(spare)
        rest = descendants(session, spare)
        if rest and time.monotonic() > deadline:
            killed.survivors = [name_of(process) for process in rest]
            break
        if rest:
            wait(0.05)
    _reap_these(spare)
    return killed


def limited(names: list[str]) -> list[str]:
    """Return the first ``MAX_NAMED`` of *names*, and how many more there are."""
    more = len(names) - MAX_NAMED
    return names if more <= 0 else [*names[:MAX_NAMED], f"and {more} more"]


def kill_marked(variable: str, prefix: str) -> Killed:
    """Kill every process with an environment *variable* beginning with *prefix*, again and again until none is left.

    This finds what outlived the death of both its agent and its slot, but for what has cleaned its environment.
    Gives up on what does not die within ``KILL_TIMEOUT_S``.
    """
    killed = Killed()
    deadline = time.monotonic() + KILL_TIMEOUT_S
    named: set[psutil.Process] = set()
    while found := {one for one in psutil.process_iter() if _environment(one).get(variable, "").startswith(prefix)}:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            killed.survivors = [name_of(process) for process in found]
            break
        killed.names += [name_of(process) for process in found - named]
        named |= found
        for process in found:
            _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        psutil.wait_procs(found, left_s)
    return killed


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return {}


def _stopped_descendants(session: int | None, spare: frozenset[int]) -> set[psutil.Process]:
    stopped: set[psutil.Process] = set()
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while new := set(descendants(session, spare)) - stopped:
        for process in new:
            if sys.platform != "win32":
                _signal(process, signal.SIGSTOP)
        stopped |= new
        # Not before: however long the first look took, what it has found is killed.
        if time.monotonic() >= deadline:
            break
    return stopped


def _reap_these(spare: frozenset[int]) -> None:
    """Reap ended children but those in *spare*, whose owner does it."""
    if not spare:
        reap()
        return
    for child in psutil.Process().children():
        if child.pid not in spare and sys.platform != "win32":
            os.waitpid(child.pid, os.WNOHANG)


def _beside(spare: frozenset[int], below: list[psutil.Process]) -> list[psutil.Process]:
    """Return those of the descendants *below* whose parents lead to this process, but through none in *spare*.

    A second look, for what is below *spare*, could miss one of theirs that the first has seen. This cannot: nothing
    leaves a spared subreaper. One whose parent has just ended is left for the next look.
    """
    children = defaultdict(list)
    for process in below:
        if process.pid not in spare:
            children[_parent_of(process)].append(process)
    found: list[psutil.Process] = []
    unseen: list[int | None] = [os.getpid()]
    while unseen:
        new = children.pop(unseen.pop(), [])
        found += new
        unseen += [process.pid for process in new]
    return found


def _parent_of(process: psutil.Process) -> int | None:
    try:
        return process.ppid()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _session_of(pid: int) -> int | None:
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):
            return os.getsid(pid)
    return None


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return  # gone, or someone else's (sudo): then it shows among the survivors
