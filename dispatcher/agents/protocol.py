"""The agent protocol: the JSON messages between an agent and the gateway, and what each promises.

An agent makes outgoing HTTP calls only, all ``POST`` below ``/agents/v1/``:

``enrol``
    trades an enrolment token for an identity (``Enrol`` → ``Identity``).
``poll``
    waits up to ``wait_s`` seconds for work or aborts (``Poll`` → ``Orders``).
``report``
    delivers events, in order, and renews the leases of what the agent holds (``Report`` → ``Receipt``).
    Delivery is at-least-once: the gateway ignores what it has already stored and what a lost lease sends.

``poll`` and ``report`` carry ``Authorization: Agent <agent id>:<secret>``. All moments are aware UTC.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

PATH = "/agents/v1"
#: How long an idle poll may wait, in seconds, before jitter.
LONG_POLL_S = 300
#: How long a run may go without news of it before it counts as lost, in seconds.
LEASE_S = 30
#: How often an agent that holds work reports, in seconds.
HEARTBEAT_S = 10
#: The largest report, in bytes; an agent splits what is longer.
MAX_REPORT_BYTES = 1 << 20


class Message(BaseModel):
    """The root of all messages: unknown members are ignored, so that versions may differ."""

    model_config = ConfigDict(extra="ignore", ser_json_bytes="base64", val_json_bytes="base64")


class Facts(Message):
    """What an agent knows about its computer; ``extra`` becomes ``fact.<name>`` in team rules."""

    os: Annotated[str, Field(max_length=32)] = ""  #: linux, windows or macos
    os_version: Annotated[str, Field(max_length=200)] = ""
    hostname: Annotated[str, Field(max_length=255)] = ""
    address: Annotated[str, Field(max_length=64)] = ""
    macs: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=64)] = []
    python: Annotated[str, Field(max_length=64)] = ""
    version: Annotated[str, Field(max_length=64)] = ""  #: of the agent itself
    extra: Annotated[dict[str, str], Field(max_length=100)] = {}


class Enrol(Message):
    """Asks for an identity. ``agent_id`` names an entry that is known but has never enrolled."""

    token: Annotated[str, Field(max_length=200)]
    name: Annotated[str, Field(min_length=1, max_length=255)]
    agent_id: UUID | None = None
    facts: Facts = Facts()


class Identity(Message):
    """Who the agent is from now on. The secret is shown once and stored hashed on the server."""

    agent_id: UUID
    secret: str


class Held(Message):
    """A run that the agent holds, with the fencing number it was given."""

    run_id: UUID
    fence: int


class Poll(Message):
    """Asks for at most ``free`` runs. ``holding`` lists all runs that the agent has not finished reporting."""

    free: Annotated[int, Field(ge=0, le=1000)]
    holding: Annotated[list[Held], Field(max_length=1000)] = []
    wait_s: Annotated[float, Field(ge=0, le=600)] = LONG_POLL_S
    facts: Facts | None = None  #: sent with the first poll of a process and when they change


class Value(Message):
    """A parameter value for a task: ``secret`` ones never reach a log, an output or a process list."""

    name: str
    value: str
    password: str | None = None  #: of a credentials parameter
    secret: bool = False


class TaskOrder(Message):
    """One task to do."""

    position: int  #: counts all tasks of the run, from 0
    task_id: UUID
    name: str
    type: str
    settings: dict[str, JsonValue]
    module: int  #: index into ``RunOrder.modules``
    timeout_s: float | None = None
    on_error: Literal["stop", "continue"] = "stop"
    repeatable: bool = False


class ModuleOrder(Message):
    """A module of a run, with the values its tasks see."""

    module_id: UUID
    name: str
    values: list[Value]


class RunOrder(Message):
    """A run to do: its tasks in order. ``variables`` are the global variables it refers to."""

    run_id: UUID
    fence: int
    job_id: UUID
    modules: list[ModuleOrder]
    tasks: list[TaskOrder]
    variables: dict[str, str] = {}


class Orders(Message):
    """What the agent shall do now. ``lost`` are runs it no longer owns: kill them and report nothing more."""

    runs: list[RunOrder] = []
    aborts: list[UUID] = []
    lost: list[UUID] = []


class RunStarted(Message):
    """The agent has recorded that it starts the run."""

    kind: Literal["run_started"] = "run_started"
    run_id: UUID
    fence: int
    at: AwareDatetime


class TaskStarted(Message):
    """The agent has recorded that it starts a task; its first effect comes after this."""

    kind: Literal["task_started"] = "task_started"
    run_id: UUID
    fence: int
    position: int
    at: AwareDatetime


class Output(Message):
    """Bytes that a task wrote (standard output and error in order of arrival), at ``offset`` in its output."""

    kind: Literal["output"] = "output"
    run_id: UUID
    fence: int
    position: int
    offset: Annotated[int, Field(ge=0)]
    data: bytes


TaskEnd = Literal["completed", "failed", "timed_out", "aborted", "skipped"]
RunEnd = Literal["completed", "failed", "stopped", "completed_with_errors", "timed_out", "aborted"]


class TaskFinished(Message):
    """A task has ended and nothing of it is left running; ``killed`` lists what had to be killed."""

    kind: Literal["task_finished"] = "task_finished"
    run_id: UUID
    fence: int
    position: int
    at: AwareDatetime
    state: TaskEnd
    exit_code: int | None = None
    message: str = ""
    killed: list[str] = []  #: "pid name" each
    outputs: dict[str, str] = {}  #: output parameters that the task set


class RunFinished(Message):
    """A run has ended; no event of it follows."""

    kind: Literal["run_finished"] = "run_finished"
    run_id: UUID
    fence: int
    at: AwareDatetime
    state: RunEnd
    reason: str = ""


RunEvent = Annotated[RunStarted | TaskStarted | Output | TaskFinished | RunFinished, Field(discriminator="kind")]


class Report(Message):
    """Events in the order they happened, and what is still held (its leases are renewed)."""

    events: Annotated[list[RunEvent], Field(max_length=10_000)] = []
    holding: Annotated[list[Held], Field(max_length=1000)] = []


class Receipt(Message):
    """The events are durable. ``aborts`` and ``lost`` as in ``Orders``."""

    aborts: list[UUID] = []
    lost: list[UUID] = []


class Refusal(Message):
    """The body of every answer that is not 200: a stable code, and a text for people."""

    error: str
    message: str


def dump(message: Message) -> bytes:
    """Return *message* as UTF-8 JSON."""
    return message.model_dump_json().encode()


def credentials(agent_id: UUID, secret: str) -> str:
    """Return the value of the ``Authorization`` header of an agent."""
    return f"Agent {agent_id}:{secret}"


def parse_credentials(header: str) -> tuple[UUID, str] | None:
    """Return the agent id and secret of an ``Authorization`` header, or None if it is no agent's."""
    scheme, _, rest = header.partition(" ")
    agent, separator, secret = rest.strip().partition(":")
    if scheme.lower() != "agent" or not separator:
        return None
    try:
        return UUID(agent), secret
    except ValueError:
        return None
