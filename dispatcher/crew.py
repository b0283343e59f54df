"""The crew: several serving processes on the same ports, and the parent that starts them again when they die.

Each member is a dispatcher of its own: it is forked, opens the datastore itself and knows the others only by that. The
kernel deals out the connections (``SO_REUSEPORT``). The parent serves nothing.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Thread

import structlog

from dispatcher import logs, serving
from dispatcher.addresses import Address
from dispatcher.config import Config
from dispatcher.core.errors import Conflict
from dispatcher.datastore.engines import traits_of_url
from dispatcher.places import DIALECTS
from dispatcher.web.listeners import bind

log = structlog.get_logger(__name__)

#: How long to wait before a dead member is started again, in seconds: doubled each time, until one has lived for long.
FIRST_PAUSE_S = 0.2
MOST_PAUSE_S = 10.0
#: A member that lived this long counts as one that works.
LONG_LIFE_S = 60.0
#: How often the parent looks whether a pause is over, in seconds.
TICK_S = 0.5
_ENDING = frozenset({signal.SIGINT, signal.SIGTERM})


class NoCrew(Conflict):
    """Several processes cannot serve here."""

    code = "config.no_crew"


@dataclass(slots=True)
class Member:
    """A place in the crew, and the process that has it; none while it waits for the next one."""

    index: int
    pid: int | None = None
    started_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    start_at: float = 0.0


class Crew:
    """Keeps *size* processes in *work* until this one is told to end.

    *work* is given the index of the place and whether it is taken for the first time; what it returns is the exit code.
    """

    def __init__(self, size: int, work: Callable[[int, bool], int]) -> None:
        self._members = [Member(index) for index in range(size)]
        self._work = work
        self._is_ending = False
        #: Closed by the kernel when the parent ends, however that happens.
        self._life_end, self._life = os.pipe()

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM, and return when all members have ended. A second signal kills them."""
        waited_for = _ENDING | {signal.SIGCHLD}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
        try:
            while not self._is_ending or any(member.pid is not None for member in self._members):
                if not self._is_ending:
                    self._fill(before)
                heard = signal.sigtimedwait(waited_for, TICK_S)
                if heard is not None and heard.si_signo in _ENDING:
                    self._end()
                self._bury()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _fill(self, mask: set[signal.Signals | int]) -> None:
        """Start a process for every place whose pause is over."""
        for member in self._members:
            if member.pid is None and time.monotonic() >= member.start_at:
                is_first = member.started_at == 0.0
                member.started_at = time.monotonic()
                member.pid = os.fork()
                if member.pid == 0:
                    self._be(member.index, mask, is_first=is_first)
                log.info("crew.member_started", index=member.index, pid=member.pid)

    def _be(self, index: int, mask: set[signal.Signals | int], *, is_first: bool) -> None:
        """Be the member: never returns."""
        code = 1
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.close(self._life)
            Thread(target=self._end_with_parent, name="crew", daemon=True).start()
            code = self._work(index, is_first)
        except Exception:  # whatever it is, the parent's stack below this must not go on
            log.exception("crew.member_failed", index=index)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _end_with_parent(self) -> None:
        os.read(self._life_end, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _end(self) -> None:
        """Tell the members to end, or end them if they have been told before."""
        # A member may have got the first signal from a terminal or a service manager as well: only the parent counts.
        how = signal.SIGKILL if self._is_ending else signal.SIGTERM
        self._is_ending = True
        for member in self._members:
            if member.pid is not None:
                os.kill(member.pid, how)

    def _bury(self) -> None:
        """Note which members have ended, and when their places are filled again."""
        for member in self._members:
            if member.pid is None:
                continue
            pid, status = os.waitpid(member.pid, os.WNOHANG)
            if pid == 0:
                continue
            if time.monotonic() - member.started_at >= LONG_LIFE_S:
                member.pause_s = FIRST_PAUSE_S
            code = os.waitstatus_to_exitcode(status)
            if not self._is_ending:
                log.error("crew.member_ended", index=member.index, pid=pid, code=code, again_in_s=member.pause_s)
            member.pid, member.start_at = None, time.monotonic() + member.pause_s
            member.pause_s = min(2 * member.pause_s, MOST_PAUSE_S)


def run(config: Config, size: int, *, prepare: serving.Prepare, ready: serving.Ready) -> None:
    """Serve by *size* processes until SIGINT or SIGTERM. The first of them has the local agent.

    A second signal ends them at once, which loses nothing acknowledged.

    :raises NoCrew: if the datastore is SQLite, or the system cannot share ports.
    :raises UnsafeListener: as ``serving.run`` does, and ``OSError``.
    """
    logs.configure(config.log.level, config.log.format)
    if traits_of_url(config.datastore_url).single_writer:
        raise NoCrew("several processes need PostgreSQL or MariaDB: a SQLite file has room for one")
    if not hasattr(socket, "SO_REUSEPORT") or not hasattr(signal, "sigtimedwait"):
        raise NoCrew("several processes on the same ports need Linux")
    with ExitStack() as closing:
        # What need not be done by all of them, and what is wrong shows here, once.
        serving.build(config, prepare, closing)
    with ExitStack() as closing:
        shared = reserve(config, closing)
        gc.collect()
        gc.freeze()  # what the members share with their parent stays shared

        def work(index: int, is_first: bool) -> int:
            return _serve(shared, index, ready if is_first and index == 0 else _say_nothing)

        Crew(size, work).run()


def reserve(config: Config, closing: ExitStack) -> Config:
    """Return *config* with the ports that the members share, which are kept until *closing* closes.

    :raises OSError: if another program has one of them.
    """
    listeners = [("web", "listen"), ("agents", "listen"), *(("listeners", name) for name in DIALECTS)]
    for section, name in listeners:
        address = getattr(getattr(config, section), name)
        if not isinstance(address, Address):
            continue
        # It keeps the port for the crew, also while none of it is alive, and takes no connections itself.
        reserved = closing.enter_context(bind(address.host, address.port, shared=True))
        update = {name: Address(address.host, reserved.getsockname()[1])}
        config = config.model_copy(update={section: getattr(config, section).model_copy(update=update)})
    return config


def _serve(config: Config, index: int, ready: serving.Ready) -> int:
    if index > 0:
        config = config.model_copy(update={"local_agent": config.local_agent.model_copy(update={"enabled": False})})
    serving.run(config, prepare=lambda *_: None, ready=ready, in_crew=True)
    return 0


def _say_nothing(_: serving.Addresses) -> None:
    """Do nothing: somebody has said it before."""
