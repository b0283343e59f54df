"""Package: installs a package by the package manager of the computer, a file of the library, or by a command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dispatcher.core import references
from dispatcher.core.errors import InvalidValue
from dispatcher.core.references import Reference
from dispatcher.tasks.command import references_in
from dispatcher.tasks.packages import restarts
from dispatcher.tasks.packages.installing import Done, Installing
from dispatcher.tasks.packages.names import check_name, check_version
from dispatcher.tasks.packages.restarts import Sign, System
from dispatcher.tasks.packages.running import Runner
from dispatcher.tasks.types import TaskSettings, Text, first_line
from dispatcher.tasks.work import Tools, WorkType

Name = Annotated[Text, Field(min_length=1, max_length=1_000)]


class PackageSettings(TaskSettings):
    """What is installed: exactly one of the first three says it."""

    package: Name | None = None
    command: Annotated[Text, Field(min_length=1)] | None = None  #: a command that installs it, as of ``command``
    resource: Name | None = None  #: a resource of the library: .deb, .rpm, .apk, .msi or .exe
    version: Name | None = None  #: of the package; none: the newest
    state: Literal["installed", "removed"] = "installed"
    manager: Literal["auto", "apt-get", "dnf", "yum", "zypper", "apk", "winget", "choco"] = "auto"
    refresh: bool = False  #: whether the manager is told to look for new versions first
    arguments: Annotated[list[Text], Field(max_length=100)] = []  #: of an .msi or .exe
    success_codes: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=256)] = [0]
    restart: Literal["if_needed", "always", "never"] = "if_needed"
    wait_s: Annotated[int, Field(ge=0, le=86_400)] = 600  #: how long another package manager is waited for

    @model_validator(mode="after")
    def _fits(self) -> PackageSettings:
        if sum(way is not None for way in (self.package, self.command, self.resource)) != 1:
            raise ValueError("exactly one of package, command and resource")
        if self.package is None and (self.version is not None or self.state == "removed"):
            raise ValueError("version and state are of a package")
        if self.version is not None and self.state == "removed":
            raise ValueError("a package is removed whatever its version is")
        if self.resource is None and self.arguments:
            raise ValueError("arguments are of a resource")
        try:
            for text, check in ((self.package, check_name), (self.version, check_version)):
                if text is not None and not references.find(text):
                    check(text)
        except InvalidValue as error:
            raise ValueError(error.message) from None
        return self


class Package(WorkType[PackageSettings]):
    """Installs a package."""

    name = "package"
    Settings = PackageSettings

    def __init__(self, system: System | None = None) -> None:
        self._system = system or System()

    def references(self, settings: PackageSettings, platforms: Sequence[str] = ()) -> list[Reference]:
        """Return what the name, the version, the arguments and the command refer to."""
        found = [] if settings.command is None else references_in(settings.command, platforms)
        return found + super().references(settings.model_copy(update={"command": None}), platforms)

    def resources(self, settings: PackageSettings) -> list[str]:
        """Return the resource."""
        return [] if settings.resource is None else [settings.resource]

    def summary(self, settings: PackageSettings) -> str:
        """Return what is installed; references stay as they are."""
        if settings.package is not None:
            verb = "remove" if settings.state == "removed" else "install"
            return first_line(f"{verb} {settings.package} {settings.version or ''}")
        return first_line(settings.command or f"install {settings.resource}")

    def do(self, settings: PackageSettings, tools: Tools) -> str:
        """Install it, and note for ``restart_if_needed`` whether a restart is needed.

        :raises InvalidValue: if a name or version is none.
        :raises TaskFailed: if it cannot be installed.
        """
        before = self._system.signs() if settings.restart == "if_needed" else []
        done = _do(settings, tools)
        tools.say(done.said)
        for reason in self._reasons(settings, done, before):
            tools.say(f"a restart is needed: {reason}")
            # A command as it stands: what it refers to may be secret.
            what = settings.command or tools.fill(settings.package or settings.resource or "")
            restarts.note(tools.scratch, f"{first_line(what)}: {reason}")
        return done.said

    def _reasons(self, settings: PackageSettings, done: Done, before: Sequence[Sign]) -> list[str]:
        """Return why a restart is needed after what was *done*; *before* that the system said so already."""
        if settings.restart == "never":
            return []
        if settings.restart == "always":
            return ["so the task says"] if done.has_changed else []
        signs = self._system.signs() if done.has_changed else []
        return [*filter(None, [done.restart]), *(sign.reason for sign in signs if sign not in before)]


def _do(settings: PackageSettings, tools: Tools) -> Done:
    installing = Installing(Runner(tools, settings.wait_s), settings.manager, settings.success_codes)
    if settings.command is not None:
        return installing.run(settings.command)
    if settings.resource is not None:
        return installing.install_file(tools.fill(settings.resource), [tools.fill(one) for one in settings.arguments])
    package = tools.fill(settings.package or "")
    if settings.state == "removed":
        return installing.remove(package)
    version = None if settings.version is None else tools.fill(settings.version)
    return installing.install(package, version, refresh=settings.refresh)


TYPE = Package()
