"""Installing: the ways in which a package gets onto the computer, and what is said of that."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from dispatcher.tasks.command import command_line
from dispatcher.tasks.packages.managers import INSTALLERS, RESTART_CODES, Manager, fill, find_manager, manager_of
from dispatcher.tasks.packages.names import check_name, check_version
from dispatcher.tasks.packages.running import Runner
from dispatcher.tasks.work import TaskFailed

_CHUNK = 1 << 20
_NOTHING = frozenset[int]()


@dataclass(frozen=True, slots=True)
class Done:
    """What was done."""

    said: str
    has_changed: bool  #: whether anything is as it was not before
    restart: str = ""  #: why whoever did it says that a restart is needed


@dataclass(frozen=True, slots=True)
class Installing:
    """Installs by the manager of this *name*; an exit code that counts as success is one of *success_codes*."""

    runner: Runner
    manager: str
    success_codes: Collection[int]

    def install(self, package: str, version: str | None, *, refresh: bool) -> Done:
        """Install *package* in that *version*, else the newest.

        :raises InvalidValue: if the name or the version is none.
        :raises TaskFailed: if it could not be installed.
        """
        manager = self._find()
        words = manager.install
        values = {"package": check_name(package)}
        if version is not None:
            words, values["version"] = manager.install_version, check_version(version)
        if refresh and manager.refresh:
            self._check(manager.name, self.runner.manage(manager, manager.refresh), manager.good_codes)
        before = self.runner.version(manager, package)
        if before is not None and before == version:
            return Done(f"{package} {before} is installed already", has_changed=False)
        return self._observed(manager, package, before, lambda: self.runner.manage(manager, words, **values))

    def remove(self, package: str) -> Done:
        """Remove *package*, if it is there.

        :raises InvalidValue: if the name is none.
        :raises TaskFailed: if it could not be removed.
        """
        manager = self._find()
        before = self.runner.version(manager, check_name(package))
        if manager.ask and before is None:
            return Done(f"{package} is not installed", has_changed=False)
        code = self.runner.manage(manager, manager.remove, package=package)
        restart = self._check(manager.name, code, manager.good_codes, manager.restart_codes)
        if self.runner.version(manager, package) is not None:
            raise TaskFailed(f"{package} is still installed")
        return Done(f"{package} {before or ''}".strip() + " was removed", has_changed=True, restart=restart)

    def install_file(self, resource: str, arguments: list[str]) -> Done:
        """Install the file that *resource* is in the library.

        :raises TaskFailed: if it cannot be had, is no kind of file that can be installed here, or could not be.
        :raises OSError: if it cannot be written.
        """
        tools = self.runner.tools
        found = tools.contents.find(resource)
        suffix = Path(found.file_name.replace("\\", "/")).suffix.lower()
        manager = manager_of(suffix, self.manager) if suffix not in INSTALLERS else None
        if manager is None and not (suffix in INSTALLERS and sys.platform == "win32"):
            raise TaskFailed(f"nothing on this computer installs {found.file_name}")
        # By a name of its own: whatever else the file is called means nothing to anybody.
        file = tools.scratch / f"package-{os.getpid()}{suffix}"
        try:
            with tools.contents.open(found.sha256) as stream, file.open("xb") as target:
                shutil.copyfileobj(stream, target, _CHUNK)
            if manager is None:
                command = [*fill(INSTALLERS[suffix], file=str(file)), *arguments]
                restart = self._check(
                    found.file_name, self.runner.install(command, {}, {1618}), _NOTHING, RESTART_CODES
                )
                return Done(f"{found.file_name} was installed", has_changed=True, restart=restart)
            package = self.runner.name_in(manager, file)
            before = self.runner.version(manager, package) if package else None
            code = self.runner.manage
            return self._observed(
                manager, package, before, lambda: code(manager, manager.install_file, file=str(file)), found.file_name
            )
        finally:
            file.unlink(missing_ok=True)

    def run(self, command: str) -> Done:
        """Run *command*, which installs something.

        :raises InvalidValue: if something that it refers to has no value.
        :raises TaskFailed: if it fails.
        """
        tools = self.runner.tools
        code = self.runner.run(command_line(command, tools.values), {**os.environ, **tools.values})
        restart = self._check("the command", code, _NOTHING, RESTART_CODES)
        return Done("the command has completed", has_changed=True, restart=restart)

    def _find(self) -> Manager:
        manager = find_manager(self.manager)
        if manager is None:
            name = "no package manager that is known" if self.manager == "auto" else f"no {self.manager}"
            raise TaskFailed(f"there is {name} on this computer")
        return manager

    def _observed(
        self, manager: Manager, package: str | None, before: str | None, install: Callable[[], int], called: str = ""
    ) -> Done:
        """Have *package* installed, and tell from its version *before* and after that what was done."""
        name = package or called
        code = install()
        restart = self._check(manager.name, code, manager.good_codes, manager.restart_codes)
        if not manager.ask or package is None:
            if code in manager.good_codes:
                return Done(f"{name}: nothing was to be done", has_changed=False)
            return Done(f"{name} was installed", has_changed=True, restart=restart)
        after = self.runner.version(manager, package)
        if after is None:
            raise TaskFailed(f"{name} is not installed, although {manager.name} says that all is done")
        if after == before:
            return Done(f"{name} {after} is the newest: nothing was to be done", has_changed=False, restart=restart)
        change = f"{before} was replaced by {after}" if before else f"{after} was installed"
        return Done(f"{name} {change}", has_changed=True, restart=restart)

    def _check(self, by: str, code: int, good: Collection[int], restart_codes: Collection[int] = _NOTHING) -> str:
        """Return why *code* means that a restart is needed; empty if it does not.

        :raises TaskFailed: if it means a failure.
        """
        if code in restart_codes:
            return f"{by} ended with exit code {code}"
        if code not in self.success_codes and code not in good:
            raise TaskFailed(f"{by} failed: exit code {code}")
        return ""
