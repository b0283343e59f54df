"""The local agent: the agent of the server's own computer, a child that is started again when it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock, Thread

import structlog

from dispatcher.agents import identity
from dispatcher.core.errors import DispatcherError
from dispatcher.core.networks import NO_NETWORK

log = structlog.get_logger(__name__)

#: How long the agent may take to report what it did when the server stops, in seconds.
GRACE_S = 16
#: How long to wait before the agent is started again, in seconds: doubled each time, until it has lived for the most.
FIRST_PAUSE_S = 1.0
MOST_PAUSE_S = 60.0
#: The exit code of an agent whose identity or token is refused.
_REFUSED = 4


class LocalAgent:
    """Keeps one agent running from ``start`` to ``stop``, by a thread of its own.

    *command* starts it; it reads a line from its standard input, an enrolment token from *new_token* or nothing if it
    does not need one, and ends when that input does: with us, however we end. *home* is where it keeps its identity.
    """

    def __init__(
        self,
        command: Sequence[str],
        home: Path,
        *,
        new_token: Callable[[], str],
        first_pause_s: float = FIRST_PAUSE_S,
        most_pause_s: float = MOST_PAUSE_S,
    ) -> None:
        self._command = list(command)
        self._home = home
        self._new_token = new_token
        self._first_pause_s = first_pause_s
        self._most_pause_s = most_pause_s
        self._lock = Lock()
        self._stopping = Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = Thread(target=self._run, name="local-agent", daemon=True)

    def start(self) -> None:
        """Start the agent, soon."""
        self._thread.start()

    def stop(self) -> None:
        """End the agent: in order if that takes no longer than ``GRACE_S``."""
        with self._lock:
            self._stopping.set()
            process = self._process
        if process is not None:
            assert process.stdin is not None  # noqa: S101 - made with a pipe
            process.stdin.close()
            try:
                process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                log.warning("local_agent.killed", pid=process.pid)
                process.kill()
                process.wait()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause_s = self._first_pause_s
        code: int | None = None
        while not self._stopping.is_set():
            started_at = time.monotonic()
            try:
                # One that was refused enrols anew: the datastore that knew it may have been replaced.
                process = self._begin(must_enrol=code == _REFUSED)
            except (OSError, DispatcherError) as error:
                log.error("local_agent.not_started", error=str(error), again_in_s=pause_s)
            else:
                if process is None:
                    return
                code = process.wait()
                if self._stopping.is_set():
                    return
                if time.monotonic() - started_at >= self._most_pause_s:
                    pause_s = self._first_pause_s
                log.error("local_agent.ended", code=code, again_in_s=pause_s)
            self._stopping.wait(pause_s)
            pause_s = min(2 * pause_s, self._most_pause_s)

    def _begin(self, *, must_enrol: bool) -> subprocess.Popen[bytes] | None:
        """Start the agent; return None if it is too late for that."""
        token = self._new_token() if must_enrol or not self._has_identity() else ""
        # Our settings are not its business; the datastore's password may be among them.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCHER_")}
        with self._lock:
            if self._stopping.is_set():
                return None
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
            # In a session of its own: Ctrl-C in a terminal is for the server, which then ends its agent in order.
            process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, env=environment, start_new_session=True, bufsize=0
            )
            self._process = process
            assert process.stdin is not None  # noqa: S101 - made with a pipe
            try:
                # Not on the command line or in the environment, where others could read it.
                process.stdin.write(token.encode() + b"\n")
            except BrokenPipeError:
                log.warning("local_agent.heard_nothing", pid=process.pid)  # it has ended: its exit code says why
        return process

    def _has_identity(self) -> bool:
        try:
            return identity.load(self._home) is not None
        except ValueError:
            log.warning("local_agent.identity_damaged", home=str(self._home))
            return False


def command_line(
    url: str, home: Path, slots: int, tls_cert: str, allowed_targets: Sequence[str], log_level: str, log_format: str
) -> list[str]:
    """Return the command that starts an agent of the server at *url*, whose certificate file is *tls_cert* ("": none).

    *allowed_targets* are the networks that its tasks may call. It logs as the server does, into the same stream.
    """
    command = [sys.executable, "-m", "dispatcher", "agent", "--local", "--dispatcher", url]
    command += ["--home", str(home), "--slots", str(slots), "--log-level", log_level, "--log-format", log_format]
    for network in allowed_targets or [NO_NETWORK]:
        command += ["--allowed-target", network]
    return [*command, "--pin", str(Path(tls_cert).absolute())] if tls_cert else command
