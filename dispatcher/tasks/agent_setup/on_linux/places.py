"""Places: the directory of an agent on this computer, and what is known of the agent there."""

from __future__ import annotations

# It runs on Linux only, and is checked for Windows, too, which lacks what is used here.
# mypy: disable-error-code="attr-defined"
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


class Place:
    """The directory of an agent, and its neighbours while that changes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.new = directory.with_name(f"{directory.name}.new")
        self.old = directory.with_name(f"{directory.name}.old")
        self._made: list[Path] = []

    def recover(self) -> None:
        """Put away what a setup has left that was cut off, as by a power failure; what was there before is back."""
        remove(self.new)
        if self.directory.exists():
            remove(self.old)
        elif self.old.exists():
            self.old.rename(self.directory)

    def known(self) -> Known:
        """Return what is there."""
        if not (self.directory / MARKER).is_file():
            return Known()
        noted = read(self.directory / MARKER)
        identity = read(self.directory / "home" / "identity.json")
        agent_id = str(identity.get("agent_id") or noted.get("agent_id") or "")
        return Known(agent_id, bool(agent_id) and not noted.get("is_going"))

    def is_foreign(self) -> bool:
        """Whether something else is there."""
        place = self.directory
        if not place.exists() and not place.is_symlink():
            return False
        return not place.is_dir() or (not (place / MARKER).is_file() and any(place.iterdir()))

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


def note(directory: Path, agent_id: str, *, is_going: bool = False) -> None:
    """Write down whose directory it is, and whether it is being removed."""
    temporary = directory / f"{MARKER}.new"
    temporary.write_text(json.dumps({"agent_id": agent_id, "is_going": is_going}), encoding="ascii")
    temporary.replace(directory / MARKER)


def remove(directory: Path) -> None:
    """Remove *directory*, if it is there; what it is known by goes last, so that this can be done again.

    :raises OSError: if something in it cannot be removed.
    """
    if not directory.exists():
        return
    for entry in list(directory.iterdir()):
        if entry.name != MARKER:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    (directory / MARKER).unlink(missing_ok=True)
    directory.rmdir()
