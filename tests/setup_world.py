"""The world of agents that are installed: this computer as another one, a port before it, and who logs in there."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from ssh_servers import USER, Sshd

from dispatcher.core.computers import FoundComputer
from dispatcher.core.inputs import Input
from dispatcher.tasks.agent_install import TYPE as INSTALL
from dispatcher.tasks.agent_setup import order
from dispatcher.tasks.agent_uninstall import TYPE as UNINSTALL
from dispatcher.tasks.discovering.findings import Findings

JOB, TEAM = "00000000-0000-4000-8000-0000000000a1", "00000000-0000-4000-8000-0000000000a2"
LIBRARY = f"""
modules:
  - name: Say
    id: {JOB}
    tasks:
      - {{name: say, type: command, settings: {{command: 'test "@[modules]" = AV,PR'}}}}
      - {{name: ask, type: wait, settings: {{file: /, most_s: 5}}}}
teams:
  - {{name: Guarded, id: {TEAM}, rule: 'fact.module_av == true and fact.module_ac != true'}}
"""


class Target:
    """The same computer as another one: what is installed over SSH goes to ``directory``."""

    def __init__(self, place: Path, **environment: str) -> None:
        self.directory = place / "target" / "agent"
        self.wheels = place / "wheels"
        given = {
            "DISPATCHER_AGENT_DIRECTORY": str(self.directory),
            "DISPATCHER_AGENT_START": "process",
            # pip calls nobody.
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
            **environment,
        }
        self.sshd = Sshd(place / "sshd", environment=given)

    def processes(self) -> list[psutil.Process]:
        """Return those that run what has been installed, or is being installed."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                line = process.cmdline()  # a process that has ended, and that nobody asks for, has none
                if line and line[0].startswith(str(self.directory)):
                    found.append(process)
        return found

    def agents(self) -> list[psutil.Process]:
        """Return those of them that are agents, without what these have started."""
        return [one for one in self.processes() if "agent" in one.cmdline()]

    def files(self) -> list[str]:
        """Return what there is in and beside the directory."""
        return sorted(one.name for one in self.directory.parent.glob("*"))


class Relay:
    """A port before *port*, whose connections can be cut."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.sent = 0  #: bytes to the other side
        self.cut_when: Callable[[], bool] = lambda: False
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near = self._listener.accept()[0]
                threading.Thread(target=self._pass_on, args=(near,), daemon=True).start()

    def _pass_on(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._to)) as far, suppress(OSError):
            other = {near: far, far: near}
            while not self.cut_when():
                for one in select.select([near, far], [], [], 0.02)[0]:
                    data = one.recv(1 << 14)
                    if not data:
                        return
                    self.sent += len(data) if one is near else 0
                    other[one].sendall(data)

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@dataclass
class Setup:
    """Installs and uninstalls as a worker would, on one computer."""

    workshop: Any
    port: int
    password: str = field(repr=False)
    token: str = field(repr=False)
    url: str
    computers: tuple[FoundComputer, ...] = (FoundComputer(address="127.0.0.1"),)

    def install(self, **members: Any) -> str:
        return self._do(INSTALL, members)

    def uninstall(self, **members: Any) -> str:
        return self._do(UNINSTALL, members)

    def _do(self, kind: Any, members: dict[str, Any]) -> str:
        scratch = self.workshop.work.parent
        (scratch / "found").unlink(missing_ok=True)
        for computer in self.computers:
            Findings(scratch).add(computer)
        given = {"username": USER, "dispatchers": [self.url], "ssh_port": self.port, **members}
        self.workshop.inputs = [
            Input(order.INPUT, given),
            Input(order.PASSWORD_INPUT, self.password, is_secret=True),
            Input(order.TOKEN_INPUT, self.token, is_secret=True),
        ]
        return str(self.workshop.do(kind, {}))

    @property
    def told(self) -> list[FoundComputer]:
        """What was noted of the computer after it had been found."""
        return list(Findings(self.workshop.work.parent))[len(self.computers) :]


def wait_until(is_so: Callable[[], object], what: str, most_s: float = 20) -> None:
    until = time.monotonic() + most_s
    while not is_so():
        assert time.monotonic() < until, what
        time.sleep(0.05)


@contextmanager
def watching() -> Iterator[set[bytes]]:
    """Give every command line that any process has meanwhile, and the environments of those that can be read."""
    seen: set[bytes] = set()
    ended = threading.Event()

    def watch() -> None:
        own = str(os.getpid())
        while not ended.is_set():
            for place in Path("/proc").iterdir():
                if place.name.isdigit() and place.name != own:
                    for file in ("cmdline", "environ"):
                        with suppress(OSError):
                            seen.add((place / file).read_bytes())
            ended.wait(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join(10)
