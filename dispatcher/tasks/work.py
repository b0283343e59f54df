"""Work: what task types have in common that are no program of their own.

Such a task is done by the function ``do`` of its type, in a process of its own below the slot: however long it waits
for an answer, a file or a clock, a time limit and an abort end it like any other process.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar
from uuid import UUID

from dispatcher.core import references
from dispatcher.core.accounts import Account
from dispatcher.core.errors import DispatcherError, InvalidValue
from dispatcher.core.inputs import Input
from dispatcher.core.networks import Networks
from dispatcher.core.references import Reference
from dispatcher.tasks.types import TaskContext, TaskEnding, TaskSettings, TaskType

WorkSettingsT = TypeVar("WorkSettingsT", bound=TaskSettings)

#: The file in the scratch directory where a task leaves a text to be kept: two SHA-256 (``Tools.hand_in``), and that.
FETCHED = "fetched"
DIGEST_BYTES = 32
#: Gives the bytes of a content from an offset on.
Source = Callable[[int], Iterator[bytes]]


class TaskFailed(DispatcherError):
    """The task could not do what it should; the message says why."""

    code = "task.failed"


class Found(Protocol):
    """What a resource of the library is at the moment."""

    @property
    def sha256(self) -> str: ...  # noqa: D102 - of its content, in hex
    @property
    def file_name(self) -> str: ...  # noqa: D102


class Contents(Protocol):
    """The contents of resources on this computer."""

    def find(self, resource: str) -> Found:
        """Return what *resource* (id, path or name) is in the library.

        :raises TaskFailed: if there is no such resource, or no dispatcher answers.
        """

    def open(self, sha256: str, source: Source | None = None) -> BinaryIO:
        """Return a stream of the content, from the cache, else from *source*, which by default is a dispatcher.

        :raises TaskFailed: if it cannot be had, or is not what its hash says.
        """


@dataclass(frozen=True, slots=True)
class Tools:
    """What work is done with. ``values`` are the environment variables for everything it may refer to."""

    values: Mapping[str, str]
    scratch: Path  #: a private directory that is emptied after the run
    work: Path  #: where relative paths begin
    output_file: Path  #: where output parameters are written
    networks: Networks  #: what may be called
    contents: Contents
    allows_power: bool  #: whether tasks may restart this computer or switch it off
    home: Path  #: of the agent; tasks keep there what they know of other computers
    account: Account | None = None  #: as whom to log in where the settings do not say
    inputs: Sequence[Input] = ()  #: of the run, for types that take them
    dispatchers: Sequence[str] = ()  #: where the agent finds dispatchers, as URLs
    ca_file: str | None = None  #: the certificates that it trusts instead of the usual ones
    pin: str = ""  #: a PEM file with the only certificate that it accepts
    agent_id: UUID | None = None  #: its own
    task: str = ""  #: tells the task from all others, and is the same when its run is done again

    def fill(self, text: str) -> str:
        """Return *text* with its references filled in.

        :raises InvalidValue: if one has no value.
        """
        return references.fill(text, self.values)

    def path(self, text: str) -> Path:
        """Return the path *text* with its references filled in; relative ones begin in the working directory.

        :raises InvalidValue: if a reference has no value, or nothing is left of the text.
        """
        filled = self.fill(text)
        if not filled.strip():
            # It would be the working directory itself: nobody means that by an empty value.
            raise InvalidValue(text, "the path is empty")
        return self.work / filled

    def say(self, text: str) -> None:
        """Write a line of output."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def hand_in(self, text: bytes, counting: bytes) -> None:
        """Leave *text* to be kept as it is; *counting* is what of it counts when versions are compared."""
        digests = (hashlib.sha256(data).digest() for data in (text, counting))
        (self.scratch / FETCHED).write_bytes(b"".join([*digests, text]))

    def set_output(self, name: str, value: str) -> None:
        """Set the output parameter *name*."""
        text = f"{name}={value}\n"
        if "\n" in value or "\r" in value:
            mark = f"END-{secrets.token_hex(8)}"
            text = f"{name}<<{mark}\n{value}\n{mark}\n"
        with self.output_file.open("a", encoding="utf-8", newline="") as stream:
            stream.write(text)


class WorkType(TaskType[WorkSettingsT]):
    """A task type that is done by ``do``."""

    def references(self, settings: WorkSettingsT, platforms: Sequence[str] = ()) -> list[Reference]:  # noqa: ARG002
        """Return what the texts of *settings* refer to: they are filled with values as they are."""
        return [found for text in texts(settings.model_dump(mode="json")) for found in references.find(text)]

    def run(self, settings: WorkSettingsT, context: TaskContext) -> TaskEnding:
        """Have ``do`` called in a process of its own."""
        return context.run_work(self.name, settings)

    @abstractmethod
    def do(self, settings: WorkSettingsT, tools: Tools) -> str:
        """Do the task and return a line about it; what it prints is its output.

        :raises DispatcherError: if it failed; the message is the task's.
        :raises OSError: likewise.
        """


def is_parameter(value: str) -> str:
    """Return *value*, which must be one reference to a parameter and nothing else.

    :raises ValueError: if it is not.
    """
    match = references.PATTERN.fullmatch(value)
    if match is None or match[1] != "$":
        raise ValueError("must be $[Name] of a credentials parameter")
    return value


def texts(value: Any) -> Iterator[str]:
    """Give every text in *value* (a document), in order; keys are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from texts(one)


def place(temporary: Path, target: Path) -> None:
    """Make the whole file *temporary*, in the same directory, the file *target*: durably, and all of it or nothing."""
    # A file that is read-only already cannot be opened for writing, which only Windows wants.
    with temporary.open("rb+" if sys.platform == "win32" else "rb") as stream:
        os.fsync(stream.fileno())
    temporary.replace(target)
