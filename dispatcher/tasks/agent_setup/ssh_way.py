"""The SSH way: sets up the agent of a Linux computer, with its ``/bin/sh`` and a Python that Dispatcher runs on.

What runs there is sent over the connection, as is everything secret: no list of processes shows it.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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

#: How long is waited for a login, and for the answer to what takes long, in seconds.
LOGIN_S = 30.0
_ANSWER_S = 1_800.0
#: How often something is sent while nothing comes, in seconds.
_ALIVE_S = 15
_CHUNK = 1 << 15
#: What runs there, in the order in which one needs the other.
_MODULES = ("processes", "service", "places", "installation", "session")
_VERSIONS = ("3.13", "3.12", "3.11")
_NO_PYTHON = 96
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
        self._read = b""
        self._said: list[str] = []  #: lines that are no answers
        channel.settimeout(_ANSWER_S)
        channel.set_combine_stderr(True)
        own = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        names = dict.fromkeys([own, "python3", *(f"python{version}" for version in _VERSIONS)])
        channel.exec_command(_COMMAND.format(names=" ".join(names), code=_NO_PYTHON))
        starter = f"{_STARTER}".encode()
        channel.sendall(b"%d\n%s" % (len(starter), starter))
        self._send(_sources())
        self._send({"directory": order.directory, "start": order.start})
        self.state = _state(self._answer())

    def install(self, agent: NewAgent) -> Installed:
        """Install *agent* (see ``Session``)."""
        size = agent.archive.stat().st_size
        told = {"requirements": agent.requirements, "files": agent.files, "token": agent.token}
        self._send({"do": "install", "size": size, **told})
        with agent.archive.open("rb") as archive:
            while data := archive.read(_CHUNK):
                self._channel.sendall(data)
        answer = self._answer()
        installed = Installed(UUID(answer["agent_id"]), answer["how"])
        self._channel.sendall(KEEP)
        self._answer()
        return installed

    def remove(self) -> None:
        """Remove the agent that is there (see ``Session``)."""
        self._send({"do": "remove"})
        self._answer()

    def _send(self, what: Any) -> None:
        self._channel.sendall(json.dumps(what).encode() + b"\n")

    def _answer(self) -> dict[str, Any]:
        """Return the next answer.

        :raises TaskFailed: if it tells of a problem, or none comes.
        """
        while True:
            line = self._line()
            mark, begins, text = line.partition(MARK)
            if not begins or mark.strip():
                self._said = [*self._said, line.strip()][-5:]
                continue
            answer: dict[str, Any] = json.loads(text)
            if "problem" in answer:
                raise TaskFailed(answer["problem"])
            return answer

    def _line(self) -> str:
        while b"\n" not in self._read:
            data = self._channel.recv(_CHUNK)
            if not data:
                raise TaskFailed(self._last_words())
            self._read += data
        line, _, self._read = self._read.partition(b"\n")
        return line.decode("utf-8", "replace")

    def _last_words(self) -> str:
        """Return why there is no answer."""
        has_ended = self._channel.status_event.wait(1) and self._channel.exit_status
        if has_ended == _NO_PYTHON:
            return "no Python 3.11 to 3.13 is found there as python3, python3.11, python3.12 or python3.13"
        said = " ".join([*self._said, self._read.decode("utf-8", "replace")]).strip()
        return f"no answer came{f': {said[-500:]}' if said else ': the connection has ended'}"


def _sources() -> list[tuple[str, str]]:
    """Return the modules that run there, by their names."""
    package = resources.files(on_linux)
    named = {on_linux.__name__: "__init__"} | {f"{on_linux.__name__}.{name}": name for name in _MODULES}
    return [(name, package.joinpath(f"{file}.py").read_text("utf-8")) for name, file in named.items()]


def _state(answer: dict[str, Any]) -> State:
    return State(
        answer["host_name"],
        PurePosixPath(answer["directory"]),
        UUID(answer["agent_id"]) if answer["agent_id"] else None,
        answer["is_whole"],
        answer["obstacle"],
        answer["build"],
        answer["glibc"],
    )
