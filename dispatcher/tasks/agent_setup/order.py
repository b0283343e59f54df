"""Orders: what becomes of the agents on the computers that the discovery before it has found."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from dispatcher.tasks.types import TaskSettings, Text
from dispatcher.tasks.work import is_parameter

#: The input of a run that holds an order as JSON has it, in place of the settings of its task.
INPUT = "agent_setup"
#: The inputs that hold the password of ``username`` and the token by which new agents enrol.
PASSWORD_INPUT = "agent_setup.password"  # noqa: S105 - a name
TOKEN_INPUT = "agent_setup.token"  # noqa: S105 - a name

_Name = Annotated[Text, Field(max_length=255)]
_Reference = Annotated[Text, AfterValidator(is_parameter)]


class SetupOrder(TaskSettings):
    """What becomes of the agents. Without a ``username`` nobody can log in: access is denied."""

    username: _Name = ""
    overwrite: bool = False  #: whether an agent that is there is replaced by a new one
    modules: Annotated[list[_Name], Field(max_length=20)] = []  #: what a new agent is to be able to do, as its facts
    #: Where new agents find dispatchers, as URLs; empty: where the agent finds them that does this.
    dispatchers: Annotated[list[Text], Field(max_length=20)] = []
    #: Where the agent is on the other computer, an absolute path; empty: as the login there says, or as usual.
    directory: Annotated[Text, Field(max_length=1000)] = ""
    #: With ``process`` nothing starts the agent again after a boot; ``auto`` is systemd's service, or crontab's line.
    start: Literal["auto", "process"] = "auto"
    ssh_port: Annotated[int, Field(ge=1, le=65_535)] = 22
    parallel: Annotated[int, Field(ge=1, le=64)] = 8  #: how many computers are worked on at a time


class SetupSettings(SetupOrder):
    """An order in a module of the library. What the run gets as its inputs stands in place of all of it."""

    credentials: _Reference | None = None  #: ``$[Name]`` of a credentials parameter, in place of ``username``
    token: _Reference | None = None  #: ``$[Name]`` of the parameter with the token by which new agents enrol
