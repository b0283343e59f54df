"""The messages of the CCS REST API, word for word. Names of members count in any letter case, as in the original."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from dispatcher.bindings.symantec_ccs.attributes import read_words
from dispatcher.wire.json_api.models import AnyCase, Digits, LaxBool, Model, printable

#: How many standards, or assets, a job may name: a group holds any number.
MAX_NAMED = 1_000
#: How many things a page has if nothing is said, and at most.
MAX_PAGE_SIZE = 1_000
_MAX_PAGE = 1_000_000
#: How long names and secrets are at most, in whatever encoding.
_MAX_SECRET = 4_096
_Id = Annotated[str, Field(max_length=255)]
_Name = Annotated[str, StringConstraints(strip_whitespace=True)]
_Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(lambda it: printable(it))]
_Lines = Annotated[str, AfterValidator(lambda it: printable(it, "\t\r\n"))]


class Choice(StrEnum):
    """One of a few words, which count in any letter case."""

    @classmethod
    def _missing_(cls, value: object) -> Choice | None:
        wanted = value.strip().lower() if isinstance(value, str) else ""
        return next((one for one in cls if one.lower() == wanted), None)


class TokenForm(AnyCase):
    """What a token is asked for with."""

    grant_type: str = Field(default_factory=str, json_schema_extra={"enum": ["password", "refresh_token"]})
    username: str = Field("", max_length=_MAX_SECRET, description="A name, also behind a domain, and percent-encoded.")
    password: str = Field("", max_length=_MAX_SECRET, repr=False, description="Also in Base64, and percent-encoded.")
    refresh_token: str = Field("", max_length=_MAX_SECRET, repr=False)
    model_config = ConfigDict(
        json_schema_extra={
            "required": ["grant_type"],
            "example": {"grant_type": "password", "username": "CORP\\ann", "password": "cGFzcyBwaHJhc2U="},
        }
    )


class TokenAnswer(Model):
    """A pair of tokens; ``expires_in`` is the life of the access token, in seconds."""

    access_token: str
    refresh_token: str | None
    token_type: str = "bearer"  # noqa: S105 - the kind of token
    expires_in: int


class Operation(Choice):
    """What can be done with a job, and with a job run."""

    EXECUTE = "execute"
    ABORT = "abort"


_Operation = Operation


class JobOperation(AnyCase):
    """``execute``, with the id of a job, or ``abort``, with the id of a job run, in any letter case."""

    other_names = {"operationtype": "Operation", "operation type": "Operation"}

    Operation: _Operation
    model_config = ConfigDict(json_schema_extra={"example": {"Operation": "execute"}})


class JobStatusInfo(Model):
    """A run of a job."""

    JobRunID: str
    JobID: str
    CustomStatusText: str
    Exception: str | None
    JobStartTime: str
    JobEndTime: str
    JobSummary: str | None
    Status: int
    ActivityStatusList: list[Any]


_StatusInfo = JobStatusInfo


class WrappedStatus(Model):
    """A run of a job, as the text of the vendor's page has it."""

    JobStatusInfo: _StatusInfo


class RunMessage(Model):
    """What went wrong in a run, how often, and when last."""

    Message: str
    Count: int
    DateTime: str


class JobStatusInfoWithMessages(JobStatusInfo):
    """A run of a job, and what went wrong in it."""

    Messages: list[RunMessage]


class AssetResolutionInfo(AnyCase):
    """An asset or an asset group, and the name of its type."""

    Id: _Id
    Type: str | None = Field(None, max_length=255)


class Notification(AnyCase):
    """An e-mail about the end of a run."""

    FromEmailAddress: str | None = None
    ToEmailAddress: str | None = None
    Subject: str | None = None
    Body: str | None = None


class Schedule(AnyCase):
    """When a job runs."""

    EndJobRunConfigured: LaxBool | None = None
    EndJobRunTimeInterval: str | None = None
    SubScheduleRepeatDays: Digits | None = None
    SubScheduleRepeatPeriodDays: Digits | None = None
    MonthlyDay: Digits | None = None
    MonthlyDayOfTheWeek: Digits | None = None
    MonthlyIsByOrdinalDay: LaxBool | None = None
    MonthlyOrdinalDay: Digits | None = None
    MonthlyRecurEvery: Digits | None = None
    RecurrenceType: Digits | None = None
    RepeatDays: Digits | None = None
    RepeatMinutes: Digits | None = None
    RunEveryNDays: LaxBool | None = None
    RunNow: LaxBool | None = None
    RunOnce: LaxBool | None = None
    RunPeriodically: LaxBool | None = None
    StartDate: str | None = None
    WeeklyDay: Digits | None = None
    WeeklyRecurEvery: Digits | None = None


# Members that are called like their types: within a class a name means the member.
_Resolution = AssetResolutionInfo
_Notification = Notification
_Schedule = Schedule


class JobDetails(AnyCase):
    """What a job is."""

    AssetsResolutionInfo: list[_Resolution] | None = None
    JobName: _Name | None = None
    JobDescription: str | None = None
    Standards: list[str] | None = None
    IsIncremental: LaxBool | None = None
    IncrementalPeriod: Digits | None = None
    CollectionOnlyTimeOutMins: Digits | None = None
    CollectionOnlyTimeOutHours: Digits | None = None
    FailureNotification: _Notification | None = None
    SuccessNotification: _Notification | None = None
    ShouldSendFailureNotification: LaxBool | None = None
    ShouldSendSuccessNotification: LaxBool | None = None
    Schedule: _Schedule | None = None


class NewJobDetails(JobDetails):
    """What a new job is to be."""

    AssetsResolutionInfo: list[_Resolution] = Field(min_length=1, max_length=MAX_NAMED)
    JobName: _Line
    JobDescription: _Lines | None = None
    Standards: list[_Id] = Field(min_length=1, max_length=MAX_NAMED)


class ChangedJobDetails(JobDetails):
    """What a job is to be from now on; what is left out stays."""

    AssetsResolutionInfo: list[_Resolution] | None = Field(None, min_length=1, max_length=MAX_NAMED)
    JobName: _Line | None = None
    JobDescription: _Lines | None = None
    Standards: list[_Id] | None = Field(None, min_length=1, max_length=MAX_NAMED)


class JobType(Choice):
    """The kinds of jobs that can be made."""

    COLLECTION_EVALUATION = "CollectionEvaluationJob"
    COLLECTION = "CollectionJob"
    EVALUATION = "EvaluationJob"


_Details = JobDetails
_JobType = JobType


class NewJob(AnyCase):
    """A job to be made."""

    JobDetails: NewJobDetails
    JobType: _JobType
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "JobDetails": {
                    "AssetsResolutionInfo": [
                        {
                            "Id": "d387d8b5-6278-4bcb-83c7-b55d2072d2a8",
                            "Type": "symc-csm-AssetSystem-Asset-Unix-Machine",
                        }
                    ],
                    "JobDescription": "Every night",
                    "JobName": "Nightly check",
                    "Standards": ["6b020d29-5fe8-47d0-bd89-ccd3339a5ebe"],
                },
                "JobType": "CollectionEvaluationJob",
            }
        }
    )


class ChangedJob(AnyCase):
    """What is to be other about a job; what is left out stays."""

    JobID: str
    JobDetails: ChangedJobDetails | None = None
    JobType: _JobType | None = None
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "JobDetails": {"JobDescription": "Every night", "JobName": "Nightly check"},
                "JobID": "2a221e47-f38a-4a6b-af20-43d650e6d56b",
            }
        }
    )


class JobMade(Model):
    """A job that was made or changed."""

    JobID: str
    JobName: str


class JobMadeAndRun(JobMade):
    """A job that was made or changed, and the members of its run that has begun by that."""

    JobRunID: str
    CustomStatusText: str
    Exception: str | None
    JobStartTime: str
    JobEndTime: str
    JobSummary: str | None
    Status: int
    ActivityStatusList: list[Any]


class Job(Model):
    """A job as searches show it: its properties, and its configuration, which jobs of other kinds do not have."""

    JobID: str
    JobName: str
    JobDescription: str
    JobType: str
    JobCategory: str
    JobCreatedBy: str
    JobCreationTime: str
    JobModifiedTime: str
    LastRunStatus: int
    LastRunDate: str
    JobDetails: _Details | None


class DeletedJob(AnyCase):
    """Which job is deleted."""

    jobid: str = Field(description="The id of the job.")
    DeleteJob: LaxBool = Field(True, description="False: only its history is deleted, and the job stays.")


class RunsWanted(AnyCase):
    """Which runs are wanted, and how."""

    count: Digits = Field(1, ge=0, description="How many of the latest runs are wanted; 0 for all.")
    showmessages: LaxBool = Field(False, description="Whether to tell what went wrong in them.")


class Search(AnyCase):
    """What is searched for, and which page of it."""

    Attributes: str = Field(
        "",
        description="Terms joined by commas, which must all fit: a name, =, Contains or StartsWith, and a value in "
        "which * stands for anything.",
        examples=["displayName Contains red hat"],
    )
    page: Digits = Field(0, ge=0, le=_MAX_PAGE, description="The number of the page; they count from 0.")
    pagesize: Digits = Field(MAX_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE, description="How many things a page has.")

    @classmethod
    def words_of(cls, query: str) -> Mapping[str, str]:
        """Return the words of the raw *query*, in which those without a value count as left out."""
        return {name: value for name, value in read_words(query).items() if value or name == "jobname"}


class JobSearch(Search):
    """Which job is searched for, by its name, or which ones."""

    jobname: str | None = Field(None, description="The name of the job that is wanted; nothing else counts then.")


class FolderSearch(Search):
    """What is searched for, and where."""

    ContainerPath: str | None = Field(None, description="The folder to look into.", examples=["standards\\predefined"])
    searchsubtree: LaxBool = Field(False, description="Whether to look below that folder as well.")
