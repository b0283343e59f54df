"""The messages about deployments and patch lists, word for word (seed, "POST/api/v2/DeploymentGroups"; contract 1.4).

Names count in any letter case.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from dispatcher.bindings.ivanti_endpoint_security.contract import Entity
from dispatcher.bindings.ivanti_endpoint_security.scalars import (
    Filled,
    Flag,
    FlagOn,
    Guid,
    Line,
    Moment,
    default_if_null,
    within,
)
from dispatcher.wire.json_api.models import Digits, LastWins, LaxText, Model

#: The default text of a notice (seed, Notify, Message; the same for a restart: contract 1.9).
MESSAGE = (
    "The download and installation of the patch: {Package Name} is ready to begin. If you require any additional "
    "information, please contact your Ivanti Endpoint Security administrator."
)
#: After how many minutes it begins if nothing is said (contract 1.4).
WITHIN_MIN = 60
#: How many agents or groups one deployment may name.
MAX_TARGETS = 10_000

_Minutes = Annotated[Digits, within(0, 525_600), default_if_null(WITHIN_MIN)]
_Message = Annotated[LaxText, default_if_null(MESSAGE), Field(max_length=10_000)]

#: A deployment and a patch list as the documentation shows them (contract 1.6).
_EXAMPLE: dict[str, Any] = {
    "CustomPatchListId": 4,
    "GroupIds": [2001],
    "StartTime": "2031-05-02T01:00:00Z",
    "Notify": {},
    "Reboot": {"RebootWithin": 15},
}
_PATCHES: dict[str, Any] = {"Name": "April", "Patches": [{"Name": "curl", "Package": "curl", "Reboot": "Never"}]}


class _Notice(LastWins):
    Message: _Message = MESSAGE
    AllowCancel: Flag = Field(False, description="Whether the user may cancel it.")
    AllowSnooze: FlagOn = Field(True, description="Whether the user may snooze it.")
    NotificationOnTop: FlagOn = Field(True, description="Whether the notice is on top of everything.")
    UseAgentPolicies: Flag = Field(False, description="Whether the policies of the agents say all of that.")
    UseAgentPolicy_AllowCancel: Flag = Field(False, description="Whether they say AllowCancel.")
    UseAgentPolicy_AllowSnooze: FlagOn = Field(
        True, description="Whether they say AllowSnooze; one that is given without this holds."
    )
    UseAgentPolicy_NotificationOnTop: FlagOn = Field(
        True, description="Whether they say NotificationOnTop; one that is given without this holds."
    )


class NotifyOptions(_Notice):
    """What users are told before the deployment. Without it nobody is told; ``{}`` has every default."""

    DeployWithin: _Minutes = Field(WITHIN_MIN, description="After how many minutes it begins.")


class RebootOptions(_Notice):
    """What users are told before a restart, if one is needed."""

    RebootWithin: _Minutes = Field(WITHIN_MIN, description="After how many minutes it begins.")


class NewDeployment(LastWins):
    """A deployment to be made: a custom patch list for agents, groups, or both. One in the past starts at once."""

    other_names: ClassVar = {"deploymentname": "Name"}

    Name: Line = Field("", description="Also DeploymentName.")
    CustomPatchListId: Annotated[Digits, within(1, (1 << 63) - 1)]
    AgentGuids: Annotated[list[Guid], default_if_null(()), Field(max_length=MAX_TARGETS)] = []
    GroupIds: Annotated[list[Digits], default_if_null(()), Field(max_length=MAX_TARGETS)] = []
    StartTime: Moment
    Notify: NotifyOptions | None = None
    Reboot: RebootOptions | None = None
    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    @model_validator(mode="after")
    def _for_somebody(self) -> NewDeployment:
        if not self.AgentGuids and not self.GroupIds:
            raise PydanticCustomError("targets", "AgentGuids or GroupIds is needed")
        return self


class EndpointResult(Model):
    """What has become of a deployment on an endpoint."""

    AgentGuid: UUID
    Name: str
    Status: str
    Detail: str


class Deployment(Model):
    """A deployment, with every default filled in."""

    Id: int
    Name: str
    CustomPatchListId: int
    AgentGuids: list[UUID]
    GroupIds: list[int]
    StartTime: datetime
    Notify: NotifyOptions | None
    Reboot: RebootOptions | None
    Status: str
    CreatedBy: str
    CreatedTime: datetime
    StartedTime: datetime | None
    CompletedTime: datetime | None
    StatusDetail: str


class RebootRule(StrEnum):
    """When a patch makes a restart needed; in any letter case."""

    IF_NEEDED = "IfNeeded"
    ALWAYS = "Always"
    NEVER = "Never"

    @classmethod
    def _missing_(cls, value: object) -> RebootRule | None:
        wanted = value.strip().lower() if isinstance(value, str) else ""
        return next((one for one in cls if one.lower() == wanted), None)


class NewPatch(LastWins):
    """A patch: a package for the computer's package manager, or a command that installs it."""

    Name: Filled
    Description: Line = ""
    Package: Line = Field("", description="What the package manager installs.")
    Version: Line = Field("", description="Which version of it; without one the newest.")
    Command: Annotated[LaxText, default_if_null(""), Field(max_length=100_000)] = Field(
        "", description="A command in place of a package manager."
    )
    Reboot: Annotated[RebootRule, default_if_null(RebootRule.IF_NEEDED)] = RebootRule.IF_NEEDED
    Platforms: Annotated[list[Line], default_if_null(()), Field(max_length=3)] = []


class NewPatchList(LastWins):
    """A custom patch list to be made. Its patches become modules, and itself a project, of the library."""

    Name: Filled
    Description: Line = ""
    Patches: Annotated[list[NewPatch], Field(min_length=1, max_length=500)]
    model_config = ConfigDict(json_schema_extra={"example": _PATCHES})


class PatchList(Model):
    """A custom patch list with the names of its patches."""

    Id: int
    Name: str
    Description: str
    Folder: str
    Patches: list[str]
    ModifiedTime: datetime
    ModifiedBy: str


class DeploymentEntity(Deployment, Entity):
    """A deployment that is shown alone, with what has become of it on each endpoint."""

    Results: list[EndpointResult]


class PatchListEntity(PatchList, Entity):
    """A custom patch list that is shown alone."""
