"""The operations on tokens, jobs, deployments and custom patch lists: parse, call the service, translate, return."""

from __future__ import annotations

from typing import Any

from dispatcher.bindings.ivanti_endpoint_security import contract, deployment_contract, translate, translate_deployments
from dispatcher.bindings.ivanti_endpoint_security.keys import to_number
from dispatcher.bindings.ivanti_endpoint_security.listings import MAX_TOP, to_listing
from dispatcher.services.access_tokens import AccessTokens
from dispatcher.services.ivanti_endpoint_security.listing import Listed
from dispatcher.services.ivanti_endpoint_security.numbers import DIALECT
from dispatcher.services.ivanti_endpoint_security.suite import IvantiEndpointSecurity
from dispatcher.services.signed_tokens import SignedTokens
from dispatcher.services.submits import SubmitKey
from dispatcher.wire.http import Request
from dispatcher.wire.json_api import odata
from dispatcher.wire.json_api.odata_entity import EntityWords
from dispatcher.wire.json_api.operations import operation

BASE = "/api/v2"
_JOBS = odata.fields_of(contract.Job)
_DEPLOYMENTS = odata.fields_of(deployment_contract.Deployment)
_PATCH_LISTS = odata.fields_of(deployment_contract.PatchList)


def context(request: Request, name: str) -> str:
    """Return where what the answer to *request* holds is described: the entities called *name*."""
    return odata.context(request, BASE, name)


def next_link(request: Request, name: str, query: odata.Words, found: Listed[Any]) -> str | None:
    """Return where the list called *name* goes on behind what was *found*; None if that is all that was asked for."""
    count = len(found.items)
    # Who asks for so many at most knows when there may be more.
    is_cut = found.ends_early or (count == MAX_TOP and (query.top is None or query.top > MAX_TOP))
    return f"{request.root}{BASE}/{name}?{query.behind(count)}" if is_cut else None


class Tokens:
    """Gives out tokens."""

    TAG = "Authentication"

    def __init__(self, tokens: AccessTokens, signed: SignedTokens) -> None:
        self._tokens = tokens
        self._signed = signed

    @operation(f"POST {BASE}/Authentication/Login", summary="Log in", public=True)
    def log_in(self, request: Request, body: contract.LoginForm) -> contract.LoginAnswer:
        """Return a token for a name and a password."""
        lifetimes = self._tokens.lifetimes(DIALECT)
        pair = self._tokens.issue(
            DIALECT, body.Username, body.Password, lifetimes, request.address, write=self._signed.write
        )
        return contract.LoginAnswer(Jwt=pair.access)


class Jobs:
    """Discovers computers, and installs and uninstalls agents on them."""

    TAG = "Jobs"

    def __init__(self, suite: IvantiEndpointSecurity) -> None:
        self._jobs = suite.jobs

    @operation(
        f"POST {BASE}/Jobs",
        summary="Create a job to discover computers, install or uninstall agents",
        status=201,
        takes_key=True,
        enveloped=True,
        location=f"{BASE}/Jobs({{Id}})",
    )
    def create_job(self, request: Request, body: contract.NewJob) -> contract.JobEntity:
        """Store a job. It starts at its time, at once if that has gone by."""
        made = self._jobs.create(translate.to_order(body), request.caller, SubmitKey.of(request.key, request.asked))
        return translate.to_wire_entity(made, context(request, "Jobs/$entity"))

    @operation(f"GET {BASE}/Jobs", summary="List jobs")
    def list_jobs(self, request: Request, query: odata.Words) -> odata.Listed[contract.Job]:
        """Return the jobs that are asked for, by their ids: at most 1,000, fewer if they name many targets."""
        wanted = query.query(_JOBS)
        found = self._jobs.page(to_listing(wanted), request.caller)
        shown = [translate.to_wire_job(one) for one in found.items]
        listed = odata.Listed[contract.Job]
        following = next_link(request, "Jobs", query, found)
        return listed.of(context(request, "Jobs"), shown, found.total or 0, wanted, following)

    @operation(f"GET {BASE}/Jobs(<job>)", f"GET {BASE}/Jobs/<job>", summary="Get a job")
    def get_job(self, request: Request, job: str, query: EntityWords) -> contract.JobEntity:
        """Return a job with what has become of its targets."""
        found = self._jobs.get(to_number(job, "job"), request.caller)
        return query.show(translate.to_wire_entity(found, context(request, "Jobs/$entity")))


class DeploymentGroups:
    """Deploys custom patch lists."""

    TAG = "DeploymentGroups"

    def __init__(self, suite: IvantiEndpointSecurity) -> None:
        self._deployments = suite.deployments

    @operation(
        f"POST {BASE}/DeploymentGroups",
        summary="Create a deployment of a custom patch list",
        status=201,
        takes_key=True,
        enveloped=True,
        location=f"{BASE}/DeploymentGroups({{Id}})",
    )
    def create_deployment(
        self, request: Request, body: deployment_contract.NewDeployment
    ) -> deployment_contract.DeploymentEntity:
        """Store a deployment. It starts at its time, at once if that has gone by."""
        order, key = translate_deployments.to_order(body), SubmitKey.of(request.key, request.asked)
        made = self._deployments.create(order, request.caller, key)
        return translate_deployments.to_wire_entity(made, context(request, "DeploymentGroups/$entity"))

    @operation(f"GET {BASE}/DeploymentGroups", summary="List deployments")
    def list_deployments(self, request: Request, query: odata.Words) -> odata.Listed[deployment_contract.Deployment]:
        """Return the deployments that are asked for, by their ids: at most 1,000, fewer if they name many endpoints."""
        wanted = query.query(_DEPLOYMENTS)
        found = self._deployments.page(to_listing(wanted), request.caller)
        shown = [translate_deployments.to_wire_deployment(one) for one in found.items]
        listed = odata.Listed[deployment_contract.Deployment]
        following = next_link(request, "DeploymentGroups", query, found)
        return listed.of(context(request, "DeploymentGroups"), shown, found.total or 0, wanted, following)

    @operation(
        f"GET {BASE}/DeploymentGroups(<deployment>)",
        f"GET {BASE}/DeploymentGroups/<deployment>",
        summary="Get a deployment",
    )
    def get_deployment(
        self, request: Request, deployment: str, query: EntityWords
    ) -> deployment_contract.DeploymentEntity:
        """Return a deployment with what has become of it on each endpoint."""
        found = self._deployments.get(to_number(deployment, "deployment"), request.caller)
        shown = translate_deployments.to_wire_entity(found, context(request, "DeploymentGroups/$entity"))
        return query.show(shown)


class CustomPatchLists:
    """Makes and shows custom patch lists."""

    TAG = "CustomPatchLists"

    def __init__(self, suite: IvantiEndpointSecurity) -> None:
        self._patch_lists = suite.patch_lists
        self._new = suite.new_patch_lists

    @operation(
        f"POST {BASE}/CustomPatchLists",
        summary="Create a custom patch list",
        status=201,
        takes_key=True,
        enveloped=True,
        location=f"{BASE}/CustomPatchLists({{Id}})",
    )
    def create_patch_list(
        self, request: Request, body: deployment_contract.NewPatchList
    ) -> deployment_contract.PatchListEntity:
        """Make modules of the patches, and a project of the list."""
        new, key = translate_deployments.to_patch_list(body), SubmitKey.of(request.key, request.asked)
        made = self._patch_lists.made(self._new.create(new, request.caller, key), request.caller)
        return translate_deployments.to_wire_patch_list_entity(made, context(request, "CustomPatchLists/$entity"))

    @operation(f"GET {BASE}/CustomPatchLists", summary="List custom patch lists")
    def list_patch_lists(self, request: Request, query: odata.Words) -> odata.Listed[deployment_contract.PatchList]:
        """Return the custom patch lists that are asked for, by their ids."""
        wanted = query.query(_PATCH_LISTS)
        found = self._patch_lists.all(request.caller)
        shown, total = wanted.apply([translate_deployments.to_wire_patch_list(one) for one in found])
        listed = odata.Listed[deployment_contract.PatchList]
        return listed.of(context(request, "CustomPatchLists"), shown, total, wanted)

    @operation(
        f"GET {BASE}/CustomPatchLists(<patch_list>)",
        f"GET {BASE}/CustomPatchLists/<patch_list>",
        summary="Get a custom patch list",
    )
    def get_patch_list(
        self, request: Request, patch_list: str, query: EntityWords
    ) -> deployment_contract.PatchListEntity:
        """Return a custom patch list."""
        found = self._patch_lists.get(to_number(patch_list, "custom patch list"), request.caller)
        of = context(request, "CustomPatchLists/$entity")
        return query.show(translate_deployments.to_wire_patch_list_entity(found, of))
