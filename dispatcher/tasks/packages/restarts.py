"""Restarts: whether this computer needs one: what tasks of the run have noted, and what the system says by itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

#: What the tasks of a run have noted, in its scratch directory: one reason a line.
NOTES = "restart-needed"
#: What Debian's and SUSE's packages write that need a restart, and where the first names them.
_MARKS = ("run/reboot-required", "run/reboot-needed")
_NAMED = "run/reboot-required.pkgs"
_MOST_NAMED = 20
#: How systems with RPM are asked, and the beginning of what they answer then; the exit code alone may mean an error.
_QUESTIONS = (("needs-restarting", "-r"), ("dnf", "needs-restarting", "-r"))
_YES = "Reboot is required"
#: The lines in which it names what was installed since the last start.
_ITEM = re.compile(r"^\s*\* (\S+)\s*$", re.MULTILINE)
_PATIENCE_S = 120.0
#: Keys of Windows that are there, below HKEY_LOCAL_MACHINE, while a restart is awaited.
_KEYS = (
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired",
)
_SESSION_MANAGER, _RENAMES = r"SYSTEM\CurrentControlSet\Control\Session Manager", "PendingFileRenameOperations"


@dataclass(frozen=True, slots=True)
class Sign:
    """Something by which the system says that it needs a restart."""

    reason: str
    written_at: float = 0.0  #: as the system counts, which grows when there is one more reason; 0 if it does not tell


class System:
    """The computer, with its files below *root*."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def signs(self) -> list[Sign]:
        """Return what says that a restart is needed. Nothing is changed by that, and nothing called over a network."""
        if sys.platform == "win32":
            return _windows_signs()
        found = [sign for name in _MARKS if (sign := self._mark(name)) is not None]
        return found + _answered()

    def pending(self) -> list[str]:
        """Return why the system needs a restart; nothing if it needs none."""
        return [sign.reason for sign in self.signs()]

    def _mark(self, name: str) -> Sign | None:
        file = self._root / name
        try:
            written_at = file.stat().st_mtime
        except OSError:
            return None
        return Sign(f"/{name} is there{_listed(self._named() if name == _MARKS[0] else [])}", written_at)

    def _named(self) -> list[str]:
        try:
            text = (self._root / _NAMED).read_text("utf-8", "replace")
        except OSError:
            return []
        return list(dict.fromkeys(text.split()))


def note(scratch: Path, reason: str) -> None:
    """Note for the tasks of the run that follow why a restart is needed."""
    with (scratch / NOTES).open("a", encoding="utf-8") as stream:
        stream.write(f"{' '.join(reason.split())}\n")


def noted(scratch: Path) -> list[str]:
    """Return why tasks of the run have noted that a restart is needed, in that order; nothing if none has."""
    try:
        text = (scratch / NOTES).read_text("utf-8")
    except FileNotFoundError:
        return []
    return list(dict.fromkeys(text.splitlines()))


def _answered() -> list[Sign]:
    """Return what a program of systems with RPM says, if there is one."""
    for program, *arguments in _QUESTIONS:
        found = shutil.which(program)
        if found is None:
            continue
        try:
            answer = subprocess.run(
                [found, *arguments],
                env={**os.environ, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PATIENCE_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        text = answer.stdout.decode("utf-8", "replace")
        if answer.returncode != 1 or _YES not in text:
            return []
        # With the names: an answer with more of them is a new sign.
        return [Sign(f"{' '.join([program, *arguments])} says so{_listed(_ITEM.findall(text))}")]
    return []


def _listed(packages: list[str]) -> str:
    if not packages:
        return ""
    more = "" if len(packages) <= _MOST_NAMED else f" and {len(packages) - _MOST_NAMED} more"
    return f": {', '.join(packages[:_MOST_NAMED])}{more}"


def _windows_signs() -> list[Sign]:
    if sys.platform == "win32":
        import winreg

        found = []
        for name in _KEYS:
            try:
                with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, name) as key:
                    written_at = winreg.QueryInfoKey(key)[2]
            except OSError:
                continue
            found.append(Sign(f"the registry has {name}", written_at))
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _SESSION_MANAGER) as manager:
                names, _ = winreg.QueryValueEx(manager, _RENAMES)
        except OSError:
            names = None
        # They become more, one after the other, until the next start.
        return found + ([Sign(f"the registry has {_RENAMES}", len(names))] if names else [])
    else:  # noqa: RET505 - the type checker knows what it must not look at
        return []
