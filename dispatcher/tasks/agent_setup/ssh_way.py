"""The SSH way: sets up the agent of a Linux computer, with its ``/bin/sh`` and a Python that Dispatcher runs on.

What runs there is sent over the connection, as is everything secret: no list of processes shows it.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from uuid import UUID

from dispatcher.core.accounts import Account
from dispatcher.tasks import ssh_client
from dispatcher.tasks.agent_setup import on_linux
from dispatcher.tasks.agent_setup.on_linux.session import KEEP, MARK
from dispatcher.tasks.agent_setup.order import SetupOrder
from dispatcher.tasks.agent_setup.sessions import Installed, NewAgent, State
from dispatcher.tasks.work import TaskFailed

if TYPE_CHECKING:
    import paramiko

#: How long is waited for a login, for what is told first, where another setup may be at work, and for the answer to
#: what takes long; whatever else comes meanwhile, in seconds.
LOGIN_S = 30.0
STATE_S, ANSWER_S = 900.0, 1_800.0
#: How long a line may be, and how much may come before an answer, in bytes: the other side may be hostile.
MAX_LINE_BYTES = 1 << 16
MAX_BYTES = 1 << 20
#: How often something is sent while nothing comes, in seconds.
_ALIVE_S = 15
_CHUNK = 1 << 15
#: How much is shown of what is no answer, in characters.
_MOST_SAID = 500
#: What runs there, in the order in which one needs the other.
_MODULES = ("processes", "service", "places", "installation", "session")
_VERSIONS = ("3.13", "3.12", "3.11")
_NO_PYTHON = 96
_NONSENSE = "what came is no answer that could be understood"
#: The Python of this agent's version is asked first: its libraries fit no other.
_COMMAND = (
    "/bin/sh -c 'for python in {names}; do "
    'if "$python" -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))" </dev/null >/dev/null 2>&1;'
    ' then exec "$python" -I -c "import sys; given = sys.stdin.buffer; exec(given.read(int(given.readline())))"; fi; '
    "done; exit {code}'"
)
_STARTER = """
import json, os, types
for name, text in json.loads(given.readline()):
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
code = module.main()
sys.stdout.flush()
os._exit(code)  # a thread may wait for input still
"""


@contextmanager
def session(
    stream: socket.socket, place: tuple[str, int], account: Account, home: Path, order: SetupOrder
) -> Iterator[SshSession]:
    """Log in over *stream*, a connection to *place* (host, port), and give what can be done there.

    :raises LoginRefused: if *account* may not log in.
    :raises TaskFailed: if the connection fails, or nothing can be done there.
    """
    with ssh_client.logged_in(stream, place, account, home, LOGIN_S) as transport:
        transport.set_keepalive(_ALIVE_S)
        channel = transport.open_session()
        try:
            yield SshSession(channel, order)
        except (TimeoutError, OSError) as error:
            raise TaskFailed(f"the connection has ended: {error}" if str(error) else "no answer") from None
        finally:
            channel.close()


class SshSession:
    """What can be done on a Linux computer (``sessions.Session``)."""

    def __init__(self, channel: paramiko.Channel, order: SetupOrder) -> None:
        self._channel = channel
        self._read = bytearray()
        self._said: list[str] = []  #: lines that are no answers
        self._expect_answer(STATE_S)
        channel.set_combine_stderr(True)
        own = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        names = dict.fromkeys([own, "python3", *(f"python{version}" for version in _VERSIONS)])
        with _closed_after(channel, LOGIN_S):  # the library would wait for ever
            channel.exec_command(_COMMAND.format(names=" ".join(names), code=_NO_PYTHON))
        starter = f"{_STARTER}".encode()
        self._send_all(b"%d\n%s" % (len(starter), starter))
        self._send(_sources())
        self._send({"directory": order.directory, "start": order.start})
        self.state = _state(self._answer())

    def install(self, agent: NewAgent) -> Installed:
        """Install *agent* (see ``Session``)."""
        self._expect_answer()
        size = agent.archive.stat().st_size
        told = {"requirements": agent.requirements, "files": agent.files, "token": agent.token}
        self._send({"do": "install", "size": size, **told})
        with agent.archive.open("rb") as archive:
            while data := archive.read(_CHUNK):
                self._send_all(data)
        installed = _installed(self._answer())
        self._expect_answer()
        self._send_all(KEEP)
        self._answer()
        return installed

    def remove(self) -> None:
        """Remove the agent that is there (see ``Session``)."""
        self._expect_answer()
        self._send({"do": "remove"})
        self._answer()

    def _send(self, what: Any) -> None:
        self._send_all(json.dumps(what).encode() + b"\n")

    def _send_all(self, data: bytes) -> None:
        """Send *data*, as long as an answer may take: who reads slowly is waited for no longer.

        Nothing is said if the other side has gone: what it has said last is read by whoever waits for the answer.
        """
        rest = memoryview(data)
        while rest and not self._channel.closed:
            self._channel.settimeout(self._left_s())
            try:
                rest = rest[self._channel.send(bytes(rest[:_CHUNK])) :]
            except OSError:
                if not self._channel.closed:
                    raise

    def _expect_answer(self, within_s: float = ANSWER_S) -> None:
        """Let the next answer come *within_s*, and within ``MAX_BYTES``."""
        self._within_s, self._until = within_s, time.monotonic() + within_s
        self._left_bytes = MAX_BYTES

    def _left_s(self) -> float:
        """Return how long may still be waited, in seconds.

        :raises TaskFailed: if that was too long already.
        """
        left_s = self._until - time.monotonic()
        if left_s <= 0:
            raise TaskFailed(f"no answer came within {self._within_s:g} s")
        return left_s

    def _answer(self) -> dict[str, Any]:
        """Return the next answer.

        :raises TaskFailed: if it tells of a problem, or none comes.
        """
        while True:
            line = self._line()
            mark, begins, text = line.partition(MARK)
            if not begins or mark.strip():
                self._said = [*self._said, line.strip()[-_MOST_SAID:]][-5:]
                continue
            answer = _object(text)
            if "problem" in answer:
                raise TaskFailed(str(answer["problem"]))
            return answer

    def _line(self) -> str:
        end = self._read.find(b"\n")
        while end < 0:
            if len(self._read) > MAX_LINE_BYTES:
                raise TaskFailed(f"what came has lines of more than {MAX_LINE_BYTES} bytes: it is no answer")
            looked_at = len(self._read)
            self._read += self._received()
            end = self._read.find(b"\n", looked_at)
        line = self._read[:end].decode("utf-8", "replace")
        del self._read[: end + 1]
        return line

    def _received(self) -> bytes:
        """Return what comes next.

        :raises TaskFailed: if that is nothing, or too much, or comes too late.
        """
        self._channel.settimeout(self._left_s())
        try:
            data = self._channel.recv(_CHUNK)
        except TimeoutError:
            self._left_s()
            raise
        if not data:
            raise TaskFailed(self._last_words())
        self._left_bytes -= len(data)
        if self._left_bytes < 0:
            raise TaskFailed(f"more than {MAX_BYTES} bytes came, and no answer: {self._words()}")
        return data

    def _last_words(self) -> str:
        """Return why there is no answer."""
        has_ended = self._channel.status_event.wait(1) and self._channel.exit_status
        if has_ended == _NO_PYTHON:
            return "no Python 3.11 to 3.13 is found there as python3, python3.11, python3.12 or python3.13"
        return f"no answer came: {self._words() or 'the connection has ended'}"

    def _words(self) -> str:
        """Return the end of what was said that is no answer."""
        said = " ".join([*self._said, self._read[-_MOST_SAID:].decode("utf-8", "replace")]).strip()
        return said[-_MOST_SAID:]


@contextmanager
def _closed_after(channel: paramiko.Channel, seconds: float) -> Iterator[None]:
    """Close *channel* if what is done meanwhile takes longer."""

    def close() -> None:
        with suppress(Exception):  # whoever waits wakes at once, and may end the connection while this says goodbye
            channel.close()

    timer = threading.Timer(seconds, close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _sources() -> list[tuple[str, str]]:
    """Return the modules that run there, by their names."""
    package = resources.files(on_linux)
    named = {on_linux.__name__: "__init__"} | {f"{on_linux.__name__}.{name}": name for name in _MODULES}
    return [(name, package.joinpath(f"{file}.py").read_text("utf-8")) for name, file in named.items()]


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise TaskFailed(_NONSENSE)
    return found


def _state(answer: dict[str, Any]) -> State:
    try:
        return State(
            str(answer["host_name"]),
            PurePosixPath(answer["directory"]),
            UUID(answer["agent_id"]) if answer["agent_id"] else None,
            str(answer["proof"]),
            answer["is_whole"] is True,
            str(answer["obstacle"]),
            str(answer["build"]),
            str(answer["glibc"]),
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        raise TaskFailed(_NONSENSE) from None


def _installed(answer: dict[str, Any]) -> Installed:
    try:
        return Installed(UUID(answer["agent_id"]), str(answer["how"]), str(answer["proof"]))
    except (KeyError, ValueError, TypeError, AttributeError):
        raise TaskFailed(_NONSENSE) from None
