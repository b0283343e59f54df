"""The contract: the data types of the SchedulingService as its clients see them (contract sections 3 and 12).

Members stand in ordinal order, because DataContract serializers write and expect them so.
"""

from __future__ import annotations

from operator import itemgetter

from dispatcher.core.jobs import Invoker, Stage, WhatKind, WhoKind
from dispatcher.core.parameters import ParameterType
from dispatcher.core.states import State
from dispatcher.wire.types import (
    Bytes,
    DataContract,
    DataContractEnum,
    Flag,
    Long,
    MaybeMoment,
    MaybeNumber,
    Moment,
    Number,
    Text,
    array_of,
    members_of,
)

#: The names are the vendor's, the numbers those of the core (contract section 3.8).
JobStatusType = DataContractEnum.of(
    "JobStatusType",
    {
        "Disabled": State.DISABLED.value,
        "Scheduled": State.SCHEDULED.value,
        "Active": State.ACTIVE.value,
        "Aborting": State.ABORTING.value,
        "Aborted": State.ABORTED.value,
        "Completed": State.COMPLETED.value,
        "Failed": State.FAILED.value,
        "FailedHalted": State.STOPPED.value,
        "Canceled": State.CANCELLED.value,
        "CompletedWithErrors": State.COMPLETED_WITH_ERRORS.value,
        "Skipped": State.SKIPPED.value,
        "Pending": State.PENDING.value,
        "TimedOut": State.TIMED_OUT.value,
    },
)
JobInvoker = DataContractEnum.of(
    "JobInvoker",
    {
        "InvokeUser": Invoker.USER.value,
        "InvokeRecurring": Invoker.RECURRENCE.value,
        "InvokeWorkspaceManager": Invoker.WORKSPACE_MANAGER.value,
        "InvokeNewAgent": Invoker.NEW_AGENT.value,
        "InvokeBoot": Invoker.BOOT.value,
        "InvokeRunBook": Invoker.RUNBOOK.value,
        # Never sent: what a .NET client has in a JobStatus of its own making, which it could not send without a name.
        "InvokeUnknown": 0,
    },
)
JobStage = DataContractEnum.of(
    "JobStage",
    {
        "All": Stage.ALL.value,
        "Scheduled": Stage.SCHEDULED.value,
        "Active": Stage.ACTIVE.value,
        "History": Stage.HISTORY.value,
    },
)
JobWhatType = DataContractEnum.of(
    "JobWhatType",
    {"Module": WhatKind.MODULE.value, "Project": WhatKind.PROJECT.value, "RunBook": WhatKind.RUNBOOK.value},
)
JobWhoType = DataContractEnum.of("JobWhoType", {"Agent": WhoKind.AGENT.value, "Team": WhoKind.TEAM.value})
JobParameterType = DataContractEnum.of(
    "JobParameterType",
    {
        "Text": ParameterType.TEXT.value,
        "List": ParameterType.LIST.value,
        "Credentials": ParameterType.CREDENTIALS.value,
        "MultiSelectList": ParameterType.MULTISELECT.value,
        "MultiLineText": ParameterType.MULTILINE.value,
        "Password": ParameterType.PASSWORD.value,
    },
)

TeamChangeAction = DataContractEnum.of("TeamChangeAction", {"Add": 0, "Remove": 1})


class JobParameter(DataContract):
    """A parameter with its value (contract section 3.7)."""

    Description = Text
    Hint = Text
    Name = Text
    Selection = Text
    Type = JobParameterType
    Value1 = Text
    Value2 = Text
    Value3 = Text


class ParameterContainer(DataContract):
    """The parameters of one of a job's objects (contract section 3.6)."""

    Identifier = Text
    JobGuid = Text
    JobName = Text
    JobParameters = array_of(JobParameter)
    TaskContainerGuid = Text
    TaskContainerName = Text
    Type = JobWhatType


class JobStatus(DataContract):
    """Where a job stands (contract section 3.3)."""

    # Clients send back what they were given, in whatever form; only Type is heeded (contract section 2.4).
    passed_over = frozenset({"JobInvoker", "JobInvokerInfo", "StartDateTime", "StopDateTime"})

    JobInvoker = JobInvoker
    JobInvokerInfo = Text
    StartDateTime = Moment
    StopDateTime = MaybeMoment
    Type = JobStatusType


class JobWhat(DataContract):
    """A module, project or run book (contract section 3.4)."""

    Description = Text
    FolderName = Text
    ID = Text
    Name = Text
    Type = JobWhatType


class JobRecurrence(DataContract):
    """How a recurring job deals with clock changes, missed and overlapping due times; an addition of ours.

    The texts are those of ``core.schedules`` and ``core.wallclock``; what is not given takes its default.
    """

    DaylightGap = Text
    DaylightRepeat = Text
    MisfireRule = Text
    MisfireWindowSeconds = MaybeNumber
    OverlapRule = Text
    PausedUntil = MaybeMoment


class JobWhen(DataContract):
    """When a job starts (contract section 3.2); ``NextBoot`` and ``Recurrence`` are additions of ours."""

    Immediate = Flag
    IsLocalTime = Flag
    NextBoot = Flag
    OfflineAgentsNextBoot = Flag
    Recurrence = JobRecurrence
    RecurringSchedule = Text
    ScheduledDateTime = Moment
    UseWakeOnLAN = Flag


class JobWho(DataContract):
    """An agent or a team; the flags are false for teams (contract section 3.5)."""

    ID = Text
    IsLicensed = Flag
    IsOnline = Flag
    Name = Text
    Type = JobWhoType


class JobOptions(DataContract):
    """What few jobs need: time limits, batches of agents; an addition of ours. None of it is required."""

    BatchPercent = MaybeNumber
    BatchSize = MaybeNumber
    LaunchTimeoutSeconds = MaybeNumber
    SelectOneAgent = Flag
    StopAtFailedPercent = MaybeNumber
    TimeoutSeconds = MaybeNumber


class Job(DataContract):
    """A job: what the product calls a MasterJob (contract section 3.1).

    ``Options``, ``OutputParameters``, ``Reason`` and ``RecurringJobID`` are additions of ours.
    """

    Description = Text
    IsRecurring = Flag
    IsRunBookJob = Flag
    JobID = Text
    Options = JobOptions
    OutputParameters = array_of(ParameterContainer)
    OutsideLaunchWindow = Text
    Parameters = array_of(ParameterContainer)
    Reason = Text
    RecurringJobID = Text
    ScheduleInParallel = Flag
    Status = JobStatus
    Tags = Text
    What = array_of(JobWhat)
    When = JobWhen
    Who = array_of(JobWho)


class RunBookJob(DataContract):
    """A ``Job`` of a run book with ``Jobs``, those of its steps that have been started (contract section 2.6)."""

    # Not derived from Job: its members would all stand before this one, and no longer in ordinal order.
    _type_info = sorted([*members_of(Job).items(), ("Jobs", array_of(Job))], key=itemgetter(0))


class JobPage(DataContract):
    """One page of a list of jobs (contract section 3.12)."""

    CurrentPage = Number
    Items = array_of(Job)
    PageCount = Number
    PageSize = Number
    TotalCount = Number


class JobResults(DataContract):
    """A result document as bytes (contract section 3.12)."""

    Xml = Bytes


class JobOccurrence(DataContract):
    """A due time of a recurring job and what became of it: Fired, Held or Skipped; an addition of ours."""

    DueDateTime = Moment
    JobID = Text
    NotedDateTime = Moment
    Outcome = Text
    Reason = Text


class OccurrencePage(DataContract):
    """One page of the ledger of a recurring job, the latest due time first; an addition of ours."""

    CurrentPage = Number
    Items = array_of(JobOccurrence)
    PageCount = Number
    PageSize = Number
    TotalCount = Number


class TaskOutput(DataContract):
    """A part of what a task wrote, from the byte ``Offset`` on; an addition of ours.

    ``IsComplete`` says that nothing will come after ``Total`` bytes.
    """

    Data = Bytes
    IsComplete = Flag
    Offset = Long
    Total = Long


class TeamReport(DataContract):
    """A team with the agents that belong to it, by list or by rule (contract section 3.9)."""

    Agents = array_of(JobWho)
    Description = Text
    ID = Text
    Name = Text


class JobUsage(DataContract):
    """A job that ran, as a whole (contract section 3.10)."""

    Description = Text
    JobID = Text
    JobInvoker = JobInvoker
    StartDateTime = Moment
    Status = JobStatusType
    StopDateTime = MaybeMoment
    What = array_of(JobWhat)
    Who = array_of(JobWho)


class TeamChange(DataContract):
    """What changes between an agent and a team, of which this names the other one (contract section 3.11)."""

    Action = TeamChangeAction
    ID = Text
    Name = Text
    SetAsPrimary = Flag


class AgentMembership(DataContract):
    """Which teams an agent joins and leaves (contract section 3.11).

    The agent is given by ``Agent`` or ``AgentID``; changes by ``Teams``, or by IDs alone in ``AddTeams`` and
    ``RemoveTeams``.
    """

    AddTeams = array_of(Text)
    Agent = JobWho
    AgentID = Text
    RemoveTeams = array_of(Text)
    Teams = array_of(TeamChange)


class TeamMembership(DataContract):
    """Which agents join and leave a team (contract section 3.11); given as in ``AgentMembership``."""

    AddAgents = array_of(Text)
    Agents = array_of(TeamChange)
    RemoveAgents = array_of(Text)
    Team = JobWho
    TeamID = Text


class RemoveAgent(DataContract):
    """Which agent goes, and whether its history goes, too (contract section 3.11).

    The agent is given by ``Agent``, by ``AgentID``, or by ``ID`` or ``Name``.
    """

    # In a proxy that has one package for all namespaces (wsimport -p), the operation's message is RemoveAgent.
    __type_name__ = "AgentRemoval"

    Agent = JobWho
    AgentID = Text
    ID = Text
    Name = Text
    RemoveJobHistory = Flag
