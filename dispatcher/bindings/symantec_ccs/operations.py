"""The operations on tokens, jobs and job runs: parse, call the service, translate, return."""

from __future__ import annotations

from dispatcher.bindings.symantec_ccs import contract, translate
from dispatcher.bindings.symantec_ccs.attributes import to_terms
from dispatcher.bindings.symantec_ccs.errors import UnknownGrant
from dispatcher.core.errors import InvalidValue
from dispatcher.services.access_tokens import AccessTokens
from dispatcher.services.submits import SubmitKey
from dispatcher.services.symantec_ccs.suite import SymantecCcs
from dispatcher.services.symantec_ccs.terms import fit
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.operations import operation

DIALECT = "symantec_ccs"
BASE = "/ccs/api/v1"


class Tokens:
    """Gives out tokens."""

    TAG = "Tokens"

    def __init__(self, tokens: AccessTokens) -> None:
        self._tokens = tokens

    @operation(f"POST {BASE}/oauth/tokens", summary="Get an access token and a refresh token", public=True)
    def get_tokens(self, request: Request, form: contract.TokenForm) -> contract.TokenAnswer:
        """Return a pair of tokens for a name and a password, or for a refresh token."""
        lifetimes = self._tokens.lifetimes(DIALECT)
        grant = form.grant_type.strip().lower()
        if grant == "refresh_token":
            pair = self._tokens.refresh(DIALECT, form.refresh_token.strip(), lifetimes, request.address)
        elif grant == "password":
            names, passwords = translate.to_logins(form.username), translate.to_passwords(form.password)
            pair = self._tokens.issue(DIALECT, names, passwords, lifetimes, request.address)
        else:
            raise UnknownGrant
        return contract.TokenAnswer(access_token=pair.access, refresh_token=pair.refresh, expires_in=pair.expires_in)


class Jobs:
    """Makes, changes, deletes, finds and runs jobs."""

    TAG = "Jobs"

    def __init__(self, suite: SymantecCcs) -> None:
        self._jobs = suite.jobs
        self._runs = suite.runs
        self._present = suite.present
        self._wraps_status = suite.wraps_status

    @operation(f"POST {BASE}/jobs", summary="Create a job", takes_key=True)
    def create_job(self, request: Request, body: contract.NewJob) -> contract.JobMade | contract.JobMadeAndRun:
        """Store a job, and run it if its schedule says so."""
        order = translate.to_order(body, self._present())
        job, run = self._jobs.create(order, request.caller, SubmitKey.of(request.key, request.asked))
        return translate.to_wire_made(job, run)

    @operation(f"PATCH {BASE}/jobs", summary="Update a job")
    def update_job(self, request: Request, body: contract.ChangedJob) -> contract.JobMade | contract.JobMadeAndRun:
        """Change what the message names of a job."""
        change = translate.to_change(body, self._present())
        job, run = self._jobs.update(translate.to_id(body.JobID, "JobID"), change, request.caller)
        return translate.to_wire_made(job, run)

    @operation(f"DELETE {BASE}/jobs", summary="Delete a job, or only its history")
    def delete_job(self, request: Request, query: contract.DeletedJob) -> None:
        """Delete a job; only who has created it may do that."""
        job_id = translate.to_id(query.jobid, "jobid")
        self._jobs.delete(job_id, request.caller, keeps_job=not query.DeleteJob)

    @operation(f"POST {BASE}/jobs/<job_id>", summary="Execute a job, or abort a job run", takes_key=True)
    def operate(
        self, request: Request, job_id: str, body: contract.JobOperation
    ) -> contract.JobStatusInfo | contract.WrappedStatus | None:
        """Execute the job that has the id, or abort the job run that has it."""
        key = translate.to_id(job_id, "id")
        if body.Operation is contract.Operation.EXECUTE:
            run = self._runs.execute(key, request.caller, SubmitKey.of(request.key, request.asked))
            return translate.to_wire_execution(run, wraps=self._wraps_status())
        self._runs.abort(key, request.caller)
        return None

    @operation(f"GET {BASE}/jobs", summary="Search jobs by name or attributes")
    def search_jobs(self, request: Request, query: contract.JobSearch) -> contract.Job | list[contract.Job]:
        """Return the job with a name, or a page of the jobs whose attributes fit."""
        if query.jobname is not None:
            return translate.to_wire_job(self._jobs.named(query.jobname, request.caller))
        terms = to_terms(query.Attributes)
        if unknown := {term.attribute for term in terms} - translate.ATTRIBUTES:
            raise InvalidValue("Attributes", f"jobs have no attribute {min(unknown)[:50]}")
        jobs = self._jobs.all(request.caller, with_runs=translate.asks_for_runs(terms))
        found = [job for job in jobs if fit(terms, translate.to_attributes(job))]
        page = found[query.page * query.pagesize :][: query.pagesize]
        return [translate.to_wire_job(job) for job in self._jobs.shown(page)]

    @operation(f"GET {BASE}/jobs/<job_id>", summary="Get a job")
    def get_job(self, request: Request, job_id: str) -> contract.Job:
        """Return the job that has the id."""
        return translate.to_wire_job(self._jobs.get(translate.to_id(job_id, "JobID"), request.caller))

    @operation(f"GET {BASE}/jobs/<job_id>/jobruns", summary="Get the latest runs of a job")
    def latest_runs(
        self, request: Request, job_id: str, query: contract.RunsWanted
    ) -> list[contract.JobStatusInfoWithMessages] | list[contract.JobStatusInfo]:
        """Return the latest runs of the job that has the id, latest first."""
        key = translate.to_id(job_id, "JobID")
        runs = self._runs.latest(key, query.count, request.caller, with_messages=query.showmessages)
        return [translate.to_wire_run(run) for run in runs]
