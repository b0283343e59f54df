"""Slot messages: what an agent tells one of its slots, a line of JSON each. What a slot answers are run events.

A slot reports that it is about to start a task and waits until the agent has that on disk (``Go``). The start of the
first task of a run is not reported if nothing can keep it from starting: the agent writes it down by itself, while the
slot prepares.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field, TypeAdapter

from dispatcher.agents.protocol import RunOrder


class Do(BaseModel):
    """Do a run. ``facts`` are the agent's, for ``@[Name]``."""

    kind: Literal["do"] = "do"
    order: RunOrder
    facts: dict[str, str]
    is_begun: bool = False  #: the agent writes down the start of the first task by itself


class Go(BaseModel):
    """The start of the task at ``position`` is on disk: begin."""

    kind: Literal["go"] = "go"
    run_id: UUID
    position: int


class Abort(BaseModel):
    """Stop the run and kill everything of it. The end of the run is reported with ``reason``."""

    kind: Literal["abort"] = "abort"
    run_id: UUID
    reason: str = ""


SlotMessage = Annotated[Do | Go | Abort, Field(discriminator="kind")]
SLOT_MESSAGE: TypeAdapter[Do | Go | Abort] = TypeAdapter(SlotMessage)
