"""The agent protocol: the JSON messages between an agent and the gateway, and what each promises.

An agent makes outgoing HTTP calls only, all ``POST`` below ``/agents/v1/``:

``enrol``
    trades an enrolment token for an identity (``Enrol`` → ``Identity``).
``poll``
    waits up to ``wait_s`` seconds for work or aborts (``Poll`` → ``Orders``).
``report``
    delivers events, in order, and renews the leases of what the agent holds (``Report`` → ``Receipt``).
    Delivery is at-least-once: the gateway ignores what it has already stored and what a lost lease sends.

Unknown members are ignored and new ones have defaults. An order already has linked values in ``ModuleOrder.values``: an
agent that knows no ``scopes`` does it with those. It knows no conditions and no retries either: agents and
dispatchers of one version belong together.

``resource``
    tells which content a resource of the library has (``FindResource`` → ``FoundResource``).
``content/<SHA-256 in hex>``
    gives the bytes of a content, also by ``GET``; ``Range: bytes=<first>-`` begins later.
``leave``
    removes the agent, which is taken away from its computer (an empty object → ``Receipt``).

All but ``enrol`` carry ``Authorization: Agent <agent id>:<secret>``. All moments are aware UTC.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from dispatcher.agents.member_types import PLAIN, Count, Digest, ExitCode, Moment, Offset, Position, Text
from dispatcher.core.accounts import Account
from dispatcher.core.computers import AgentChange, Way
from dispatcher.core.inputs import Input
from dispatcher.core.parameters import ParameterType

PATH = "/agents/v1"
#: How long an idle poll may wait, in seconds, before jitter.
LONG_POLL_S = 300
#: How long a run may go without news of it before it counts as lost, in seconds, where no dispatcher says otherwise.
LEASE_S = 30.0
#: How often an agent reports while a lease lasts: two reports in a row may fail.
REPORTS_A_LEASE = 3
#: The largest report, in bytes; an agent splits what is longer.
MAX_REPORT_BYTES = 1 << 20
#: How many computers an agent is asked to wake by one answer.
MOST_WAKES = 10_000
#: How many computers one event tells of.
MOST_COMPUTERS = 500


class Message(BaseModel):
    """The root of all messages: unknown members are ignored, so that versions may differ."""

    model_config = ConfigDict(extra="ignore", ser_json_bytes="base64", val_json_bytes="base64")


class Facts(Message):
    """What an agent knows about its computer; ``extra`` becomes ``fact.<name>`` in team rules."""

    os: Annotated[Text, Field(max_length=32)] = ""  #: linux, windows or macos
    os_version: Annotated[Text, Field(max_length=200)] = ""
    hostname: Annotated[Text, Field(max_length=255)] = ""
    address: Annotated[Text, Field(max_length=64)] = ""
    macs: Annotated[list[Annotated[Text, Field(max_length=32)]], Field(max_length=64)] = []
    python: Annotated[Text, Field(max_length=64)] = ""
    version: Annotated[Text, Field(max_length=64)] = ""  #: of the agent itself
    time_zone: Annotated[str, Field(max_length=64, pattern=PLAIN)] = ""  #: an IANA name; empty if it cannot be told
    #: Another one after every boot; empty if it cannot be told.
    boot_id: Annotated[str, Field(max_length=64, pattern=PLAIN)] = ""
    console_user: Annotated[Text, Field(max_length=255)] = ""  #: as ``core.console.Console``
    last_console_user: Annotated[Text, Field(max_length=255)] = ""
    console_user_at: Moment | None = None
    extra: Annotated[dict[Text, Text], Field(max_length=100)] = {}


class Enrol(Message):
    """Asks for an identity. ``agent_id`` names an entry that is known but has never enrolled."""

    token: Annotated[Text, Field(max_length=200)]
    name: Annotated[Text, Field(min_length=1, max_length=255)]
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
    process: Annotated[str, Field(max_length=64)] = ""  #: the agent's process, by a name it has chosen at random
    number: int = 0  #: counts the polls of that process: one that arrives after a later one is not obeyed
    wait_s: Annotated[float, Field(ge=0, le=600)] = LONG_POLL_S
    facts: Facts | None = None  #: sent with the first poll of a process and when they change


class Value(Message):
    """A parameter with its value. Those of secret types never reach a log, an output or a process list."""

    name: Text
    value: Text
    password: Text | None = None  #: of a credentials parameter
    type: ParameterType = ParameterType.TEXT
    choices: list[str] = []  #: of a list or multiselect parameter; none: any value
    is_output: bool = False  #: it leaves its module or project


class Condition(Message):
    """What must be true for something to be done; otherwise it is skipped or has failed (``core.conditions``)."""

    rule: str
    otherwise: Literal["skip", "fail"] = "skip"


class Retry(Message):
    """How a task that failed or timed out is tried again (``core.definitions.RetryDocument``)."""

    times: Annotated[int, Field(ge=1)]
    delay_s: Annotated[float, Field(ge=0)]
    factor: Annotated[float, Field(ge=1)]
    max_delay_s: Annotated[float, Field(ge=0)]


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
    condition: Condition | None = None
    retry: Retry | None = None


class ModuleOrder(Message):
    """A module of a run, with the values its tasks see.

    For a module of a project, ``links`` (texts with ``$[Name]``) give its parameters their values anew from those of
    the project when it begins; when it ends, ``get`` names for its parameters those of the project that take their
    values.
    """

    module_id: UUID
    name: str
    values: list[Value]
    what: int = 0  #: which object of the job it belongs to: index into ``RunOrder.scopes``
    links: dict[str, str] = {}
    get: dict[str, str] = {}
    condition: Condition | None = None  #: on the values of the project, for all tasks of the module


class Device(Message):
    """A computer without an agent of its own, which the agent does a run for."""

    id: UUID
    name: str
    address: str = ""
    os: str = ""

    def facts(self) -> dict[str, str]:
        """Return what is known of it, as tasks see it (``@[address]``)."""
        return {"name": self.name, "address": self.address, "os": self.os}


class RunOrder(Message):
    """A run to do: its tasks in order. ``variables`` are the global variables it refers to.

    ``scopes`` has for every object of the job the values of the project, which its modules share; None for a module.
    With a ``device`` the run is for that, and facts are its. ``account`` is for tasks that log in; with
    ``logs_in`` those do that need not, too. ``inputs``, secrets open, are for tasks that take such.
    """

    run_id: UUID
    fence: int
    job_id: UUID
    modules: list[ModuleOrder]
    tasks: list[TaskOrder]
    variables: dict[str, str] = {}
    scopes: list[list[Value] | None] = []
    device: Device | None = None
    account: Account | None = None
    logs_in: bool = False
    inputs: list[Input] = []


class Orders(Message):
    """What the agent shall do now. ``lost`` are runs it no longer owns: kill them and report nothing more."""

    runs: list[RunOrder] = []
    aborts: list[UUID] = []
    lost: list[UUID] = []
    wakes: Annotated[list[str], Field(max_length=MOST_WAKES)] = []  #: MAC addresses of computers to wake from here
    lease_s: Annotated[float, Field(gt=0)] = LEASE_S  #: how long what it holds may go without news


class RunStarted(Message):
    """The agent has recorded that it starts the run."""

    kind: Literal["run_started"] = "run_started"
    run_id: UUID
    fence: int
    at: Moment


class TaskStarted(Message):
    """The agent has recorded that it starts a task; its first effect comes after this."""

    kind: Literal["task_started"] = "task_started"
    run_id: UUID
    fence: int
    position: Position
    at: Moment


class Output(Message):
    """Bytes that a task wrote (standard output and error in order of arrival), at ``offset`` in its output."""

    kind: Literal["output"] = "output"
    run_id: UUID
    fence: int
    position: Position
    offset: Offset
    data: bytes


class Fetched(Message):
    """Bytes of a text that a task has fetched, at ``offset``, to be kept as they are: nothing in them is masked."""

    kind: Literal["fetched"] = "fetched"
    run_id: UUID
    fence: int
    position: Position
    offset: Offset
    data: bytes


class Computer(Message):
    """What a task has found (``core.computers.FoundComputer``)."""

    address: Annotated[Text, Field(max_length=64)] = ""
    name: Annotated[Text, Field(max_length=255)] = ""
    dns_name: Annotated[Text, Field(max_length=255)] = ""
    netbios_name: Annotated[Text, Field(max_length=64)] = ""
    mac: Annotated[Text, Field(max_length=32)] = ""
    os: Annotated[Text, Field(max_length=32)] = ""
    description: Annotated[Text, Field(max_length=1000)] = ""
    ports: Annotated[list[Annotated[int, Field(ge=1, le=65_535)]], Field(max_length=1000)] = []
    ways: Annotated[list[Way], Field(max_length=len(Way))] = []
    change: AgentChange | None = None
    agent_id: UUID | None = None
    gone_agent_id: UUID | None = None
    agent_proof: Annotated[Text, Field(max_length=64)] = ""
    gone_agent_proof: Annotated[Text, Field(max_length=64)] = ""


class Found(Message):
    """Computers that a task has found, or done something to; told when the task has ended, however that was."""

    kind: Literal["found"] = "found"
    run_id: UUID
    fence: int
    position: Position
    computers: Annotated[list[Computer], Field(max_length=MOST_COMPUTERS)]


class FetchedText(Message):
    """A text of which all parts were sent, in what is said of its run in the end; ``name`` says which configuration."""

    position: Position
    name: Text
    size: Offset
    sha256: Digest
    compared: Digest  #: of what counts when versions are compared


TaskEnd = Literal["completed", "failed", "timed_out", "aborted", "skipped"]
RunEnd = Literal["completed", "failed", "stopped", "completed_with_errors", "timed_out", "aborted", "skipped"]


class TaskFinished(Message):
    """A task has ended and nothing of it is left running; ``killed`` lists what had to be killed.

    One that never started is skipped, or has failed because of a condition.
    """

    kind: Literal["task_finished"] = "task_finished"
    run_id: UUID
    fence: int
    position: Position
    at: Moment
    state: TaskEnd
    exit_code: ExitCode | None = None
    message: Text = ""
    killed: list[Text] = []  #: "pid name" each
    outputs: dict[Text, Text] = {}  #: parameters that the task set, secrets masked; of credentials the user
    attempts: Count = 1  #: how often it was tried


class RunFinished(Message):
    """A run has ended; no event of it follows. ``outputs`` are what it gives out, by object of the job, secrets open.

    Only parameters that were set are in it: the others have the values they were ordered with.
    """

    kind: Literal["run_finished"] = "run_finished"
    run_id: UUID
    fence: int
    at: Moment
    state: RunEnd
    reason: Text = ""
    outputs: list[list[Value]] = []
    fetched: Annotated[list[FetchedText], Field(max_length=1000)] = []


RunEvent = Annotated[
    RunStarted | TaskStarted | Output | Fetched | Found | TaskFinished | RunFinished, Field(discriminator="kind")
]


class Report(Message):
    """Events in the order they happened, and what is still held (its leases are renewed)."""

    events: Annotated[list[RunEvent], Field(max_length=10_000)] = []
    holding: Annotated[list[Held], Field(max_length=1000)] = []


class Receipt(Message):
    """The events are durable. The rest is as in ``Orders``."""

    aborts: list[UUID] = []
    lost: list[UUID] = []
    lease_s: Annotated[float, Field(gt=0)] = LEASE_S


class FindResource(Message):
    """Asks for a resource of the library by its id, path or name."""

    name: Annotated[Text, Field(min_length=1, max_length=1000)]


class FoundResource(Message):
    """What the resource is now: the SHA-256 of its content in hex, its size in bytes, and the name of its file."""

    sha256: Digest
    size: Annotated[int, Field(ge=0)]
    file_name: str


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
