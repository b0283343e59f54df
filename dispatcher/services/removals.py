"""Removals: agents go for good. What they have done is kept, unless that is to go, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import and_, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from dispatcher.core import team_rules
from dispatcher.core.errors import AgentNotFound, Busy, Conflict, Deadlock, Unavailable
from dispatcher.core.jobs import Who, WhoChoice
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.core.states import FINISHED, State
from dispatcher.datastore import revisions
from dispatcher.datastore.agents import AGENTS, Agent
from dispatcher.datastore.configurations import CONFIGURATIONS
from dispatcher.datastore.credential_sets import CredentialUse
from dispatcher.datastore.exastro_ita import ITA_DETAILS, ITA_FILES, forget_journal, owner_of_detail
from dispatcher.datastore.runs import RUNS
from dispatcher.datastore.settings import Alias
from dispatcher.datastore.targets import runs_with
from dispatcher.datastore.teams import Team, TeamMember
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import agent_uses, audit
from dispatcher.services.activation import Activation
from dispatcher.services.audit import Change, Subject
from dispatcher.services.chosen import chosen
from dispatcher.services.locking import lock_jobs
from dispatcher.services.topology import Topology, is_online

log = structlog.get_logger(__name__)

#: How long after a removal runs of that agent may still turn up: as long as a transaction may take, and more.
SETTLING = timedelta(hours=1)
#: How many agents of which nothing is left are forgotten in one transaction.
BATCH = 500

_WAITS = (RUNS.c.state == State.PENDING) & RUNS.c.leased_until.is_(None)
_HELD = RUNS.c.state.in_(sorted(set(State) - FINISHED)) & ~_WAITS
_NUMBERED = select(AGENTS.c.id, AGENTS.c.number, AGENTS.c.name)
_OTHERS: Any = AGENTS.alias("other")
#: What holds of an agent whose entry somebody has seen to.
_NAMED = or_(
    Agent.primary_team_id.is_not(None),
    exists().where(TeamMember.agent_id == AGENTS.c.id),
    exists().where(Alias.object_id == AGENTS.c.id),
    exists().where(CredentialUse.object_id == AGENTS.c.id),
    exists().where(_OTHERS.c.gateway_id == AGENTS.c.id, _OTHERS.c.removed_at.is_(None)),
)
#: What holds of an agent that nobody needs, as far as the database can be asked.
_UNUSED = (
    Agent.removed_at.is_(None),
    Agent.enrolled_at.is_(None),
    *(~exists().where(its) for its in runs_with(AGENTS.c)),
    ~_NAMED,
)


class AgentBusy(Conflict):
    """The agent is online, or has a run whose end is not known yet: it cannot be removed."""

    code = "agent.busy"

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"agent {name} cannot be removed: it {why}", agent=name)


class Removals:
    """Removes agents."""

    def __init__(self, datastore: Datastore, ports: Ports, *, topology: Topology, activation: Activation) -> None:
        self._datastore = datastore
        self._ports = ports
        self._topology = topology
        self._activation = activation

    def remove(self, choice: WhoChoice, with_history: bool, caller: Caller) -> Who:
        """Remove the agent that *choice* names, and return it as it was.

        In one transaction its secret becomes worthless (should the agent come back, it has to enrol, and is another
        one), it leaves all teams, no credential set is for it any more, workspaces know nothing of it, and the runs
        that still wait are cancelled: for it, or for it to do. What was done for it is kept; *with_history* those runs
        go with their output, and its configurations, little by little from then on (``Retention``), each when its job
        has ended.

        :raises InvalidValue: if there is no such agent, or a name fits several.
        :raises AgentBusy: if it is online, or a run for it, or for it to do, has begun and its end is not reported.
        :raises Forbidden: without Modify on the agent.
        """
        caller.require_some(Right.MODIFY, Node.AGENTS)
        with self._datastore.read() as session:
            (named,) = chosen(session, self._topology, Right.MODIFY, [(choice, "Agent/ID")], caller)
        return self._remove(named.id, with_history, caller)

    def remove_gone(self, agent_id: UUID, with_history: bool, caller: Caller) -> Who:
        """Remove an agent that was taken away from its computer, as ``remove`` does, although it was online just now.

        :raises AgentNotFound: if it is removed already.
        :raises AgentBusy: if a run has begun whose end is not reported: recovery ends it after a while.
        """
        return self._remove(agent_id, with_history, caller, is_gone=True)

    def leave(self, agent_id: UUID, caller: Caller) -> None:
        """Remove an agent that says itself that it goes, as ``remove_gone`` does, without its history.

        An entry that somebody has seen to, as for an agent that was still to come, stays: as one that never enrolled.

        :raises AgentNotFound: if it is removed already.
        :raises AgentBusy: if a run has begun whose end is not reported.
        """
        with self._datastore.read() as session:
            is_named = session.scalar(select(Agent.id).where(Agent.id == agent_id, _NAMED)) is not None
        if not is_named:
            self._remove(agent_id, with_history=False, caller=caller, is_gone=True)
            return
        with self._datastore.begin() as session:
            agent = self._lock(session, agent_id, may_be_online=True)
            self._require_idle(session, agent)
            was = {"enrolled_at": agent.enrolled_at, "hostname": agent.hostname, "address": agent.address}
            agent.enrolled_at, agent.secret_hash, agent.online = None, None, False
            agent.updated_at, agent.updated_by = self._ports.now(), caller.name
            subject = Subject("agent", agent.name, agent.id)
            audit.record(session, agent.updated_at, caller, "agent.left", subject, old=was)
            revisions.bump(session, revisions.TOPOLOGY)

    def _remove(self, agent_id: UUID, with_history: bool, caller: Caller, *, is_gone: bool = False) -> Who:
        with self._datastore.begin() as session:
            # Jobs are locked before agents: whoever ends a run and starts the next step has them in this order.
            known = session.execute(_NUMBERED.where(AGENTS.c.id == agent_id)).all()
            jobs = {run.job_id for one in known for run in _waiting(session, one)}
            lock_jobs(session, jobs)
            agent = self._lock(session, agent_id, may_be_online=is_gone)
            who = self._topology.who_of(agent)
            self._mark(session, agent, with_history, caller)
            self._cancel(session, agent, jobs)
            self._require_idle(session, agent)
        log.info("agent.removed", agent=str(who.id), name=who.name, with_history=with_history, by=caller.name)
        return who

    def remove_unused(self, agent_ids: Collection[UUID], caller: Caller) -> set[UUID]:
        """Remove those of the agents that nobody needs, and return them, as ``remove`` does, without their history.

        Those have never enrolled and had no runs; no team lists them or has a rule that they fit, no alias, credential
        set, other agent, run book or open job names them. The caller's rights are not asked. At most some thousands of
        agents.
        """
        with self._datastore.begin() as session:
            unused = select(Agent).where(Agent.id.in_(agent_ids), *_UNUSED).order_by(Agent.id).with_for_update()
            agents = self._needless(session, session.scalars(unused).all())
            if not agents:
                return set()
            now = self._ports.now()
            for agent in agents:
                agent.removed_at = agent.updated_at = now
                agent.updated_by = caller.name
            session.flush()
            removed = [
                Change("agent.removed", Subject("agent", agent.name, agent.id), {"address": agent.address})
                for agent in agents
            ]
            audit.record_all(session, now, caller, removed)
            revisions.bump(session, revisions.TOPOLOGY)
        log.info("agents.removed_unused", count=len(agents), by=caller.name)
        return {agent.id for agent in agents}

    def _needless(self, session: Session, agents: Sequence[Agent]) -> list[Agent]:
        """Return those of *agents*, which have no primary team, that no team's rule fits, and no work names."""
        if not agents:
            return []
        texts = session.scalars(select(Team.rule).where(Team.rule.is_not(None)))
        rules = [team_rules.parse(text) for text in texts if text]
        in_use = agent_uses.used(session, [agent.id for agent in agents])
        in_use |= {agent.id for agent in agents if any(rule.fits(self._topology.facts_of(agent, {})) for rule in rules)}
        return [agent for agent in agents if agent.id not in in_use]

    def settle(self) -> int:
        """Cancel runs that were being made for agents while these were removed; return how many there were."""
        waiting = or_(*(exists().where(its, _WAITS) for its in runs_with(AGENTS.c)))
        with self._datastore.read() as session:
            late = session.execute(_NUMBERED.where(AGENTS.c.removed_at.is_not(None), waiting)).all()
        settled = 0
        for agent in late:
            try:
                with self._datastore.begin() as session:
                    self._cancel(session, agent, set())
            except (Busy, Deadlock):
                log.warning("removal.not_settled_yet", agent=str(agent.id))
            except Unavailable:
                raise
            except Exception:  # a defect in one job must not keep the other agents' runs waiting
                log.exception("removal.not_settled", agent=str(agent.id))
            else:
                settled += 1
        return settled

    def forget(self) -> int:
        """Remove what is kept of removed agents of which nothing else is left; return how many there were."""
        settled = Agent.removed_at < self._ports.now() - SETTLING
        kept = [*runs_with(AGENTS.c), CONFIGURATIONS.c.agent_id == AGENTS.c.id]
        nothing_left = and_(settled, *(~exists().where(its) for its in kept))
        with self._datastore.begin() as session:
            gone = session.scalars(select(Agent.id).where(nothing_left).order_by(Agent.id).limit(BATCH)).all()
            # A library may just have brought one back: deleted is what is still removed when its row is free.
            still: Any = delete(Agent).where(Agent.id.in_(gone), settled)
            return int(session.connection().execute(still).rowcount)

    def _lock(self, session: Session, agent_id: UUID, *, may_be_online: bool) -> Agent:
        """Return the agent if it may go. Nobody lends it a run meanwhile, or makes one for it."""
        # Its key, too: whoever is making a run for it ends first, or waits until it is removed (see ``settle``).
        query = select(Agent).where(Agent.id == agent_id, Agent.removed_at.is_(None)).with_for_update()
        agent = session.scalars(query).one_or_none()
        if agent is None:
            raise AgentNotFound(agent_id)
        if not may_be_online and is_online(agent, self._ports.now()):
            raise AgentBusy(agent.name, "is online")
        return agent

    def _require_idle(self, session: Session, agent: Agent) -> None:
        """Check that no run is being done by the agent, or for it. Those that waited are cancelled already.

        :raises AgentBusy: if one is: the gateway of a device, which nobody has locked, may have fetched it just now.
        """
        whys = ("has a run whose end it has not reported yet", "has a gateway that is doing a run for it")
        for its, why in zip(runs_with(agent), whys, strict=True):
            if session.scalar(select(RUNS.c.id).where(its, _HELD).limit(1)) is not None:
                raise AgentBusy(agent.name, why)

    def _mark(self, session: Session, agent: Agent, with_history: bool, caller: Caller) -> None:
        """Remove the agent from everything but its runs."""
        was: dict[str, Any] = {"enrolled_at": agent.enrolled_at, "hostname": agent.hostname, "address": agent.address}
        teams = select(Team.id, Team.name).join(TeamMember, TeamMember.team_id == Team.id)
        mine = session.execute(teams.where(TeamMember.agent_id == agent.id).order_by(Team.name, Team.id))
        was["teams"] = [audit.named(name, key) for key, name in mine]
        agent.removed_at = agent.updated_at = self._ports.now()
        agent.history_removed_at = agent.removed_at if with_history else None
        agent.updated_by = caller.name
        agent.secret_hash, agent.online, agent.primary_team_id, agent.console_key = None, False, None, ""
        session.flush()
        session.execute(delete(TeamMember).where(TeamMember.agent_id == agent.id))
        session.execute(delete(CredentialUse).where(CredentialUse.object_id == agent.id))
        session.execute(delete(Alias).where(Alias.object_id == agent.id))
        _forget_details(session, agent.id)
        subject, new = Subject("agent", agent.name, agent.id), {"with_history": with_history}
        audit.record(session, agent.removed_at, caller, "agent.removed", subject, old=was, new=new)
        revisions.bump(session, revisions.TOPOLOGY)

    def _cancel(self, session: Session, agent: Any, locked: set[UUID]) -> None:
        """Cancel the runs that wait with *agent*; their jobs go on without it. *locked* are jobs that are."""
        lock_jobs(session, {run.job_id for run in _waiting(session, agent)} - locked)
        runs = _waiting(session, agent, lock=True)
        reason = f"agent {agent.name} was removed"
        end = {"state": State.CANCELLED, "reason": reason, "stopped_at": self._ports.now()}
        for start in range(0, len(runs), BATCH):
            ids = [run.id for run in runs[start : start + BATCH]]
            session.execute(update(RUNS).where(RUNS.c.id.in_(ids)).values(**end, hold=None, due_at=None))
        for job_id, ended in sorted(Counter(run.job_id for run in runs).items()):
            self._activation.run_ended(session, job_id, ended)


def _waiting(session: Session, agent: Any, *, lock: bool = False) -> list[Any]:
    """Return the runs that wait for *agent* to do them, or to be done for it: their ids and those of their jobs."""
    found: dict[UUID, Any] = {}
    for its in runs_with(agent):
        query = select(RUNS.c.id, RUNS.c.job_id).where(its, _WAITS).order_by(RUNS.c.id)
        rows = session.execute(query.with_for_update(key_share=True) if lock else query)
        found |= {run.id: run for run in rows}
    return list(found.values())


def _forget_details(session: Session, agent_id: UUID) -> None:
    """Remove what workspaces know of the agent as a device, and knew: there are passwords and keys in it."""
    mine = ITA_DETAILS.c.object_id == agent_id
    workspaces = session.scalars(select(ITA_DETAILS.c.workspace_id).where(mine)).all()
    owners = [agent_id, *(owner_of_detail(workspace, agent_id) for workspace in workspaces)]
    session.execute(delete(ITA_FILES).where(ITA_FILES.c.record_id.in_(owners)))
    session.execute(delete(ITA_DETAILS).where(mine))
    forget_journal(session, [agent_id])
