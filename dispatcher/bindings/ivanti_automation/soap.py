"""The SchedulingService: its operations, each declared once for SOAP, REST, WSDL and help (contract section 2).

Only ExportJobResults is known by name; the other names, and those of the arguments, are choices (contract section 2).
"""

# Spyne makes static methods of the operations: there is no self.
# ruff: noqa: N805

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from dispatcher.bindings.ivanti_automation import memberships, reports, translate
from dispatcher.bindings.ivanti_automation.contract import (
    AgentMembership,
    Job,
    JobPage,
    JobResults,
    JobStage,
    JobStatus,
    JobUsage,
    JobWhat,
    JobWhatType,
    JobWho,
    OccurrencePage,
    ParameterContainer,
    RemoveAgent,
    RunBookJob,
    TaskOutput,
    TeamMembership,
    TeamReport,
)
from dispatcher.bindings.ivanti_automation.recurrence import to_wire_ledger
from dispatcher.bindings.ivanti_automation.results import to_document
from dispatcher.core import jobs as core
from dispatcher.core.jobs import WhatKind
from dispatcher.core.permissions import Caller
from dispatcher.core.states import State
from dispatcher.wire.guids import parse_guid
from dispatcher.wire.operations import Route, operation
from dispatcher.wire.types import Flag, Long, MaybeMoment, Number, Text, array_of
from dispatcher.wire.wsdl import WsdlNames

from spyne import ServiceBase  # isort: skip

if TYPE_CHECKING:
    from dispatcher.services.hall import Hall
    from dispatcher.services.submits import SubmitKey


class Guest(NamedTuple):
    """Who stands at the door: the services they may use, the caller they are, and how they call what they ask for."""

    hall: Hall
    caller: Caller
    key: SubmitKey | None = None

    def once(self, operation: str, make: Callable[[], core.Job]) -> core.Job:
        """Return the job that *make* makes, or the one that it has made if this was asked for before."""
        return self.hall.submits.once(self.caller, operation, self.key, make)


#: Nothing public tells the original's names (contract section 10).
NAMES = WsdlNames(service="SchedulingService", contract="ISchedulingService")
_WHAT_ARGUMENTS = {"WHATTYPE": "whatType", "WHATID": "whatId"}


class SchedulingService(ServiceBase):  # type: ignore[misc]  # Spyne has no annotations
    """The operations. Each parses, calls a service, translates and returns; ``ctx`` is a :class:`Guest`."""

    @operation(Route("POST", "jobs", {}, "job", "Schedules a new job."), Job, returns=Job)
    def ScheduleJob(ctx: Guest, job: Any) -> Any:
        """Schedule a job (contract section 2.1)."""
        request = translate.to_job_request(job)
        job = ctx.once("ScheduleJob", lambda: ctx.hall.scheduling.submit(request, ctx.caller))
        return translate.to_wire_job(job)

    @operation(
        Route(
            "GET",
            "jobs?stage={STAGE}&runbookjobs={RUNBOOKJOBS}&recurringjobs={RECURRINGJOBS}&page={PAGE}&pagesize={PAGESIZE}",
            {
                "STAGE": "stage",
                "RUNBOOKJOBS": "runbookJobs",
                "RECURRINGJOBS": "recurringJobs",
                "PAGE": "page",
                "PAGESIZE": "pageSize",
            },
            description="Lists jobs, the latest first.",
        ),
        JobStage,
        Flag,
        Flag,
        Number,
        Number,
        returns=JobPage,
    )
    def GetJobs(ctx: Guest, stage: Any, runbookJobs: Any, recurringJobs: Any, page: Any, pageSize: Any) -> Any:
        """Return one page of the jobs (contract section 2.2)."""
        query = translate.to_page_query(stage, runbookJobs, recurringJobs, page, pageSize)
        return translate.to_wire_page(ctx.hall.jobs.page(*query, ctx.caller))

    @operation(
        Route("GET", "jobs/{JOBID}", {"JOBID": "jobId"}, description="Shows a job with its parameters."),
        Text,
        returns=Job,
    )
    def GetJob(ctx: Guest, jobId: Any) -> Any:
        """Return a job (contract section 2.3)."""
        job_id = parse_guid(jobId, "jobId")
        return translate.to_kept_job(ctx.hall.jobs.get(job_id, ctx.caller))

    @operation(
        Route(
            "PUT", "jobs/{JOBID}", {"JOBID": "jobId"}, "status", "Aborts a job; disables or enables a scheduled one."
        ),
        Text,
        JobStatus,
        returns=Job,
    )
    def UpdateJobStatus(ctx: Guest, jobId: Any, status: Any) -> Any:
        """Abort, disable or enable a job (contract section 2.4)."""
        job_id, wanted, jobs = parse_guid(jobId, "jobId"), translate.to_wanted_state(status), ctx.hall.aborting
        change = {State.ABORTING: jobs.abort, State.DISABLED: jobs.disable, State.SCHEDULED: jobs.enable}[wanted]
        return translate.to_wire_job(change(job_id, ctx.caller))

    @operation(
        Route(
            "GET",
            "jobs/{JOBID}/results?overview={OVERVIEW}&detailed={DETAILED}",
            {"JOBID": "jobId", "OVERVIEW": "includeOverview", "DETAILED": "includeDetailed"},
            description="Exports the results of a job as an XML document in UTF-16.",
        ),
        Text,
        Flag,
        Flag,
        returns=JobResults,
    )
    def ExportJobResults(ctx: Guest, jobId: Any, includeOverview: Any, includeDetailed: Any) -> Any:
        """Return a job's result document (contract sections 2.5 and 6)."""
        job_id, overview, detailed = parse_guid(jobId, "jobId"), bool(includeOverview), bool(includeDetailed)
        results = ctx.hall.results.collect(job_id, detailed, ctx.caller)
        return translate.to_wire_results(to_document(results, overview, detailed))

    @operation(
        Route("GET", "runbookjobs/{JOBID}", {"JOBID": "jobId"}, description="Shows a run book job with its steps."),
        Text,
        returns=RunBookJob,
    )
    def GetRunBookJob(ctx: Guest, jobId: Any) -> Any:
        """Return a run book job and the jobs of its steps (contract section 2.6)."""
        job_id = parse_guid(jobId, "jobId")
        return reports.to_wire_runbook_job(ctx.hall.runbook_jobs.get(job_id, ctx.caller))

    @operation(
        Route(
            "GET",
            "jobs/{JOBID}/output?agent={AGENTID}&task={POSITION}&offset={OFFSET}&length={LENGTH}",
            {
                "JOBID": "jobId",
                "AGENTID": "agentId",
                "POSITION": "position",
                "OFFSET": "offset",
                "LENGTH": "length",
            },
            description="Reads what a task (counted from 0) has written, up to 1 MiB at a time. An addition of ours.",
        ),
        Text,
        Text,
        Number,
        Long,
        Number,
        returns=TaskOutput,
    )
    def GetTaskOutput(ctx: Guest, jobId: Any, agentId: Any, position: Any, offset: Any, length: Any) -> Any:
        """Return some bytes of the output of the task at a position (from 0) on an agent; all by default."""
        run = parse_guid(jobId, "jobId"), parse_guid(agentId, "agentId")
        span = position or 0, offset or 0, translate.DEFAULT_OUTPUT_BYTES if length is None else length
        return translate.to_wire_output(ctx.hall.output.read(*run, *span, ctx.caller))

    @operation(
        Route(
            "POST",
            "jobs/{JOBID}/rerun?failedonly={FAILEDONLY}",
            {"JOBID": "jobId", "FAILEDONLY": "failedOnly"},
            description="Does a job again, or only where it did not complete. An addition of ours.",
        ),
        Text,
        Flag,
        returns=Job,
    )
    def RerunJob(ctx: Guest, jobId: Any, failedOnly: Any) -> Any:
        """Do a job again as another one, of the same versions and with the same parameters."""
        job_id, rerun = parse_guid(jobId, "jobId"), ctx.hall.rerun.rerun
        job = ctx.once(f"RerunJob {job_id}", lambda: rerun(job_id, bool(failedOnly), ctx.caller))
        return translate.to_wire_job(job)

    @operation(
        Route(
            "PUT",
            "jobs/{JOBID}/approve",
            {"JOBID": "jobId"},
            description="Lets a job begin that waits for its approval. An addition of ours.",
        ),
        Text,
        returns=Job,
    )
    def ApproveJob(ctx: Guest, jobId: Any) -> Any:
        """Approve a job."""
        return translate.to_wire_job(ctx.hall.approvals.approve(parse_guid(jobId, "jobId"), ctx.caller))

    @operation(
        Route(
            "PUT",
            "jobs/{JOBID}/pause?until={UNTIL}",
            {"JOBID": "jobId", "UNTIL": "until"},
            description="Lets a recurring job skip due times until a moment or its resumption. An addition of ours.",
        ),
        Text,
        MaybeMoment,
        returns=Job,
    )
    def PauseJob(ctx: Guest, jobId: Any, until: Any) -> Any:
        """Pause a recurring job."""
        job_id = parse_guid(jobId, "jobId")
        ctx.hall.schedules.pause(job_id, until, ctx.caller)
        return translate.to_wire_job(ctx.hall.jobs.get(job_id, ctx.caller))

    @operation(
        Route(
            "PUT",
            "jobs/{JOBID}/resume",
            {"JOBID": "jobId"},
            description="Ends the pause of a recurring job. An addition of ours.",
        ),
        Text,
        returns=Job,
    )
    def ResumeJob(ctx: Guest, jobId: Any) -> Any:
        """Resume a recurring job."""
        job_id = parse_guid(jobId, "jobId")
        ctx.hall.schedules.resume(job_id, ctx.caller)
        return translate.to_wire_job(ctx.hall.jobs.get(job_id, ctx.caller))

    @operation(
        Route(
            "GET",
            "jobs/{JOBID}/occurrences?page={PAGE}&pagesize={PAGESIZE}",
            {"JOBID": "jobId", "PAGE": "page", "PAGESIZE": "pageSize"},
            description="Lists what became of every due time of a recurring job. An addition of ours.",
        ),
        Text,
        Number,
        Number,
        returns=OccurrencePage,
    )
    def GetOccurrences(ctx: Guest, jobId: Any, page: Any, pageSize: Any) -> Any:
        """Return one page of a recurring job's ledger, the latest due time first."""
        job_id, (number, size) = parse_guid(jobId, "jobId"), translate.to_paging(page, pageSize)
        return to_wire_ledger(ctx.hall.schedules.ledger(job_id, number, size, ctx.caller))

    @operation(Route("GET", "what/modules", {}, description="Lists the modules."), returns=array_of(JobWhat))
    def GetModules(ctx: Guest) -> Any:
        """Return the modules (contract section 2.7)."""
        return [translate.to_wire_what(what) for what in ctx.hall.library.whats(WhatKind.MODULE, ctx.caller)]

    @operation(Route("GET", "what/projects", {}, description="Lists the projects."), returns=array_of(JobWhat))
    def GetProjects(ctx: Guest) -> Any:
        """Return the projects (contract section 2.7)."""
        return [translate.to_wire_what(what) for what in ctx.hall.library.whats(WhatKind.PROJECT, ctx.caller)]

    @operation(Route("GET", "what/runbooks", {}, description="Lists the run books."), returns=array_of(JobWhat))
    def GetRunBooks(ctx: Guest) -> Any:
        """Return the run books (contract section 2.7)."""
        return [translate.to_wire_what(what) for what in ctx.hall.library.whats(WhatKind.RUNBOOK, ctx.caller)]

    @operation(
        Route(
            "GET",
            "what/{WHATTYPE}s/{WHATID}/inputparameters",
            _WHAT_ARGUMENTS,
            description="Shows the input parameters of a module, project or run book.",
        ),
        JobWhatType,
        Text,
        returns=ParameterContainer,
    )
    def GetInputParameters(ctx: Guest, whatType: Any, whatId: Any) -> Any:
        """Return what a module, project or run book takes in (contract section 2.8)."""
        kind, what_id = translate.to_what_kind(whatType), parse_guid(whatId, "whatId")
        return translate.to_wire_parameter_set(ctx.hall.library.inputs(kind, what_id, ctx.caller))

    @operation(
        Route(
            "GET",
            "what/{WHATTYPE}s/{WHATID}/outputparameters",
            _WHAT_ARGUMENTS,
            description="Shows the output parameters of a module, project or run book.",
        ),
        JobWhatType,
        Text,
        returns=ParameterContainer,
    )
    def GetOutputParameters(ctx: Guest, whatType: Any, whatId: Any) -> Any:
        """Return what a module, project or run book gives out (contract section 2.8)."""
        kind, what_id = translate.to_what_kind(whatType), parse_guid(whatId, "whatId")
        return translate.to_wire_parameter_set(ctx.hall.library.outputs(kind, what_id, ctx.caller))

    @operation(
        Route(
            "GET",
            "who?agents={AGENTS}&teams={TEAMS}&online={ONLINE}&licensed={LICENSED}&search={SEARCH}",
            {"AGENTS": "agents", "TEAMS": "teams", "ONLINE": "online", "LICENSED": "licensed", "SEARCH": "search"},
            description="Lists the agents and teams.",
        ),
        Flag,
        Flag,
        Flag,
        Flag,
        Text,
        returns=array_of(JobWho),
    )
    def GetWho(ctx: Guest, agents: Any, teams: Any, online: Any, licensed: Any, search: Any) -> Any:
        """Return agents and teams (contract section 2.9)."""
        query = translate.to_who_query(agents, teams, online, licensed, search)
        return [translate.to_wire_who(who) for who in ctx.hall.topology.who(*query, ctx.caller)]

    @operation(
        Route("GET", "report/teams", {}, description="Reports which agents belong to each team, by list or by rule."),
        returns=array_of(TeamReport),
    )
    def GetTeamsReport(ctx: Guest) -> Any:
        """Return the teams with their agents (contract section 2.10)."""
        return reports.to_wire_team_reports(ctx.hall.team_reports.teams(ctx.caller))

    @operation(
        Route(
            "GET",
            "report/jobusage?start={START}&stop={STOP}",
            {"START": "start", "STOP": "stop"},
            description="Reports which jobs ran between two moments, yyyyMMddHHmmss in the site's time.",
        ),
        Text,
        Text,
        returns=array_of(JobUsage),
    )
    def GetJobUsageReport(ctx: Guest, start: Any, stop: Any) -> Any:
        """Return the jobs that ran in an interval (contract section 2.11)."""
        interval = reports.to_interval(start, stop, ctx.hall.settings.site_zone())
        return [reports.to_wire_usage(job) for job in ctx.hall.usage_reports.jobs(*interval, ctx.caller)]

    @operation(
        Route("POST", "agentmembership", {}, "membership", "Lets an agent join and leave teams."),
        AgentMembership,
        returns=array_of(JobWho),
    )
    def ChangeAgentMembership(ctx: Guest, membership: Any) -> Any:
        """Change an agent's teams and return those that have changed (contract section 2.12)."""
        request = memberships.to_agent_membership(membership)
        return [translate.to_wire_who(who) for who in ctx.hall.memberships.change(*request, ctx.caller)]

    @operation(
        Route("POST", "teammembership", {}, "membership", "Lets agents join and leave a team."),
        TeamMembership,
        returns=array_of(JobWho),
    )
    def ChangeTeamMembership(ctx: Guest, membership: Any) -> Any:
        """Change a team's agents and return those that have changed (contract section 2.12)."""
        request = memberships.to_team_membership(membership)
        return [translate.to_wire_who(who) for who in ctx.hall.memberships.change(*request, ctx.caller)]

    @operation(
        Route("POST", "removeagent", {}, "removal", "Removes an agent that is offline, also with its job history."),
        RemoveAgent,
        returns=array_of(JobWho),
    )
    def RemoveAgent(ctx: Guest, removal: Any) -> Any:
        """Remove an agent and return it (contract section 2.12)."""
        request = memberships.to_removal(removal)
        return [translate.to_wire_who(ctx.hall.removals.remove(*request, ctx.caller))]
