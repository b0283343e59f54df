"""Requests: what OpsRamp's orders mean to the scheduler."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import GivenSet, JobRequest, Options, WhatChoice, WhatKind, When, WhoChoice, WhoKind
from dispatcher.core.parameters import GivenValue, ParameterType
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.credential_sets import CredentialUse
from dispatcher.datastore.jobs import JOBS
from dispatcher.services import late
from dispatcher.services.access import require_what
from dispatcher.services.opsramp import patterns
from dispatcher.services.opsramp.job_types import (
    APP_INSTALL,
    CUSTOM,
    JOB_TYPES,
    MANUAL,
    alias_of,
    check,
)
from dispatcher.services.opsramp.orders import Entity, Order, Timing, Value
from dispatcher.services.opsramp.patterns import Pattern, Repeat
from dispatcher.services.opsramp.resources import to_id
from dispatcher.services.opsramp.scripts import INTEGER, Script, find_script, is_integer, read_scripts
from dispatcher.services.opsramp.tenants import Tenant, Tenants
from dispatcher.services.plans import Plans


@dataclass(frozen=True, slots=True)
class Before:
    """What a job was so far."""

    job_id: UUID
    order: Order


class Requests:
    """Turns orders into requests. Works inside the caller's transaction."""

    def __init__(self, tenants: Tenants, plans: Plans) -> None:
        self._tenants = tenants
        self._plans = plans

    def make(
        self,
        session: Session,
        tenant: Tenant,
        order: Order,
        caller: Caller,
        now: datetime,
        before: Before | None = None,
    ) -> tuple[Order, JobRequest, Script | None]:
        """Return *order* with all that it left open, the request for its recurring job, and its script if it has one.

        *before* is what the job was so far.

        :raises InvalidValue: if the order is impossible, or names what *tenant* does not reach.
        :raises Forbidden: without Read on what it runs.
        """
        check(order)
        module = self._module(session, order, caller, before)
        script = module if order.job_type == CUSTOM else None
        kept = {} if before is None or module is None else self._passwords(session, before, module)
        values, said = _values(order, module, kept)
        order = order.model_copy(
            update={
                "name": order.name or _name(order, script),
                "entities": self._entities(session, tenant, order.entities),
                "module": None if module is None else module.module_id,
                "values": values,
                "timing": _timing(order.timing, now, None if before is None else before.order),
            }
        )
        request = JobRequest(
            what=[_what(order)],
            who=[WhoChoice([entity.agent], WhoKind.AGENT) for entity in order.entities if entity.agent],
            when=_when(order, now),
            description=order.name,
            parameters=[GivenSet(None, [GivenValue(name, one) for name, one in {**_named(order), **said}.items()])],
            options=self._options(session, tenant, order),
            may_name_nobody=True,
        )
        return order, request, script

    def _module(self, session: Session, order: Order, caller: Caller, before: Before | None) -> Script | None:
        """Return the script of *order*, or the module of its job type if it has, or had, values for that."""
        caller.require_some(Right.READ, Node.MODULES)
        if order.job_type == CUSTOM and order.script is not None:
            # A job goes on with a script that has been removed since.
            has_it = before is not None and before.order.script == order.script
            found = find_script(session, order.script, removed=has_it)
            if found is None:
                raise InvalidValue("script.customScript.id", f"no script {order.script}")
        else:
            has_values = order.values or (before is not None and before.order.module is not None)
            bound = late.find(session, alias_of(order.job_type)) if has_values else None
            found = next(iter(read_scripts(session, [] if bound is None else [bound])), None)
        if found is not None:  # before anything of it is told
            require_what(session, [{"kind": WhatKind.MODULE, "id": str(found.module_id)}], caller)
        return found

    def _passwords(self, session: Session, before: Before, module: Script) -> dict[str, str]:
        """Return the passwords that the job has given to *module* so far, by the names of the parameters.

        What is a password no more is not handed on: as anything else it would be stored, and shown, as it is.
        """
        if before.order.module != module.module_id:
            return {}
        hidden = {parameter.name for parameter in module.parameters if parameter.is_password}
        query = select(JOBS.c.what, JOBS.c.parameters).where(JOBS.c.id == before.job_id)
        what, (stored,) = session.execute(query).one()
        opened = self._plans.open(self._plans.document(session, what[0]), stored)
        kept = hidden.intersection(stored)
        secret = (one for one in opened if one.type is ParameterType.PASSWORD and one.name in kept)
        return {one.name: one.value1 for one in secret if one.value1}

    def _options(self, session: Session, tenant: Tenant, order: Order) -> Options:
        config, approval = order.config or {}, order.approval or {}
        options: Options = {"ends_as_last": True}
        if order.queued:
            options["queued"] = True
        # Nothing is installed of which nobody has said that it may be.
        if approval.get("approvalType", MANUAL if order.job_type == APP_INSTALL else None) == MANUAL:
            options["approval"] = "required"
        if approval.get("alertRequired"):
            options["alert"] = True
        if config.get("backUpTrigger"):
            options["on_change"] = True
        if order.credential_set is not None:
            options |= self._credential_set(session, tenant, order, order.credential_set)
        return options

    def _credential_set(self, session: Session, tenant: Tenant, order: Order, text: str) -> Options:
        """Return what names the credential set *text*: it must be one of the tenant's, or of a resource of the job."""
        key = to_id(text)
        users = set(session.scalars(select(CredentialUse.object_id).where(CredentialUse.set_id == key)))
        if key is None or users.isdisjoint([*tenant.teams, *(entity.agent for entity in order.entities)]):
            raise InvalidValue("credentialSet.uniqueId", f"no credential set {text[:100]}")
        is_script = order.job_type == CUSTOM and order.module is not None
        bound = order.module if is_script else late.find(session, alias_of(order.job_type))
        item = None if bound is None else late.item_of(session, WhatKind.MODULE, bound)
        if item is not None and not self._plans.logs_in(session, [item], if_given=True):
            raise InvalidValue("credentialSet.uniqueId", f"{item['name']} logs in nowhere: it runs as the agent does")
        named: Options = {"credential_set": str(key)}
        team = next((str(one) for one in tenant.teams if one in users), "")
        return {**named, "credential_team": team} if team else named

    def _entities(self, session: Session, tenant: Tenant, entities: Sequence[Entity]) -> tuple[Entity, ...]:
        """Return *entities* with their agents, which *tenant* must reach."""
        keys = {entity.id: to_id(entity.id) for entity in entities}
        named = _by_name(session, [text for text, key in keys.items() if key is None])
        candidates = {key for key in keys.values() if key} | {key for found in named.values() for key in found}
        reached = self._tenants.reached(session, tenant, candidates)
        for text, found in named.items():
            fitting = reached.intersection(found)
            keys[text] = fitting.pop() if len(fitting) == 1 else None
        return tuple(_found(entity, keys[entity.id], reached) for entity in entities)


def _by_name(session: Session, names: Collection[str]) -> dict[str, list[UUID]]:
    """Return the agents that have each of these names."""
    found: dict[str, list[UUID]] = {name: [] for name in names}
    for row in session.execute(select(Agent.id, Agent.name).where(Agent.name.in_(found))) if found else ():
        if row.name in found:  # not every database tells A from a
            found[row.name].append(row.id)
    return found


def _found(entity: Entity, key: UUID | None, reached: Collection[UUID]) -> Entity:
    """Return *entity* with the agent *key*; an id is told in its one form, a name as it was given."""
    if key is None or key not in reached:
        raise InvalidValue("entities", f"No resource found with UUID : {entity.id[:100]}")
    return entity.model_copy(update={"id": str(key) if to_id(entity.id) else entity.id, "agent": key})


def _name(order: Order, script: Script | None) -> str:
    return JOB_TYPES.get(order.job_type, order.job_type) if script is None else f"Job - {script.name}"[:255]


def _timing(timing: Timing | None, now: datetime, before: Order | None) -> Timing:
    """Return when a job starts that is ordered *now*.

    Whoever repeats the moment *before* has not changed it, nor has who names none with the same pattern.
    """
    this_minute = now.replace(second=0, microsecond=0)
    old = None if before is None else before.timing
    if timing is None:
        return old or Timing(start=this_minute, pattern=Pattern(repeat=Repeat.NEVER))
    if old is not None and old.pattern == timing.pattern and timing.start in (None, old.start):
        return old  # with the offset that it was given in: answers tell it in UTC
    return Timing(start=timing.start or this_minute, pattern=timing.pattern)


def _when(order: Order, now: datetime) -> When:
    timing = order.timing
    assert timing is not None and timing.start is not None  # noqa: S101, PT018 - by now it has both
    return When(recurrence=patterns.to_recurrence(timing.pattern, timing.start, now), since=now)


def _what(order: Order) -> WhatChoice:
    if order.job_type == CUSTOM and order.module is not None:
        return WhatChoice(order.module, WhatKind.MODULE)
    return WhatChoice(late.UNKNOWN, WhatKind.MODULE, alias_of(order.job_type))


def _named(order: Order) -> dict[str, str]:
    """Return what is given by the name of a parameter; what the module does not declare is ignored."""
    said = {**(order.config or {}), **(order.approval or {})}
    return {name: str(one).lower() if isinstance(one, bool) else str(one) for name, one in said.items()}


def _values(
    order: Order, module: Script | None, kept: Mapping[str, str]
) -> tuple[tuple[Value, ...] | None, dict[str, str]]:
    """Return the values of *order* as they are kept, without passwords, and what *module* is given by name.

    *kept* are passwords that need not be said again.

    :raises InvalidValue: if it has no such parameter, or a script is not given one that it needs.
    """
    known = {} if module is None else {parameter.number: parameter for parameter in module.parameters}
    given, shown = dict(kept), []
    for place, value in enumerate(order.values or ()):
        parameter = known.get(value.number)
        if parameter is None:
            raise InvalidValue(f"{order.values_at}[{place}].paramId", f"there is no parameter {value.number}")
        is_secret = parameter.data_type == "PASSWORD"
        if value.value is not None and not (is_secret and value.value == ""):  # masked ones are sent back
            given[parameter.name] = value.value
        if parameter.data_type == INTEGER and value.value is not None and not is_integer(value.value):
            raise InvalidValue(f"{order.values_at}[{place}].value", "must be a whole number")
        shown.append(Value(number=value.number, name=parameter.name, value=None if is_secret else value.value))
    for number, parameter in known.items():
        if order.job_type == CUSTOM and parameter.is_required and not given.get(parameter.name):
            raise InvalidValue(order.values_at, f"the parameter {number} ({parameter.name}) is required")
    return None if order.values is None else tuple(shown), given
