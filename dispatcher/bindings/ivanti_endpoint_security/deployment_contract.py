"""The messages about deployments and patch lists, word for word (seed, "POST/api/v2/DeploymentGroups"; contract 1.4).

Names count in any letter case.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from dispatcher.bindings.ivanti_endpoint_security.contract import StatusText
from dispatcher.bindings.ivanti_endpoint_security.scalars import (
    Filled,
    Flag,
    FlagOn,
    Guid,
    Line,
    Moment,
    TextUpTo,
    Within,
    default_if_null,
)
from dispatcher.wire.json_api.models import Digits, LastWins, LaxText, Model, in_any_case, names_of
from dispatcher.wire.json_api.odata_entity import Entity

#: The default text of a notice (seed, Notify, Message; the same for a restart: contract 1.9).
MESSAGE = (
    "The download and installation of the patch: {Package Name} is ready to begin. If you require any additional "
    "information, please contact your Ivanti Endpoint Security administrator."
)
#: After how many minutes it begins if nothing is said (contract 1.4).
WITHIN_MIN = 60
#: How many agents or groups one deployment may name.
MAX_TARGETS = 10_000

_Minutes = Annotated[Digits, Within(0, 525_600), default_if_null(WITHIN_MIN)]
_Message = Annotated[LaxText, default_if_null(MESSAGE), TextUpTo(10_000)]

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
    Message: _Message = Field(MESSAGE, description="{Package Name} in it becomes the names of the patches.")
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

    @model_validator(mode="before")
    @classmethod
    def _in_any_case(cls, value: Any) -> Any:
        """Take the members in any letter case; one that is null is not given, so that the policy may say it."""
        if not isinstance(value, dict):
            return value
        members = in_any_case(value, names_of(cls), last_wins=True)
        return {name: one for name, one in members.items() if one is not None}


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
    CustomPatchListId: Annotated[Digits, Within(1, (1 << 63) - 1)]
    AgentGuids: Annotated[list[Guid], Field(max_length=MAX_TARGETS), default_if_null(())] = Field(
        [], description="The endpoints; they or GroupIds are needed."
    )
    GroupIds: Annotated[list[Digits], Field(max_length=MAX_TARGETS), default_if_null(())] = Field(
        [], validate_default=True, description="The groups, with the members that they have when it begins."
    )
    StartTime: Moment
    Notify: NotifyOptions | None = Field(None, description="Without it nobody is told.")
    Reboot: RebootOptions | None = Field(
        None, description="What is told before a restart. It counts only where one is needed."
    )
    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    @field_validator("GroupIds")
    @classmethod
    def _for_somebody(cls, groups: list[int], told: ValidationInfo) -> list[int]:
        # Agents that are wrong are not there, and told anyway.
        if not groups and told.data.get("AgentGuids") == []:
            raise PydanticCustomError("targets", "must not be empty unless there are AgentGuids")
        return groups


class EndpointResult(Model):
    """What has become of a deployment on an endpoint."""

    AgentGuid: UUID
    Name: str
    Status: StatusText
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
    Status: StatusText
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
    Command: Annotated[LaxText, default_if_null(""), TextUpTo(100_000)] = Field(
        "", description="A command in place of a package manager."
    )
    Reboot: Annotated[RebootRule, default_if_null(RebootRule.IF_NEEDED)] = Field(
        RebootRule.IF_NEEDED, description="Whether the computer needs a restart afterwards."
    )
    Platforms: Annotated[list[Line], Field(max_length=3), default_if_null(())] = Field(
        [], examples=[["Linux"]], description="Windows, Linux, macOS; none are all."
    )

    @model_validator(mode="after")
    def _one_way(self) -> NewPatch:
        if bool(self.Package) == bool(self.Command.strip()):
            raise PydanticCustomError("patch", "either Package or Command is needed, and not both")
        return self


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
