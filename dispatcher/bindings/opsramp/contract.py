"""The messages of OpsRamp's API v2, in its own words (contract/opsramp.md). Answers keep the order of declaration."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from dispatcher.wire.json_api.models import Digits, LaxBool, LaxText, Model, printable

Item = TypeVar("Item")
#: How many resources a job may name, and how many entries other lists may have: they are counted before any is read.
MAX_ENTITIES = 10_000
MAX_LISTED = 1_000
#: Forms send all their fields: an empty one says nothing.
_UNLESS_EMPTY = BeforeValidator(lambda value: None if isinstance(value, str) and not value.strip() else value)
_Flag = Annotated[LaxBool | None, _UNLESS_EMPTY]
_Whole = Annotated[Digits | None, _UNLESS_EMPTY]
_Text = Annotated[LaxText | None, _UNLESS_EMPTY]
_Line = Annotated[_Text, AfterValidator(lambda it: it and printable(it.strip()))]
_Word = Annotated[str | None, _UNLESS_EMPTY]
_SAMPLE_JOB: dict[str, Any] = {
    "name": "weekly audit",
    "jobQueued": "false",
    "entities": [{"resource": {"id": "709824de-8315-4cf9-ad1c-b15aaf7bf2a5", "type": "DEVICE"}}],
    "script": {"jobType": "appaudit"},
    "schedule": {
        "startDate": "2031-03-01T08:30:45+0000",
        "pattern": {"type": "weekly", "weekDays": "Monday, Friday"},
    },
}


class TokenForm(Model):
    """What a client says to get a token."""

    grant_type: str = Field(default_factory=str, json_schema_extra={"enum": ["client_credentials"]})
    client_id: str = Field("", max_length=255, description="The name of a login.")
    client_secret: str = Field("", max_length=4_096, repr=False, description="Its password.")
    model_config = ConfigDict(
        json_schema_extra={
            "required": ["grant_type"],
            "example": {"grant_type": "client_credentials", "client_id": "ann", "client_secret": "pass phrase"},
        }
    )


class TokenAnswer(Model):
    """A token; ``expires_in`` counts seconds."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105
    expires_in: str
    scope: str = "global:manage"


class GeneralInfo(Model):
    """What is known of a resource; the longer form is that of single jobs."""

    ipAddresses: str
    hostName: str
    resourceType: str | None = None
    resourceName: str | None = None
    aliasName: str | None = None
    osName: str | None = None


class EntityResource(Model):
    """A resource that a job is for. Callers give its ``id`` and ``type``."""

    id: Annotated[LaxText, Field(min_length=1)]
    generalInfo: GeneralInfo | None = None
    clientUniqueId: str | None = None
    type: LaxText | None = None


class ResourceChoice(Model):
    """The resource that a caller means."""

    id: Annotated[LaxText, Field(min_length=1)]
    type: LaxText | None = None


class EntityBody(Model):
    """An entity as callers give it."""

    resource: ResourceChoice


class Entity(Model):
    """An entity as answers show it."""

    resource: EntityResource


class PatternWords(Model):
    """How a job repeats. Which members there are depends on ``type``."""

    type: str
    frequency: _Text = None
    repeatFrequency: _Whole = None
    repeatType: _Text = None
    weekDays: _Word = None
    dayOfMonth: _Text = None
    weekIndex: _Word = None
    dayOfWeek: _Word = None


class PatternBody(PatternWords):
    """How a job is to repeat; the table of the vendor's page calls ``dayOfWeek`` so, too."""

    dayOfIndex: _Word = None


class Schedule(Model):
    """When a job starts, and how it repeats."""

    startDate: str
    pattern: PatternWords


class ScheduleBody(Model):
    """When a job is to start, and how it is to repeat."""

    startDate: _Word = None
    pattern: PatternBody


class ConfigParams(Model):
    """What of a network device is saved, and what raises an alert."""

    versionsSaved: _Word = None
    backUpTrigger: _Flag = None
    startupConfigAlert: _Flag = None
    runtimeConfigAlert: _Flag = None
    startUpConfigFilesBackUp: _Flag = None
    runTimeConfigFilesBackUp: _Flag = None


class ConfigParamsBody(ConfigParams):
    """The same as callers give it; the table of the vendor's page calls ``runtimeConfigAlert`` so, too."""

    runConfigAlert: _Flag = None


class ApprovalType(Model):
    """Whether a job waits for an approval (0) or not (1)."""

    approvalType: Digits
    approvalReason: _Text = None
    alertRequired: _Flag = None


class ScriptChoice(Model):
    """The script that a caller means."""

    id: Digits


class CustomScript(Model):
    """The script that a job runs."""

    id: int
    name: str | None = None
    description: str | None = None
    platforms: list[str] | None = None


class Macro(Model):
    """A macro that stands for a value."""

    id: Digits


class ParameterBody(Model):
    """The value of a parameter of a script."""

    paramId: Digits
    value: LaxText | None = None
    itopMacro: Macro | None = None


class Parameter(Model):
    """The value of a parameter, with the parameter's name. Those of passwords are never shown."""

    paramId: int
    name: str | None = None
    value: str | None = None


class CredentialSetChoice(Model):
    """The credential set that a job logs in with."""

    uniqueId: _Text = None


class ScriptBody(Model):
    """What a job is to do."""

    jobType: _Word = None
    configParams: ConfigParamsBody | None = None
    approvalType: ApprovalType | None = None
    customScript: ScriptChoice | None = None
    parameters: Annotated[list[ParameterBody], Field(max_length=MAX_LISTED)] | None = None
    userType: _Whole = None
    credentialSet: CredentialSetChoice | None = None


class Script(Model):
    """What a job does. That of a custom script has no ``jobType``."""

    jobType: str | None = None
    configParams: ConfigParams | None = None
    approvalType: ApprovalType | None = None
    customScript: CustomScript | None = None
    parameters: list[Parameter] | None = None
    userType: int | None = None


class JobBody(Model):
    """A job as callers order it."""

    model_config = ConfigDict(json_schema_extra={"example": _SAMPLE_JOB})

    id: _Text = None
    name: _Line = None
    jobQueued: _Flag = None
    entities: Annotated[list[EntityBody], Field(max_length=MAX_ENTITIES)] | None = None
    script: ScriptBody
    schedule: ScheduleBody | None = None
    credentialSet: CredentialSetChoice | None = None
    userType: _Whole = None
    parameters: Annotated[list[ParameterBody], Field(max_length=MAX_LISTED)] | None = None


class Job(Model):
    """A job as answers show it. Lists leave out ``entities``."""

    name: str
    entities: list[Entity] | None = None
    schedule: Schedule
    jobQueued: bool
    script: Script
    credentialSet: CredentialSetChoice | None = None
    id: str


class JobType(Model):
    """A job type with its name. (The ``t`` is small in the original, too.)"""

    jobName: str
    jobtype: str


class JobTypes(Model):
    """The job types."""

    jobNameAndType: list[JobType]


class Reason(Model):
    """Why a job is run."""

    reason: LaxText | None = None


def _whole(least: int, usual: int) -> BeforeValidator:
    """Return the reader of a number in an address. What is none stands for the usual one.

    The clients try what is refused with 400 again and again (contract section 4.4).
    """

    def read(value: object) -> int:
        text = str(value).strip()
        return max(least, int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else usual

    return BeforeValidator(read)


class SearchWords(Model):
    """Which page of a list, how it is sorted, and what is looked for: ``name:value``, joined by ``+``."""

    pageNo: Annotated[int, _whole(1, 1)] = 1
    pageSize: Annotated[int, _whole(1, 100)] = 100
    isDescendingOrder: str = "true"
    sortName: str = "id"
    queryString: str = ""


class Page(Model, Generic[Item]):
    """A page of a list. ``previousPageNo`` is 0 on the first."""

    results: list[Item]
    totalResults: int
    orderBy: str
    pageNo: int
    pageSize: int
    totalPages: int
    nextPage: bool
    previousPageNo: int
    descendingOrder: bool
