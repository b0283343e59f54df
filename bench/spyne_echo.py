"""The peer: what Spyne 2.14 does by itself with the same messages. It stores nothing and asks for no login."""

from __future__ import annotations

import logging
import uuid
from typing import Any

import dispatcher.wire.spyne_compat  # noqa: F401 - Spyne does not import on Python 3.12 and later without it

from spyne import Application, Array, Boolean, ComplexModel, ServiceBase, Unicode, rpc  # isort: skip
from spyne.protocol.soap import Soap11  # isort: skip
from spyne.server.wsgi import WsgiApplication  # isort: skip

NAMESPACE = "http://tempuri.org/"

logging.disable(logging.CRITICAL)


class JobParameter(ComplexModel):
    __namespace__ = NAMESPACE
    _type_info = [("Name", Unicode), ("Type", Unicode), ("Value1", Unicode)]


class ParameterContainer(ComplexModel):
    __namespace__ = NAMESPACE
    _type_info = [("JobParameters", Array(JobParameter)), ("TaskContainerGuid", Unicode)]


class JobWhat(ComplexModel):
    __namespace__ = NAMESPACE
    _type_info = [("ID", Unicode), ("Type", Unicode)]


class JobWho(ComplexModel):
    __namespace__ = NAMESPACE
    _type_info = [("ID", Unicode), ("Type", Unicode)]


class JobWhen(ComplexModel):
    __namespace__ = NAMESPACE
    _type_info = [("Immediate", Boolean)]


class Job(ComplexModel):
    __namespace__ = NAMESPACE
    _type_info = [
        ("Description", Unicode),
        ("JobID", Unicode),
        ("Parameters", Array(ParameterContainer)),
        ("What", Array(JobWhat)),
        ("When", JobWhen),
        ("Who", Array(JobWho)),
    ]


def _a_job() -> Job:
    parameters = [JobParameter(Name="Text", Type="Text", Value1="x" * 400)]
    container = ParameterContainer(JobParameters=parameters, TaskContainerGuid=str(uuid.uuid4()))
    return Job(
        Description="bench",
        JobID=str(uuid.uuid4()),
        Parameters=[container],
        What=[JobWhat(ID=str(uuid.uuid4()), Type="Module")],
        When=JobWhen(Immediate=True),
        Who=[JobWho(ID=str(uuid.uuid4()), Type="Agent")],
    )


_JOB = _a_job()


class EchoService(ServiceBase):  # type: ignore[misc]  # Spyne has no annotations
    @rpc(Job, _returns=Job)
    def ScheduleJob(ctx: Any, job: Any) -> Any:  # noqa: N802, N805
        job.JobID = str(uuid.uuid4())
        return job

    @rpc(Unicode, _returns=Job)
    def GetJob(ctx: Any, jobId: Any) -> Any:  # noqa: N802, N803, N805
        _JOB.JobID = jobId
        return _JOB


application = WsgiApplication(
    Application([EchoService], NAMESPACE, in_protocol=Soap11(validator="lxml"), out_protocol=Soap11())
)
