"""The installation: a new agent is made beside the place of the old one, enrolled, and takes that place then."""

from __future__ import annotations

# It runs on Linux only, and is checked for Windows, too, which lacks what is used here.
# mypy: disable-error-code="attr-defined"
import os
import subprocess
import sys
import tarfile
import time
import venv
import zlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Any

from dispatcher.tasks.agent_setup.on_linux import places, processes
from dispatcher.tasks.agent_setup.on_linux.places import Place, Problem
from dispatcher.tasks.agent_setup.on_linux.service import NotStarted, Service

#: How long it may take to enrol, to install what the agent needs, and to tell that it leaves again, in seconds.
_ENROL_S, _PIP_S, _LEAVE_S = 120.0, 1_200.0, 90.0
#: How much longer it may take to enrol when nobody waits any more: cut off then, it would be known and not know that.
_LAST_S = 30.0
_LOOK_S = 0.05
#: How much is shown of what a program has said, in characters.
_MOST_SAID = 500


class Installation:
    """An agent that is being installed. Until it is ``settled``, ``undo`` brings back what was there."""

    def __init__(self, place: Place, service: Service, check: Callable[[], None]) -> None:
        self._place = place
        self._service = service
        #: Called again and again: raises if nobody waits for this any more.
        self._check = check
        self._undo = ExitStack()
        self._archive = place.new / "program.tar.gz"
        self.agent_id = ""

    def receive(self, stream: IO[bytes], size: int) -> None:
        """Take the archive, so many bytes, from *stream* into the new directory.

        :raises Problem: if it does not come whole.
        """
        self._undo.callback(self._place.unmake)
        self._place.make()
        with self._archive.open("wb") as file:
            while size and (data := stream.read(min(size, 1 << 16))):
                file.write(data)
                size -= len(data)
        if size:
            raise Problem("the program has not come whole")

    def make(self, order: dict[str, Any]) -> None:
        """Make the new agent of what was received, and let it enrol. The old one is still at work.

        :raises Problem: if that cannot be done.
        """
        self._make_program(order)
        for name, text in order["files"].items():
            descriptor = os.open(self._place.new / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
        self._check()
        self._enrol(order)

    def put_in_place(self) -> str:
        """Put the new agent into the place of the old one, which ends, and start it; return how it is started.

        :raises Problem: if it does not start.
        """
        place, service = self._place, self._service
        if place.directory.exists():
            self._put_away_old()
        self._undo.callback(self._take_back)
        place.new.rename(place.directory)
        try:
            return service.start()
        except NotStarted as error:
            raise Problem(str(error)) from None

    def settle(self) -> None:
        """Keep the new agent, and remove the old one."""
        self._undo.pop_all()
        places.remove(self._place.old)

    def undo(self) -> None:
        """Bring back what was there."""
        self._undo.close()

    def _put_away_old(self) -> None:
        """End the old agent and put its directory aside; when that is undone it is back, and works again."""
        place, service = self._place, self._service
        was_whole = place.known().is_whole

        def come_back() -> None:
            if place.old.exists():
                place.old.rename(place.directory)
            if was_whole:
                service.start()

        self._undo.callback(come_back)
        end(service, place.directory)
        place.directory.rename(place.old)

    def _take_back(self) -> None:
        if self._place.directory.exists():
            end(self._service, self._place.directory)
            self._place.directory.rename(self._place.new)

    def _make_program(self, order: dict[str, Any]) -> None:
        program = self._place.new / "program"
        needs = order["requirements"]
        try:
            venv.EnvBuilder(with_pip=bool(needs), symlinks=True).create(program)
        except subprocess.CalledProcessError:
            raise Problem("a virtual environment with pip cannot be made: the package python3-venv is needed") from None
        python = program / "bin" / "python"
        self._check()
        if needs:
            pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--no-input", *needs]
            self._run(pip, "pip cannot install what the agent needs", _PIP_S)
        packages = program / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        unpack(self._archive, packages)
        self._archive.unlink()

    def _enrol(self, order: dict[str, Any]) -> None:
        new = self._place.new
        command = [*agent_command(new), "--enrol-only", "--enrol-token-stdin"]
        self._undo.callback(leave, new)
        self._run(command, "it cannot enrol", _ENROL_S, order["token"] + "\n", last_s=_LAST_S)
        self.agent_id = str(places.read(new / "home" / "identity.json").get("agent_id", ""))
        if not self.agent_id:
            raise Problem("it has enrolled, but there is no identity")
        places.note(new, places.Known(self.agent_id))

    def _run(self, command: Sequence[str], problem: str, most_s: float, given: str = "", last_s: float = 0) -> None:
        """Run *command*, which gets *given* as its input; when nobody waits any more it is killed *last_s* later."""
        log = self._place.new / "setup.log"
        until = time.monotonic() + most_s
        with log.open("w+b") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=output, stderr=output, cwd="/", env=environment()
            )
            try:
                _give(process, given)
                while process.poll() is None:
                    self._check()
                    if time.monotonic() > until:
                        raise Problem(f"{problem}: not done after {most_s:g} s")
                    time.sleep(_LOOK_S)
            finally:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(last_s)
                if process.poll() is None:
                    process.kill()
                    process.wait()
        if process.returncode:
            said = log.read_text("utf-8", "replace").strip()[-_MOST_SAID:]
            raise Problem(f"{problem}: {said or f'exit code {process.returncode}'}")
        log.unlink()


def end(service: Service, directory: Path) -> None:
    """End the agent in *directory*, whoever has started it.

    :raises Problem: if something of it cannot be killed.
    """
    service.remove()
    left = processes.stop(directory)
    if left:
        raise Problem(f"these processes of the agent cannot be killed: {', '.join(map(str, left))}")


def agent_command(directory: Path) -> list[str]:
    """Return the command line of the agent that is being made in *directory*."""
    command = [str(directory / "program" / "bin" / "python"), "-I", "-m", "dispatcher", "agent"]
    command += ["--config", str(directory / "agent.toml"), "--home", str(directory / "home"), "--log-level", "error"]
    for option, name in (("--ca-file", "ca.pem"), ("--pin", "pin.pem")):
        if (directory / name).exists():
            command += [option, str(directory / name)]
    return command


def leave(directory: Path) -> None:
    """Have the agent in *directory*, if it has enrolled, removed from where it is known; it does not run.

    Where nobody can be told it stays known there. Nothing is run in a directory that is somebody else's.
    """
    is_known = places.is_ours(directory) and (directory / "home" / "identity.json").is_file()
    if is_known and directory.stat().st_uid == os.geteuid():
        quiet: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        command = [*agent_command(directory), "--leave"]
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(command, cwd="/", env=environment(), timeout=_LEAVE_S, check=False, **quiet)


def environment() -> dict[str, str]:
    """Return the environment for what is started here: that of the login, without what is not for others."""
    unfit = ("DISPATCHER_", "SSH_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(unfit)}


def unpack(archive: Path, target: Path) -> None:
    """Unpack a compressed tar *archive* into *target*.

    :raises Problem: if it is damaged.
    """
    # Not every Python 3.11 knows filters; the archive is our own.
    safely: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    try:
        with tarfile.open(archive, "r:gz") as members:
            members.extractall(target, **safely)  # noqa: S202 - see above
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise Problem(f"the program cannot be unpacked: {error}") from None


def _give(process: subprocess.Popen[bytes], given: str) -> None:
    assert process.stdin is not None  # noqa: S101 - made with a pipe
    try:
        process.stdin.write(given.encode())
        process.stdin.close()
    except BrokenPipeError:
        return  # it has ended already, and says why
