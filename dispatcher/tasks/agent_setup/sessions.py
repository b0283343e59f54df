"""Sessions: what can be done on a computer that somebody has logged in to, in whatever way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a computer, and of the agent there."""

    host_name: str
    directory: PurePath  #: where the agent is, or will be
    agent_id: UUID | None = None  #: of the agent that is there, as the computer says
    proof: str = ""  #: that this is so (``core.computers.proof``)
    is_whole: bool = False  #: whether all of it is there: what was cut off leaves some
    problem: str = ""  #: why nothing may be done in that directory
    build: str = ""  #: of its Python: how the names of its libraries end, such as .cpython-311-x86_64-linux-gnu.so
    glibc: str = ""  #: such as 2.36; empty where there is none


@dataclass(frozen=True, slots=True)
class NewAgent:
    """An agent to install."""

    archive: Path  #: its program, as a compressed tar
    requirements: tuple[str, ...]  #: what pip has to install, if that is not in the archive
    files: Mapping[str, str]  #: by name: its settings, and certificates
    token: str = field(repr=False)  #: by which it enrols


@dataclass(frozen=True, slots=True)
class Installed:
    """An agent that has been installed, and how it is started."""

    agent_id: UUID  #: as the computer says
    how: str
    proof: str = ""  #: that this is so (``core.computers.proof``)


class Session(Protocol):
    """A login on a computer. It ends with the connection: what was not done by then is undone."""

    @property
    def state(self) -> State:
        """What is there."""

    def install(self, agent: NewAgent) -> Installed:
        """Install *agent*, in place of the one that is there.

        :raises TaskFailed: if it cannot be installed; what was there before is there still.
        """

    def remove(self) -> None:
        """Remove the agent that is there.

        :raises TaskFailed: if it cannot be removed.
        """
