"""Orders: what a caller wants an OpsRamp job to be, as it is stored and shown again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from dispatcher.services.opsramp.patterns import Pattern


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Entity(_Part):
    """A resource that a job is for: by its id, else by its name; ``type`` is what the caller calls it."""

    id: str
    type: str | None = None
    agent: UUID | None = None  #: the agent that it is, once that is known


class Timing(_Part):
    """When a job starts, to the minute, and how it repeats. Without a ``start`` it starts at once."""

    start: datetime | None
    pattern: Pattern


class Value(_Part):
    """The value of a parameter, by its number; ``name`` is there once it is known. A password is not kept."""

    number: int
    name: str | None = None
    value: str | None = None


class Order(_Part):
    """A job. ``script`` is the number of a custom script; only such a job needs no name.

    ``config`` and ``approval`` have the members that OpsRamp's ``configParams`` and ``approvalType`` have, checked.
    """

    name: str = ""
    queued: bool = False
    entities: tuple[Entity, ...] = ()
    job_type: str
    config: dict[str, bool | str] | None = None
    approval: dict[str, bool | int | str] | None = None
    script: int | None = None
    module: UUID | None = None  #: whose parameters the values are for, once that is known
    user_type: int | None = None
    credential_set: str | None = None
    values: tuple[Value, ...] | None = None
    values_at: str = Field(default="script.parameters", exclude=True)  #: what callers call ``values``
    timing: Timing | None = None
