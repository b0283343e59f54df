"""Running: package managers and installers as processes, whose output is that of the task."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dispatcher.core.errors import InvalidValue
from dispatcher.tasks.packages.managers import Manager, fill
from dispatcher.tasks.packages.names import check_name
from dispatcher.tasks.work import TaskFailed, Tools

#: How long to wait before another try while another package manager is at work, in seconds.
_PAUSE_S = 2.0
_MOST_VERSIONS = 5


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs what installs something. *wait_s* is how long another package manager that is at work is waited for."""

    tools: Tools
    wait_s: int

    def manage(self, manager: Manager, words: tuple[str, ...], **values: str) -> int:
        """Have *manager* do what *words* say, as root; return its exit code.

        :raises TaskFailed: if it cannot be started.
        """
        waiting = {"wait_s": str(self.wait_s), **values}
        extra = {name: fill((text,), **waiting)[0] for name, text in manager.environment.items()}
        return self.install(as_root(fill(words, **waiting), extra), extra, manager.busy_codes)

    def install(self, command: Sequence[str], extra: Mapping[str, str], busy_codes: Collection[int]) -> int:
        """Run *command* with *extra* variables, again while its exit code says that it has to wait for another one.

        Values that tasks may refer to are none of its business: they are not in its environment.

        :raises TaskFailed: if it cannot be started.
        """
        environment = {name: value for name, value in os.environ.items() if name not in self.tools.values}
        until = time.monotonic() + self.wait_s
        while True:
            code = self.run(command, {**environment, **extra})
            left_s = until - time.monotonic()
            if code not in busy_codes or left_s <= 0:
                return code
            self.tools.say("another installation is in progress: waiting")
            time.sleep(min(_PAUSE_S, left_s))

    def run(self, command: Sequence[str] | str, environment: Mapping[str, str]) -> int:
        """Run *command* in the working directory; return its exit code.

        :raises TaskFailed: if it cannot be started.
        """
        try:
            return subprocess.run(
                command, cwd=self.tools.work, env=environment, stdin=subprocess.DEVNULL, check=False
            ).returncode
        except OSError as error:
            name = command if isinstance(command, str) else Path(command[0]).name
            raise TaskFailed(f"{name} cannot be started: {error.strerror or error}") from None

    def version(self, manager: Manager, package: str) -> str | None:
        """Return the version of *package* that is installed, of several the first ones; None if none is."""
        lines = self._ask(fill(manager.ask, package=package))
        found = [version for word, _, version in (line.partition(" ") for line in lines) if word == "installed"]
        return ", ".join(dict.fromkeys(found[:_MOST_VERSIONS])) or None

    def name_in(self, manager: Manager, file: Path) -> str | None:
        """Return the name of the package in *file*; None if that cannot be told."""
        lines = self._ask(fill(manager.ask_file, file=str(file)))
        try:
            return check_name(lines[0].strip()) if lines else None
        except InvalidValue:
            return None  # whoever has made the file has made that

    def _ask(self, command: Sequence[str]) -> list[str]:
        if not command or shutil.which(command[0]) is None:
            return []
        answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        return answer.stdout.decode("utf-8", "replace").splitlines()


def as_root(command: list[str], extra: Mapping[str, str]) -> list[str]:
    """Return *command* as it is run by root: by ``sudo``, which must not ask, if this user is another."""
    if sys.platform == "win32" or os.geteuid() == 0:
        return command
    return ["sudo", "-n", "--", "env", *(f"{name}={value}" for name, value in extra.items()), *command]
