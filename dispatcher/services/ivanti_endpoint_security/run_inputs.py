"""Run inputs: what the runs of this dialect's jobs are given when they are lent to their agents."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import InvalidValue
from dispatcher.core.inputs import Input
from dispatcher.core.jobs import InputsFrom
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.ivanti_endpoint_security import IES_JOBS
from dispatcher.services.ivanti_endpoint_security import enrolments, notice_texts
from dispatcher.services.ivanti_endpoint_security.numbers import DIALECT
from dispatcher.services.ivanti_endpoint_security.orders import DeploymentOrder, JobOrder, Kind
from dispatcher.services.ivanti_endpoint_security.policies import Policies, Policy
from dispatcher.services.job_inputs import Called, Wanted
from dispatcher.services.secrets import Secrets
from dispatcher.services.settings import Settings
from dispatcher.services.tokens import Tokens
from dispatcher.tasks.agent_setup.order import INPUT as SETUP
from dispatcher.tasks.agent_setup.order import PASSWORD_INPUT as SETUP_PASSWORD
from dispatcher.tasks.agent_setup.order import TOKEN_INPUT, SetupOrder
from dispatcher.tasks.discovering.order import INPUT as DISCOVERY
from dispatcher.tasks.discovering.order import PASSWORD_INPUT, DirectoryTarget, DiscoveryOrder
from dispatcher.tasks.notices.order import DEPLOYMENT_INPUT, RESTART_INPUT

#: The name that jobs have their inputs from.
PROVIDER = DIALECT
#: The settings that say how computers are looked for, and where new agents find dispatchers.
PORTS, COMMUNITIES = "discovery.ports", "discovery.communities"
AGENTS_URL, SSH_PORT = "agents.url", "agents.ssh_port"
_WITH_AGENTS = (Kind.INSTALL, Kind.UNINSTALL)
_STORED = select(IES_JOBS.c.job_id, IES_JOBS.c.kind, IES_JOBS.c.document, IES_JOBS.c.secrets)


def inputs_of(job_id: UUID) -> InputsFrom:
    """Return the option ``inputs`` of the job."""
    return {"provider": PROVIDER, "of": str(job_id)}


def directory_input(place: int) -> str:
    """Return the name of the input with the password for the directory that is the target at *place*."""
    return f"discovery.directory.{place}"


def seal_secrets(secrets: Secrets, order: JobOrder) -> str | None:
    """Return the secrets of *order* by the names of their inputs, sealed; None if it has none."""
    found = {directory_input(place): text.get_secret_value() for place, text in order.directory_passwords.items()}
    if order.password is not None:
        found[PASSWORD_INPUT] = order.password.get_secret_value()
    found = {name: text for name, text in found.items() if text}
    return secrets.seal(json.dumps(found)) if found else None


class RunInputs:
    """Gives runs their orders. May be used by many threads."""

    is_per_run = True  #: each has a token of its own

    def __init__(self, secrets: Secrets, *, settings: Settings, tokens: Tokens, policies: Policies) -> None:
        self._secrets = secrets
        self._settings = settings
        self._tokens = tokens
        self._policies = policies

    def inputs(self, session: Session, wanted: Collection[Wanted]) -> Mapping[Wanted, Sequence[Input]]:
        """Return what is ordered of the agents of *wanted* (``InputProvider.inputs``)."""
        ids = {UUID(one.of) for one in wanted}
        stored = {row.job_id: row for row in session.execute(_STORED.where(IES_JOBS.c.job_id.in_(ids)))}
        deployed = {key for key, row in stored.items() if row.kind == Kind.DEPLOYMENT}
        agents = {one.agent_id for one in wanted if UUID(one.of) in deployed}
        policies = self._policies.of_agents(session, agents) if agents else {}
        found: dict[Wanted, Sequence[Input]] = {}
        for one in wanted:
            row = stored.get(UUID(one.of))
            if row is None:
                continue
            if row.kind == Kind.DEPLOYMENT:
                found[one] = list(_notices(row, policies[one.agent_id]))
            else:
                found[one] = self._of_job(row, one.run_id)
        return found

    def called(self, session: Session, of: str, name: str) -> Called:  # noqa: ARG002 - as of every provider
        """Refuse *name*: no step of such a job calls anything (``InputProvider.called``).

        :raises InvalidValue: always.
        """
        raise InvalidValue("operation", f"there is no {name[:100]} here")

    def agents(self, session: Session, of: str) -> Sequence[UUID]:  # noqa: ARG002 - as of every provider
        """Return nobody: such jobs name their agents (``InputProvider.agents``)."""
        return ()

    def require(self, session: Session, of: str, caller: Caller) -> None:
        """Require what ordering such a job does (``InputProvider.require``): to install and uninstall agents, Modify
        on Topology/Agents.
        """
        kind = session.scalar(select(IES_JOBS.c.kind).where(IES_JOBS.c.job_id == UUID(of)))
        if kind in _WITH_AGENTS:
            caller.require(Right.MODIFY, Node.AGENTS)

    def _of_job(self, row: Any, run_id: UUID | None) -> list[Input]:
        order = JobOrder.model_validate(row.document)
        secrets: dict[str, str] = json.loads(self._secrets.open(row.secrets)) if row.secrets else {}
        found = [Input(DISCOVERY, self._discovery(order, secrets).to_input())]
        if order.kind in _WITH_AGENTS:
            found.append(Input(SETUP, self._setup(order).to_input()))
            if PASSWORD_INPUT in secrets:
                secrets[SETUP_PASSWORD] = secrets[PASSWORD_INPUT]
        if order.kind is Kind.INSTALL and SETUP_PASSWORD in secrets and run_id is not None:
            # Made now: a job may start long after it was ordered, and nobody has the token before.
            secrets[TOKEN_INPUT] = self._tokens.create_run_token(run_id, enrolments.most(order.targets))
        found += [Input(name, self._secrets.seal(text), is_secret=True) for name, text in sorted(secrets.items())]
        return found

    def _discovery(self, order: JobOrder, secrets: Mapping[str, str]) -> DiscoveryOrder:
        settings = self._settings.current()
        targets = [
            target.model_copy(update={"password_input": directory_input(place)})
            if isinstance(target, DirectoryTarget) and directory_input(place) in secrets
            else target
            for place, target in enumerate(order.targets)
        ]
        return DiscoveryOrder(
            options=order.options,
            targets=targets,
            ports=[int(port) for port in settings.text(PORTS).split(",")],
            communities=settings.text(COMMUNITIES).split(","),
            username=order.username,
        )

    def _setup(self, order: JobOrder) -> SetupOrder:
        settings = self._settings.current()
        url = settings.text(AGENTS_URL)
        return SetupOrder(
            username=order.username,
            overwrite=order.overwrite,
            modules=list(order.modules),
            dispatchers=url.split() if url else [],
            ssh_port=settings.number(SSH_PORT),
        )


def _notices(row: Any, policy: Policy) -> Iterator[Input]:
    """Give the notices of a deployment, as *policy* allows them."""
    order = DeploymentOrder.model_validate(row.document)
    for name, wish in ((DEPLOYMENT_INPUT, order.notify), (RESTART_INPUT, order.restart)):
        if wish is not None:
            notice = policy.applied_to(wish)
            message = notice_texts.fill(notice.message, order.packages)
            yield Input(name, notice.model_copy(update={"message": message}).to_input())
