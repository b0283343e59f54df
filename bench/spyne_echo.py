"""The peer: Spyne 2.14 by itself with types of the same members. It stores nothing and asks for no login.

Enumerations are plain texts here, everything else is declared as in the contract, so that requests and answers are the
same.
"""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime
from typing import Any

from bench.messages import CONTRACT, SERVICE
from dispatcher.wire import spyne_compat as spyne_compat  # Spyne does not import on Python 3.12 and later without it

from spyne import Application, Array, Boolean, ComplexModel, DateTime, ServiceBase, Unicode, rpc  # isort: skip
from spyne.protocol.soap import Soap11  # isort: skip
from spyne.server.wsgi import WsgiApplication  # isort: skip

# Not logging as a whole: who imports this keeps a log of its own.
logging.getLogger("spyne").setLevel(logging.CRITICAL)


class JobParameter(ComplexModel):
    __namespace__ = CONTRACT
    Description = Unicode
    Hint = Unicode
    Name = Unicode
    Selection = Unicode
    Type = Unicode
    Value1 = Unicode
    Value2 = Unicode
    Value3 = Unicode


class ParameterContainer(ComplexModel):
    __namespace__ = CONTRACT
    Identifier = Unicode
    JobGuid = Unicode
    JobName = Unicode
    JobParameters = Array(JobParameter)
    TaskContainerGuid = Unicode
    TaskContainerName = Unicode
    Type = Unicode


class JobStatus(ComplexModel):
    __namespace__ = CONTRACT
    JobInvoker = Unicode
    JobInvokerInfo = Unicode
    StartDateTime = DateTime
    StopDateTime = DateTime
    Type = Unicode


class JobWhat(ComplexModel):
    __namespace__ = CONTRACT
    Description = Unicode
    FolderName = Unicode
    ID = Unicode
    Name = Unicode
    Type = Unicode


class JobWhen(ComplexModel):
    __namespace__ = CONTRACT
    Immediate = Boolean
    IsLocalTime = Boolean
    OfflineAgentsNextBoot = Boolean
    RecurringSchedule = Unicode
    ScheduledDateTime = DateTime
    UseWakeOnLAN = Boolean


class JobWho(ComplexModel):
    __namespace__ = CONTRACT
    ID = Unicode
    IsLicensed = Boolean
    IsOnline = Boolean
    Name = Unicode
    Type = Unicode


class Job(ComplexModel):
    __namespace__ = CONTRACT
    Description = Unicode
    IsRecurring = Boolean
    IsRunBookJob = Boolean
    JobID = Unicode
    OutsideLaunchWindow = Unicode
    Parameters = Array(ParameterContainer)
    ScheduleInParallel = Boolean
    Status = JobStatus
    Tags = Unicode
    What = Array(JobWhat)
    When = JobWhen
    Who = Array(JobWho)


def _guid() -> str:
    return f"{{{uuid.uuid4()}}}".upper()


def _a_job() -> Job:
    """Return a job like the one that Dispatcher is asked for, every member set that is set there."""
    now, what = datetime.now(UTC), _guid()
    texts = dict.fromkeys(("Description", "Hint", "Selection", "Value2", "Value3"), "")
    parameter = JobParameter(Name="Text", Type="Text", Value1="hello", **texts)
    container = ParameterContainer(Identifier="", JobGuid=_guid(), JobName="", JobParameters=[parameter])
    container.TaskContainerGuid, container.TaskContainerName, container.Type = what, "One parameter", "Module"
    when = dict.fromkeys(("IsLocalTime", "OfflineAgentsNextBoot", "UseWakeOnLAN"), False)
    return Job(
        Description="bench 00000001",
        IsRecurring=False,
        IsRunBookJob=False,
        JobID=_guid(),
        Parameters=[container],
        ScheduleInParallel=False,
        Status=JobStatus(JobInvoker="InvokeUser", JobInvokerInfo="bench", StartDateTime=now, Type="Active"),
        What=[JobWhat(Description="", FolderName="", ID=what, Name="One parameter", Type="Module")],
        When=JobWhen(Immediate=True, ScheduledDateTime=now, **when),
        Who=[JobWho(ID=_guid(), IsLicensed=False, IsOnline=False, Name="BENCH-001", Type="Agent")],
    )


_JOB = _a_job()


class EchoService(ServiceBase):
    @rpc(Job, _returns=Job)
    def ScheduleJob(ctx: Any, job: Any) -> Any:  # noqa: N802, N805
        job.JobID = _guid()
        return job

    @rpc(Unicode, _returns=Job)
    def GetJob(ctx: Any, jobId: Any) -> Any:  # noqa: N802, N803, N805
        _JOB.JobID = jobId
        return _JOB


application = WsgiApplication(
    Application([EchoService], SERVICE, in_protocol=Soap11(validator="lxml"), out_protocol=Soap11())
)
