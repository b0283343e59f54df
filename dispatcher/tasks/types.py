"""Task types: what one is, what it is given to run with and how it says what became of it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from dispatcher.core import references
from dispatcher.core.references import Reference

TaskState = Literal["completed", "failed", "timed_out", "aborted", "skipped"]
Text = Annotated[str, Field(max_length=100_000, pattern=r"^[^\x00]*$")]
VariableName = Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class TaskSettings(BaseModel):
    """The root of all settings: an unknown member is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def of_input(cls, given: object) -> Self:
        """Return the settings that an input of the run holds, as JSON has them or as its text.

        Members that are unknown are left out: a newer dispatcher may say more than this agent knows.

        :raises ValueError: if it holds none.
        """
        told = json.loads(given) if isinstance(given, str) else given
        if isinstance(told, dict):
            told = {name: value for name, value in told.items() if name in cls.model_fields}
        return cls.model_validate(told)

    def to_input(self) -> dict[str, Any]:
        """Return what ``of_input`` reads, without what is as it is by default: older agents may not know that."""
        fields = type(self).model_fields.items()
        usual = {name for name, one in fields if getattr(self, name) == one.get_default(call_default_factory=True)}
        return self.model_dump(mode="json", exclude=usual)


class ProcessSettings(TaskSettings):
    """What all types have that run a process."""

    #: Where it runs; relative to the agent's working directory. May hold references.
    directory: Annotated[Text, Field(min_length=1)] | None = None
    #: More environment variables; their values may hold references.
    environment: dict[VariableName, Text] = {}
    #: The exit codes that count as success.
    success_codes: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=256)] = [0]

    def plain_references(self) -> list[Reference]:
        """Return the references in members that nothing parses again, in order."""
        texts = [self.directory or "", *self.environment.values()]
        return [found for text in texts for found in references.find(text)]


@dataclass(frozen=True, slots=True)
class TaskEnding:
    """What became of a task. ``killed`` lists "pid name" of each process that had to be killed."""

    state: TaskState
    exit_code: int | None = None
    message: str = ""
    killed: list[str] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)  #: output parameters that it set


@dataclass(frozen=True, slots=True)
class Process:
    """A process to run. A command line that is one text is for Windows, where programs split it themselves."""

    command_line: list[str] | str
    directory: Path
    environment: Mapping[str, str]  #: in addition to the agent's own and to the values
    success_codes: frozenset[int]


class TaskContext(Protocol):
    """What a task runs with. ``values`` are the environment variables for everything it may refer to."""

    @property
    def values(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def scratch(self) -> Path:
        """A private directory that is emptied after the run."""

    @property
    def work(self) -> Path:
        """The directory that processes run in by default. It stays."""

    @property
    def logs_in(self) -> bool:
        """Whether tasks log in that need not: the job names an account, or the computer has no agent of its own."""

    def run_process(self, process: Process) -> TaskEnding:
        """Run *process* to its end under the time limit of the task; nothing of it is left running.

        Its output is reported while it runs. A process that cannot be started gives a failed ending.
        """

    def run_work(self, name: str, settings: TaskSettings) -> TaskEnding:
        """Have the type *name* (see ``tasks.work``) do its task in a process of its own, run as by ``run_process``."""


SettingsT = TypeVar("SettingsT", bound=TaskSettings)


class TaskType(ABC, Generic[SettingsT]):
    """A kind of task. All but ``run`` is pure and used by the server too; ``run`` imports what it needs itself."""

    name: ClassVar[str]
    Settings: type[SettingsT]
    #: Its settings may have a ``keep``: what it fetches is kept then as a version of a configuration.
    keeps: ClassVar[bool] = False
    #: It sees the inputs of its run (``core.inputs``).
    takes_inputs: ClassVar[bool] = False

    @abstractmethod
    def references(self, settings: SettingsT, platforms: Sequence[str] = ()) -> list[Reference]:
        """Return what *settings* refer to, in order, repeated ones too.

        *platforms* (LINUX, WINDOWS, MACOS) are those the module is for; none means any.

        :raises InvalidValue: if a reference stands where it could not be expanded safely.
        """

    def resources(self, settings: SettingsT) -> list[str]:  # noqa: ARG002 - most need none
        """Return the resources of the library that the task needs, by id, path or name; they may hold references."""
        return []

    def is_remote(self, settings: Mapping[str, Any]) -> bool:  # noqa: ARG002 - most are not
        """Whether any agent that reaches the computer can do a task with these *settings*, as stored."""
        return False

    def needs_account(self, settings: Mapping[str, Any]) -> bool:  # noqa: ARG002 - most need none
        """Whether a task with these *settings*, as stored, is given the account of the computer that its run is for."""
        return False

    def takes_account(self, settings: Mapping[str, Any]) -> bool:
        """Whether a task with these *settings*, as stored, can log in with it (see ``TaskContext.logs_in``)."""
        return self.needs_account(settings)

    @abstractmethod
    def summary(self, settings: SettingsT) -> str:
        """Return one line about what the task does; values do not show in it."""

    @abstractmethod
    def run(self, settings: SettingsT, context: TaskContext) -> TaskEnding:
        """Do the task on the agent. What it does to the computer is done by a process of *context*, not before.

        :raises InvalidValue: if something it refers to has no value.
        """


def process(settings: ProcessSettings, context: TaskContext, command_line: list[str] | str) -> Process:
    """Return the process of *settings* with its references filled in.

    :raises InvalidValue: if something it refers to has no value.
    """
    values = context.values
    return Process(
        command_line,
        context.work / references.fill(settings.directory or "", values),
        {name: references.fill(text, values) for name, text in settings.environment.items()},
        frozenset(settings.success_codes),
    )


def first_line(text: str) -> str:
    """Return the first line of *text* that says something, at most 80 characters."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= 80 else line[:79] + "…"
