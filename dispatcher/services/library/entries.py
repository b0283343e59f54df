"""Library entries: what a library file may say, section by section.

Every member not listed here is an error. In agents and teams, what is not given stays as it is; modules, projects and
run books are replaced as a whole, but for ``enabled``, ``aliases`` and secrets, which stay when they are not given.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

_PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
_MAC = re.compile(r"[0-9A-Fa-f]{12}")


def _to_text(value: Any) -> Any:
    # "description:" with nothing after it is an empty text, not a missing one.
    return "" if value is None else value


def _to_folder(value: str) -> str:
    return "/".join(part.strip() for part in value.split("/") if part.strip())


def _to_upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _to_mac(value: str) -> str:
    digits = re.sub("[:.-]", "", value)
    if not _MAC.fullmatch(digits):
        raise ValueError("is no MAC address, such as 00:11:22:33:44:55")
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2)).lower()


def _to_value(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(part, str) and ";" not in part for part in value):
        return ";".join(value)
    return _to_text(value)


def _to_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_to_text)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=_PRINTABLE)]
ParameterName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f\[\]]*$")
]
Folder = Annotated[str, StringConstraints(max_length=700, pattern=_PRINTABLE), AfterValidator(_to_folder)]
Choice = Annotated[str, StringConstraints(pattern="^[^;]*$")]
OnError = Literal["stop", "continue"]
Links = dict[str, Text]
Aliases = dict[str, dict[str, Annotated[list[Name], BeforeValidator(_to_list)]]]


class Entry(BaseModel):
    """A member of a section or of another entry."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NamedEntry(Entry):
    """A thing with a name of its own. Without an id, it is known by its folder and name."""

    id: UUID | None = None
    name: Name
    aliases: Aliases | None = None


class FiledEntry(NamedEntry):
    """A thing in a folder."""

    folder: Folder = ""
    description: Text = ""
    enabled: bool | None = None


class ParameterEntry(Entry):
    """A parameter. ``value`` is the secret for passwords and the user for credentials."""

    name: ParameterName
    type: Literal["text", "list", "credentials", "multiselect", "multiline", "password"] = "text"
    value: Annotated[str, BeforeValidator(_to_value)] = ""
    password: Text = ""
    choices: list[Choice] = []
    labels: list[Choice] = []
    description: Text = ""
    hint: Text = ""
    input: bool = True
    output: bool = False
    aliases: Aliases | None = None


class TaskEntry(Entry):
    """A task of a module; ``settings`` are those of its type."""

    id: UUID | None = None
    name: Name
    type: Name
    settings: dict[str, Any] = {}
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    on_error: OnError = "stop"
    repeatable: bool = False
    enabled: bool = True


class ModuleEntry(FiledEntry):
    """A module."""

    platforms: list[Annotated[Literal["LINUX", "WINDOWS", "MACOS"], BeforeValidator(_to_upper)]] = []
    parameters: list[ParameterEntry] = []
    tasks: list[TaskEntry] = []


class ProjectModuleEntry(Entry):
    """A module of a project, with values or links for its parameters."""

    module: Name
    parameters: Links = {}


class ProjectEntry(FiledEntry):
    """A project."""

    parameters: list[ParameterEntry] = []
    modules: list[ProjectModuleEntry] = []


class WhoEntry(Entry):
    """Whom a step runs on: exactly one of the members."""

    agent: Name | None = None
    team: Name | None = None
    parameter: ParameterName | None = None
    ask: bool = False


class StepEntry(Entry):
    """A step of a run book: exactly one of module, project and run book."""

    name: Name
    module: Name | None = None
    project: Name | None = None
    runbook: Name | None = None
    who: list[WhoEntry] = []
    on_error: OnError = "stop"
    parameters: Links = {}


class RunBookEntry(FiledEntry):
    """A run book."""

    parameters: list[ParameterEntry] = []
    steps: list[StepEntry] = []


class AgentEntry(NamedEntry):
    """An agent, known before it enrols. ``mac`` is short for one of ``macs``."""

    address: Annotated[str, StringConstraints(strip_whitespace=True, max_length=64, pattern=r"^\S*$")] | None = None
    mac: Annotated[str, AfterValidator(_to_mac)] | None = None
    macs: list[Annotated[str, AfterValidator(_to_mac)]] | None = None
    primary_team: Name | None = None
    licensed: bool | None = None


class TeamEntry(NamedEntry):
    """A team: its members are those listed and those that the rule fits."""

    folder: Folder = ""
    description: Text | None = None
    enabled: bool | None = None
    agents: list[Name] | None = None
    rule: Text | None = None
