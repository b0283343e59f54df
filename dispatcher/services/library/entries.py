"""Library entries: what a library file may say, section by section.

Every member not listed here is an error. In agents and teams, what is not given stays as it is; modules, projects and
run books are replaced as a whole, but for ``enabled``, ``aliases`` and secrets, which stay when they are not given.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from dispatcher.core import windows
from dispatcher.core.console import By
from dispatcher.core.errors import InvalidValue

#: The longest time that may be set for a step or a pause: a year, in seconds.
MAX_TIMEOUT_S = 31_536_000
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


def _to_window(value: str) -> str:
    try:
        return str(windows.parse(value)) if value else ""
    except InvalidValue as error:
        raise ValueError(error.message.removeprefix("launch window: ")) from None


def _to_value(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(part, str) and ";" not in part for part in value):
        return ";".join(value)
    return _to_text(value)


def _to_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _to_condition(value: Any) -> Any:
    return {"if": value} if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_to_text)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=_PRINTABLE)]
#: What another thing is called: by its name, its id, or the name with its folder, which is as long as both may be.
Reference = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=956, pattern=_PRINTABLE)]
ParameterName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f\[\]]*$")
]
Folder = Annotated[str, StringConstraints(max_length=700, pattern=_PRINTABLE), AfterValidator(_to_folder)]
Choice = Annotated[str, StringConstraints(pattern="^[^;]*$")]
#: More than nothing of the agents, and at most all of them.
Share = Annotated[float, Field(gt=0, le=1)]
#: When work may start, as ``core.windows`` writes it; empty: always.
LaunchWindow = Annotated[str, BeforeValidator(_to_text), AfterValidator(_to_window)]
OnError = Literal["stop", "continue"]
Links = dict[str, Text]
#: Which parameter outside takes the value of each inside.
Takers = dict[str, ParameterName]
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


class ConditionEntry(Entry):
    """Whether something is done when its turn comes. The rule alone may stand for it."""

    rule: Annotated[str, Field(alias="if")]
    otherwise: Annotated[Literal["skip", "fail"], Field(alias="else")] = "skip"


Condition = Annotated[ConditionEntry, BeforeValidator(_to_condition)]
Pause = Annotated[float, Field(ge=0, le=MAX_TIMEOUT_S, allow_inf_nan=False)]


class RetryEntry(Entry):
    """How often a task is tried again after a failure or a time-out, and how long the pauses before that are."""

    times: Annotated[int, Field(ge=1, le=1_000)]
    delay_s: Pause = 5
    factor: Annotated[float, Field(ge=1, le=1_000, allow_inf_nan=False)] = 2
    max_delay_s: Pause = 300


class TaskEntry(Entry):
    """A task of a module; ``settings`` are those of its type."""

    id: UUID | None = None
    name: Name
    type: Name
    settings: dict[str, Any] = {}
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    on_error: OnError = "stop"
    repeatable: bool = False
    condition: Condition | None = None
    retry: RetryEntry | None = None
    enabled: bool = True


class ModuleEntry(FiledEntry):
    """A module."""

    platforms: list[Annotated[Literal["LINUX", "WINDOWS", "MACOS"], BeforeValidator(_to_upper)]] = []
    parameters: list[ParameterEntry] = []
    tasks: list[TaskEntry] = []


class ProjectModuleEntry(Entry):
    """A module of a project, with values or links for its parameters, and what the project takes from it."""

    module: Reference
    parameters: Links = {}
    get: Takers = {}
    condition: Condition | None = None


class ProjectEntry(FiledEntry):
    """A project."""

    parameters: list[ParameterEntry] = []
    modules: list[ProjectModuleEntry] = []


class WhoEntry(Entry):
    """Whom a step runs on: exactly one of the members; ``by`` says what the value of the parameter is."""

    agent: Name | None = None
    team: Reference | None = None
    parameter: ParameterName | None = None
    by: By = By.COMPUTER
    ask: bool = False


class BatchEntry(Entry):
    """How many agents of a step work at once: exactly one of the members."""

    size: Annotated[int, Field(ge=1)] | None = None
    share: Share | None = None


class StepEntry(Entry):
    """A step of a run book: exactly one of module, project and run book."""

    name: Name
    module: Reference | None = None
    project: Reference | None = None
    runbook: Reference | None = None
    who: list[WhoEntry] = []
    parallel: bool = False
    on_error: OnError = "stop"
    timeout_s: Annotated[float, Field(gt=0, le=MAX_TIMEOUT_S, allow_inf_nan=False)] | None = None
    wake_on_lan: bool = False
    select_one_agent: bool = False
    offline_agents_next_boot: bool = False
    launch_window: Literal["fail", "continue", "wait"] | None = None
    wait_for_approval: bool = False
    batch: BatchEntry | None = None
    stop_at_share: Share | None = None
    operation: Name | None = None  #: with which other inputs it is run
    condition: Condition | None = None
    parameters: Links = {}
    get: Takers = {}


class RunBookEntry(FiledEntry):
    """A run book."""

    parameters: list[ParameterEntry] = []
    steps: list[StepEntry] = []


class AgentEntry(NamedEntry):
    """An agent, known before it enrols. ``mac`` is short for one of ``macs``."""

    address: Annotated[str, StringConstraints(strip_whitespace=True, max_length=64, pattern=r"^\S*$")] | None = None
    mac: Annotated[str, AfterValidator(_to_mac)] | None = None
    macs: list[Annotated[str, AfterValidator(_to_mac)]] | None = None
    primary_team: Reference | None = None
    gateway: Annotated[str, BeforeValidator(_to_text), StringConstraints(max_length=255)] | None = None
    licensed: bool | None = None
    launch_window: LaunchWindow | None = None


class CredentialSetEntry(NamedEntry):
    """An account on other computers, and the agents and teams that it is for. ``private_key`` as OpenSSH writes it."""

    description: Text = ""
    user: Name
    password: Text = ""
    private_key: Text = ""
    passphrase: Text = ""
    port: Annotated[int, Field(ge=1, le=65_535)] = 22
    timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] = 30_000
    agents: list[Name] | None = None
    teams: list[Reference] | None = None


class TeamEntry(NamedEntry):
    """A team: its members are those listed and those that the rule fits."""

    folder: Folder = ""
    description: Text | None = None
    enabled: bool | None = None
    agents: list[Name] | None = None
    rule: Text | None = None
    launch_window: LaunchWindow | None = None
