"""The operations on jobs, and the call for a token (contract section 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dispatcher.bindings.opsramp import contract, translate
from dispatcher.core.errors import InvalidValue
from dispatcher.services.submits import SubmitKey
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.operations import operation

if TYPE_CHECKING:
    from dispatcher.services.access_tokens import AccessTokens
    from dispatcher.services.opsramp.suite import OpsRamp

JOBS = "/api/v2/tenants/<tenant>/jobs"
_JOB = f"{JOBS}/<job>"
_DIALECT = "opsramp"
_GRANT = "client_credentials"


class Operations:
    """What clients may do with jobs."""

    TAG = "Jobs"

    def __init__(self, suite: OpsRamp, tokens: AccessTokens) -> None:
        self._jobs = suite.jobs
        self._tokens = tokens

    @operation(
        "POST /auth/oauth/token", "POST /tenancy/auth/oauth/token", summary="Get a token", public=True, tag="Tokens"
    )
    def get_token(self, request: Request, form: contract.TokenForm) -> contract.TokenAnswer:
        """Give a token to whoever has the name and the password of a login."""
        if form.grant_type != _GRANT:
            raise InvalidValue("grant_type", f"Unsupported grant type: {form.grant_type[:100]}")
        lifetimes = self._tokens.lifetimes(_DIALECT)
        pair = self._tokens.issue(_DIALECT, form.client_id, form.client_secret, lifetimes, request.address)
        return contract.TokenAnswer(access_token=pair.access, expires_in=str(pair.expires_in))

    @operation(f"POST {JOBS}", summary="Create a job", takes_key=True)
    def create_job(self, request: Request, tenant: str, body: contract.JobBody) -> contract.Job:
        """Store a job; it starts when its schedule says so."""
        order = translate.to_order(body)
        job = self._jobs.create(tenant, order, request.caller, SubmitKey.of(request.key, request.asked))
        return translate.to_wire_job(job)

    @operation(f"GET {JOBS}/types", summary="List the job types")
    def get_job_types(self, request: Request, tenant: str) -> contract.JobTypes:
        """Return the job types that OpsRamp lists; ``custom`` is one, too."""
        types = self._jobs.types(tenant, request.caller)
        return contract.JobTypes(jobNameAndType=[contract.JobType(jobName=types[one], jobtype=one) for one in types])

    @operation(f"GET {JOBS}/search", summary="Search jobs")
    def search_jobs(self, request: Request, tenant: str, query: contract.SearchWords) -> contract.Page[contract.Job]:
        """Return a page of the tenant's jobs."""
        page = self._jobs.search(tenant, translate.to_query(query), request.caller)
        return translate.to_wire_page(page, "job", translate.to_wire_item)

    @operation(f"GET {_JOB}", summary="Get a job")
    def get_job(self, request: Request, tenant: str, job: str) -> contract.Job:
        """Return a job."""
        found = self._jobs.get(tenant, job, request.caller)
        return translate.to_wire_job(found, details=True)

    @operation(f"POST {_JOB}", summary="Update a job")
    def update_job(self, request: Request, tenant: str, job: str, body: contract.JobBody) -> contract.Job:
        """Make a job another one, with the same id."""
        order = translate.to_order(body, job)
        changed = self._jobs.change(tenant, job, order, request.caller)
        return translate.to_wire_job(changed)

    @operation(f"DELETE {_JOB}", summary="Delete a job", empty=200)
    def delete_job(self, request: Request, tenant: str, job: str) -> None:
        """End a job for good."""
        self._jobs.remove(tenant, job, request.caller)

    @operation(
        f"GET {_JOB}/run",
        f"POST {_JOB}/run",
        f"POST {_JOB}/script/run",
        summary="Run a job now",
        empty=200,
        takes_key=True,
    )
    def run_job(self, request: Request, tenant: str, job: str, body: contract.Reason | None) -> None:
        """Run a job at once, beside its schedule."""
        reason = "" if body is None else body.reason or ""
        self._jobs.run(tenant, job, reason, request.caller, SubmitKey.of(request.key, request.asked))

    @operation(f"POST {_JOB}/approve", summary="Approve a job that waits for it", empty=200)
    def approve_job(self, request: Request, tenant: str, job: str) -> None:
        """Let what waits for an approval begin. (Our own: OpsRamp has this in its console only.)"""
        self._jobs.approve(tenant, job, request.caller)
