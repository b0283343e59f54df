"""Places: the directory of an agent on this computer, and what is known of the agent there."""

from __future__ import annotations

# It runs on Linux only, and is checked for Windows, too, which lacks what is used here.
# mypy: disable-error-code="attr-defined"
import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dispatcher.tasks.agent_setup.on_linux import service

#: The environment of the login may say where the agent is, and what starts it.
DIRECTORY_VARIABLE, START_VARIABLE = "DISPATCHER_AGENT_DIRECTORY", "DISPATCHER_AGENT_START"
#: The file by which a directory is known to be of an agent that was installed so.
MARKER = "agent.json"


class Problem(Exception):
    """Something cannot be done here; the text says why."""


@dataclass(frozen=True)
class Known:
    """What is in the directory: the id of the agent, and whether all of it is there still."""

    agent_id: str = ""
    is_whole: bool = False
    proof: str = ""  #: that it is this agent


class Place:
    """The directory of an agent, and its neighbours while that changes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.new = directory.with_name(f"{directory.name}.new")
        self.old = directory.with_name(f"{directory.name}.old")
        self._made: list[Path] = []

    def recover(self) -> None:
        """Put away what a setup has left that was cut off, as by a power failure; what was there before is back.

        What is somebody else's stays as it is.
        """
        remove(self.new)
        if is_ours(self.directory):
            remove(self.old)
        elif not _is_there(self.directory) and is_ours(self.old) and (self.old / MARKER).is_file():
            self.old.rename(self.directory)

    def known(self) -> Known:
        """Return what is there."""
        if not (self.directory / MARKER).is_file():
            return Known()
        noted = read(self.directory / MARKER)
        identity = read(self.directory / "home" / "identity.json")
        agent_id = str(identity.get("agent_id") or noted.get("agent_id") or "")
        shown = proof(str(identity["secret"])) if identity.get("secret") else str(noted.get("proof") or "")
        return Known(agent_id, bool(agent_id) and not noted.get("is_going"), shown)

    def foreign(self) -> Path | None:
        """Return what is somebody else's and in the way, there or beside it; None if nothing is."""
        places = (self.directory, self.new, self.old)
        return next((one for one in places if _is_there(one) and not is_ours(one)), None)

    def make(self) -> None:
        """Make the new directory, and those above it that are missing."""
        above = [one for one in self.new.parents if not one.exists()]
        for one in reversed(above):
            one.mkdir(mode=0o755)
            self._made.append(one)
        self.new.mkdir(mode=0o700)
        (self.new / MARKER).write_text("{}", encoding="ascii")

    def unmake(self) -> None:
        """Remove the new directory, and those above it that ``make`` has made, unless they are used by now."""
        remove(self.new)
        for one in reversed(self._made):
            with suppress(OSError):
                one.rmdir()


def find(directory: str, kind: str) -> tuple[Place, service.Service]:
    """Return the place of the agent and what starts it, as the order says, or the login, or as usual.

    :raises Problem: if the order, or the login, names no absolute path.
    """
    home = Path("~").expanduser()
    named = directory or os.environ.get(DIRECTORY_VARIABLE, "")
    usual = service.USUAL if os.geteuid() == 0 else home / ".local" / "share" / service.USUAL.name
    place = Path(named).expanduser() if named else usual
    if not place.is_absolute() or ".." in place.parts or place.parent == place or place == home:
        raise Problem(f"{named!r} is no directory for an agent: an absolute path is needed")
    if kind == "auto":
        kind = os.environ.get(START_VARIABLE, kind)
    return Place(place), service.Service(place, kind)


def read(file: Path) -> dict[str, object]:
    """Return the JSON object in *file*; an empty one if there is none."""
    with suppress(OSError, ValueError):
        found = json.loads(file.read_bytes())
        return found if isinstance(found, dict) else {}
    return {}


def note(directory: Path, known: Known, *, is_going: bool = False) -> None:
    """Write down whose directory it is, and whether it is being removed."""
    temporary = directory / f"{MARKER}.new"
    noted = {"agent_id": known.agent_id, "proof": known.proof, "is_going": is_going}
    temporary.write_text(json.dumps(noted), encoding="ascii")
    temporary.replace(directory / MARKER)


def proof(secret: str) -> str:
    """Return what shows that the agent with this *secret* is here, as ``core.computers.proof`` has it."""
    return hashlib.sha256(b"agent here:" + hashlib.sha256(secret.encode()).digest()).hexdigest()


def is_ours(directory: Path) -> bool:
    """Whether *directory* is one that was made so: it is marked, or has nothing in it yet; no link to another one."""
    if directory.is_symlink() or not directory.is_dir():
        return False
    return (directory / MARKER).is_file() or not any(directory.iterdir())


def _is_there(place: Path) -> bool:
    return place.exists() or place.is_symlink()


def remove(directory: Path) -> None:
    """Remove *directory*, if it is one of ours; what it is known by goes last, so that this can be done again.

    :raises OSError: if something in it cannot be removed.
    """
    if not is_ours(directory):
        return
    for entry in list(directory.iterdir()):
        if entry.name != MARKER:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    (directory / MARKER).unlink(missing_ok=True)
    directory.rmdir()
