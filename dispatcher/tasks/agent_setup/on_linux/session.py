"""The session: what the setup of an agent is told on its standard input, and answers on its output, line by line.

A line from here begins with ``MARK``, then there is JSON: what a login's own scripts write is none. First the state of
this computer is told. Then comes an order: ``install``, followed by an archive of ``size`` bytes, or ``remove``. The
end of the input means that nobody waits any more: what is installed is undone then, unless the line ``keep`` has come.
"""

from __future__ import annotations

# It runs on Linux only, and is checked for Windows, too, which lacks what is used here.
# mypy: disable-error-code="attr-defined"
import fcntl
import json
import os
import platform
import signal
import socket
import sys
import sysconfig
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from dispatcher.tasks.agent_setup.on_linux import places
from dispatcher.tasks.agent_setup.on_linux.installation import Installation, end, leave
from dispatcher.tasks.agent_setup.on_linux.places import Place, Problem
from dispatcher.tasks.agent_setup.on_linux.service import NotStarted, Service

MARK = "DISPATCHER-SETUP "
KEEP = b"keep\n"
#: How long another setup on this computer is waited for, in seconds.
_TURN_S = 600.0


class Gone(Exception):
    """Nobody waits for this any more."""


class _Listener(threading.Thread):
    """Waits for the last line of the input, or its end."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._line: bytes | None = None
        self._heard = threading.Event()

    def run(self) -> None:
        self._line = self._stream.readline()
        self._heard.set()

    def check(self) -> None:
        """Raise ``Gone`` if the input has ended."""
        if self._heard.is_set() and self._line != KEEP:
            raise Gone

    def wait_for_keep(self) -> None:
        """Wait until the line comes; raise ``Gone`` if the input ends first."""
        self._heard.wait()
        self.check()


def main() -> int:
    """Do what standard input says; return the exit code."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGHUP, _stop)
    os.umask(0o077)
    stream = sys.stdin.buffer
    with suppress(Gone):
        try:
            _serve(stream)
        except (Problem, NotStarted, OSError) as error:
            _tell(problem=str(error))
    return 0


def _stop(_number: int, _frame: object) -> None:
    raise Gone


def _serve(stream: IO[bytes]) -> None:
    header = _order(stream)
    if sys.platform != "linux":
        raise Problem(f"agents cannot be installed on {sys.platform} over SSH")
    place, service = places.find(header["directory"], header["start"])
    home = Path("~").expanduser()
    turn = os.open(home if home.is_dir() else "/", os.O_RDONLY)
    try:
        _take_turn(turn)
        leave(place.new)  # if a setup was cut off so hard that it could not do that itself
        place.recover()
        state = _state(place, service)
        _tell(**state)
        order = _order(stream)
        if state["obstacle"]:
            raise Problem(state["obstacle"])
        if order["do"] == "install":
            _install(order, stream, place, service)
        elif order["do"] == "remove":
            _remove(place, service)
    finally:
        os.close(turn)


def _take_turn(descriptor: int) -> None:
    """Wait until no other setup of this user is at work here."""
    until = time.monotonic() + _TURN_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise Problem("another setup is at work on this computer") from None
            time.sleep(0.1)
        else:
            return


def _state(place: Place, service: Service) -> dict[str, Any]:
    known = place.known()
    problem = ""
    if service.is_foreign():
        problem = f"there is a service {service.name} that was not installed so"
    elif (foreign := place.foreign()) is not None:
        problem = f"{foreign} is there, and holds no agent that was installed so"
    return {
        "host_name": socket.gethostname(),
        "directory": str(place.directory),
        "agent_id": known.agent_id,
        "is_whole": known.is_whole,
        "proof": known.proof,
        "obstacle": problem,
        "python": list(sys.version_info[:3]),
        "build": str(sysconfig.get_config_var("EXT_SUFFIX") or ""),
        "glibc": platform.libc_ver()[1] if platform.libc_ver()[0] == "glibc" else "",
    }


def _install(order: dict[str, Any], stream: IO[bytes], place: Place, service: Service) -> None:
    listener = _Listener(stream)
    installation = Installation(place, service, listener.check)
    try:
        installation.receive(stream, order["size"])
        listener.start()  # from here on nothing else reads
        installation.make(order)
        how = installation.put_in_place()
        _tell(agent_id=installation.agent_id, how=how, proof=place.known().proof)
        listener.wait_for_keep()
    except BaseException:
        installation.undo()
        raise
    installation.settle()
    _tell(done=True)


def _remove(place: Place, service: Service) -> None:
    """Remove the agent; a second time does what a first one has not come to."""
    if places.is_ours(place.directory):
        places.note(place.directory, place.known(), is_going=True)
        end(service, place.directory)
        places.remove(place.directory)
    _tell(done=True)


def _order(stream: IO[bytes]) -> dict[str, Any]:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise Gone
    found: dict[str, Any] = json.loads(line)
    return found


def _tell(**what: Any) -> None:
    """Tell *what* to whoever waits; if nobody does, that is found out elsewhere."""
    try:
        sys.stdout.write(f"{MARK}{json.dumps(what)}\n")
        sys.stdout.flush()
    except OSError:
        raise Gone from None
