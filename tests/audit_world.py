"""Every change that the audit records, on a small library: what the tests of the audit share."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from cheap_passwords import cheap_passwords
from job_world import LIBRARY, LINUX, NOBODY, a_request, on
from schedule_world import NOON, QUARTERS
from sqlalchemy import text

from dispatcher.core.contents import Content
from dispatcher.core.jobs import Job, When, WhoChoice, WhoKind
from dispatcher.core.permissions import SYSTEM, Caller, Right, everything
from dispatcher.core.ports import Ports
from dispatcher.core.schedules import RecurrenceRequest
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access_tokens import AccessTokens
from dispatcher.services.audit import Audit, AuditEntry
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.services.memberships import Change
from dispatcher.services.roles import Roles
from dispatcher.services.security import Security
from dispatcher.services.uploads import Upload

#: Who makes the changes.
ANN = Caller("ann", everything(Right.MODIFY), address="10.0.0.7")
LATER = NOON + timedelta(days=1)
#: The digests of what is uploaded.
ONE, THREE = (hashlib.sha256(data).hexdigest() for data in (b"1", b"333"))

Told = tuple[str, str, Any, Any]
"""The action of an entry, the name of its object, and the old and new values."""


@dataclass
class World:
    """A hall over a datastore, and what is there to be changed."""

    hall: Hall
    datastore: Datastore
    ports: Ports

    def __post_init__(self) -> None:
        self.logins = Logins(self.datastore, self.ports, cheap_passwords())
        self.roles = Roles(self.datastore, self.ports)

    def enrol(self, name: str = "one") -> UUID:
        token = self.hall.tokens.create_enrol_token(SYSTEM)
        return self.hall.enrolment.enrol(token, name, None, Facts(os="linux", hostname=name, address="10.0.0.1"))[0]

    def login(self) -> None:
        for name in ("root", "bob"):
            self.logins.add(name, "pass word", SYSTEM, roles=["Full Access"])

    def upload(self, data: bytes = b"1", by: Caller = ANN, **rest: Any) -> UUID:
        measured = Content(io.BytesIO(data), len(data), hashlib.sha256(data).digest())
        return self.hall.uploads.store(Upload(file_name="tool", folder="A", **rest), measured, by)

    def job(self, **rest: Any) -> Job:
        return self.hall.scheduling.submit(a_request(description="J", who=on(LINUX, kind=WhoKind.TEAM), **rest), ANN)

    def later(self) -> Job:
        return self.job(when=When(immediate=False, starts_at=LATER))

    def recurring(self) -> Job:
        return self.job(when=When(recurrence=RecurrenceRequest(QUARTERS)))

    def teams(self, *changes: tuple[UUID, bool, bool]) -> None:
        wanted = [
            Change(WhoChoice([team], WhoKind.TEAM), "Teams", joins=joins, as_primary=primary)
            for team, joins, primary in changes
        ]
        self.hall.memberships.change(WhoChoice(["one"], WhoKind.AGENT), wanted, ANN)

    def entries(self, **which: Any) -> list[AuditEntry]:
        """Return the entries, oldest first."""
        return Audit(self.datastore).list(SYSTEM, limit=1_000, **which)[::-1]

    def told(self) -> list[Told]:
        return [(entry.action, entry.subject.name, entry.old, entry.new) for entry in self.entries()]

    def stored(self) -> str:
        """Return all that the table holds, as the database has it."""
        with self.datastore.read() as session:
            return "\n".join(str(tuple(row)) for row in session.execute(text("SELECT * FROM audit_entry")))


def _login_added(world: World) -> Told:
    world.logins.add("Ann", "pass word", ANN, roles=["Read Only"])
    rest = {"kind": "dispatcher", "language": "ja", "enabled": True, "first_login_pending": False, "password": "set"}
    return "login.added", "Ann", None, {"roles": ["Read Only"], **rest}


def _login_disabled(world: World) -> Told:
    world.login()
    world.logins.disable("BOB", ANN)
    return "login.disabled", "bob", {"enabled": True}, {"enabled": False}


def _login_enabled(world: World) -> Told:
    world.login()
    world.logins.disable("bob", SYSTEM)
    world.logins.enable("bob", ANN)
    return "login.enabled", "bob", {"enabled": False}, {"enabled": True}


def _tokens_ended(world: World) -> Told:
    world.login()
    security = Security(world.datastore, world.ports, cheap_passwords())
    tokens = AccessTokens(world.datastore, world.ports, security, world.hall.settings)
    tokens.issue("symantec_ccs", "bob", "pass word", tokens.lifetimes("symantec_ccs"), "")
    world.logins.end_tokens("bob", ANN)
    return "login.tokens_ended", "bob", None, {"ended": 2}


def _password_set(world: World) -> Told:
    world.login()
    world.logins.set_password("bob", "other word", ANN)
    return "login.password", "bob", {"password": "set"}, {"password": "changed"}


def _language_set(world: World) -> Told:
    world.login()
    world.logins.set_language("BOB", "en", ANN)
    world.logins.set_language("bob", "en", ANN)  # which changes nothing
    return "login.language", "bob", {"language": "ja"}, {"language": "en"}


def _role_added(world: World) -> Told:
    world.roles.add("Helpers", ANN)
    return "role.added", "Helpers", None, {"name": "Helpers"}


def _role_removed(world: World) -> Told:
    world.roles.add("Helpers", SYSTEM)
    world.roles.grant("Helpers", Right.READ, "Library/Modules", SYSTEM)
    world.roles.remove("Helpers", ANN)
    return "role.removed", "Helpers", {"grants": {"Library/Modules": "read"}, "logins": []}, None


def _role_granted(world: World) -> Told:
    world.roles.add("Helpers", SYSTEM)
    world.roles.grant("Helpers", Right.READ, "Library/Modules", SYSTEM)
    world.roles.grant("Helpers", Right.MODIFY, "Library/Modules", ANN)
    return "role.granted", "Helpers", {"Library/Modules": "read"}, {"Library/Modules": "modify"}


def _role_given(world: World) -> Told:
    world.login()
    world.roles.give("Read Only", "bob", ANN)
    return "login.changed", "bob", {"roles": ["Full Access"]}, {"roles": ["Full Access", "Read Only"]}


def _role_taken(world: World) -> Told:
    world.login()
    world.roles.take("Full Access", "bob", ANN)
    return "login.changed", "bob", {"roles": ["Full Access"]}, {"roles": []}


def _setting(world: World) -> Told:
    world.hall.settings.set("webapi.state", "enabled", SYSTEM, "east")
    world.hall.settings.set("webapi.state", "disabled", ANN, "east")
    return "setting.changed", "webapi.state", {"value of east": "ENABLED"}, {"value of east": "DISABLED"}


def _token(world: World) -> Told:
    world.hall.tokens.create_enrol_token(ANN, once=True, hours=24)
    return "token.created", "enrol", None, {"once": True, "expires_at": LATER.isoformat()}


def _enrolled(world: World) -> Told:
    world.enrol()
    token = world.entries(action="token")[-1].subject.id
    return "agent.enrolled", "one", None, {"token": str(token), "hostname": "one", "address": "10.0.0.1", "os": "linux"}


def _joined(world: World) -> Told:
    world.enrol()
    world.teams((NOBODY, True, True))
    return (
        "agent.teams",
        "one",
        {"teams": [], "primary_team": None},
        {"teams": [f"Nobody ({NOBODY})"], "primary_team": f"Nobody ({NOBODY})"},
    )


def _agent_removed(world: World) -> Told:
    world.enrol()
    world.teams((NOBODY, True, False))
    world.hall.removals.remove(WhoChoice(["one"], WhoKind.AGENT), True, ANN)
    was = {"enrolled_at": NOON.isoformat(), "hostname": "one", "address": "10.0.0.1", "teams": [f"Nobody ({NOBODY})"]}
    return "agent.removed", "one", was, {"with_history": True}


def _gone_agent_removed(world: World) -> Told:
    agent_id = world.enrol()
    world.hall.removals.remove_gone(agent_id, False, ANN)
    was = {"enrolled_at": NOON.isoformat(), "hostname": "one", "address": "10.0.0.1", "teams": []}
    return "agent.removed", "one", was, {"with_history": False}


def _agent_left(world: World) -> Told:
    agent_id = world.enrol()
    world.hall.removals.leave(agent_id, ANN)
    was = {"enrolled_at": NOON.isoformat(), "hostname": "one", "address": "10.0.0.1", "teams": []}
    return "agent.removed", "one", was, {"with_history": False}


def _named_agent_left(world: World) -> Told:
    agent_id = world.enrol()
    world.teams((NOBODY, True, False))
    world.hall.removals.leave(agent_id, ANN)
    return "agent.left", "one", {"enrolled_at": NOON.isoformat(), "hostname": "one", "address": "10.0.0.1"}, None


_UPLOADED = {
    "name": "tool",
    "file_name": "tool",
    "description": "",
    "parse_variables": False,
    "skip_environment_variables": False,
    "folder": "A",
    "sha256": ONE,
    "size": 1,
}


def _uploaded(world: World) -> Told:
    world.upload()
    return "resource.created", "tool", None, _UPLOADED


def _uploaded_again(world: World) -> Told:
    world.upload()
    world.upload(b"333", overwrite=True)
    return "resource.changed", "tool", {"sha256": ONE, "size": 1}, {"sha256": THREE, "size": 3}


def _deleted(world: World) -> Told:
    world.hall.uploads.delete(world.upload(), ANN)
    return "resource.removed", "tool", _UPLOADED, None


def _aborted(world: World) -> Told:
    world.hall.aborting.abort(world.later().id, ANN)
    return "job.aborted", "J", {"state": "Scheduled"}, {"state": "Cancelled"}


def _pattern_ended(world: World) -> Told:
    world.hall.aborting.end(world.recurring().id, ANN)
    return "job.aborted", "J", {"state": "Scheduled"}, {"state": "Cancelled"}


def _job_disabled(world: World) -> Told:
    world.hall.aborting.disable(world.later().id, ANN)
    return "job.disabled", "J", {"state": "Scheduled"}, {"state": "Disabled"}


def _job_enabled(world: World) -> Told:
    job = world.later()
    world.hall.aborting.disable(job.id, SYSTEM)
    world.hall.aborting.enable(job.id, ANN)
    return "job.enabled", "J", {"state": "Disabled"}, {"state": "Scheduled"}


def _paused(world: World) -> Told:
    world.hall.schedules.pause(world.recurring().id, LATER, ANN)
    return "job.paused", "J", {"paused_until": None}, {"paused_until": LATER.isoformat()}


def _resumed(world: World) -> Told:
    job = world.recurring()
    world.hall.schedules.pause(job.id, None, SYSTEM)
    world.hall.schedules.resume(job.id, ANN)
    return (
        "job.resumed",
        "J",
        {"state": "Disabled", "paused_until": None},
        {
            "state": "Scheduled",
            "paused_until": NOON.isoformat(),
        },
    )


def _approved(world: World) -> Told:
    job = world.job(when=When(immediate=False, starts_at=LATER), options={"approval": "required"})
    world.hall.approvals.approve(job.id, ANN)
    return "job.approved", "J", {"approval": "required"}, {"approval": "given"}


def _changed(world: World) -> Told:
    when = When(recurrence=RecurrenceRequest(QUARTERS))
    request = a_request(description="K", who=on(LINUX, kind=WhoKind.TEAM), when=when)
    world.hall.scheduling.change(world.recurring().id, request, ANN)
    return "job.changed", "K", {"description": "J"}, {"description": "K"}


#: How each change is made, by the method of the service that makes it; and what is recorded of it.
CHANGES: dict[str, Callable[[World], Told]] = {
    "Aborting.abort": _aborted,
    "Aborting.disable": _job_disabled,
    "Aborting.enable": _job_enabled,
    "Aborting.end": _pattern_ended,
    "Approvals.approve": _approved,
    "Enrolment.enrol": _enrolled,
    "Logins.add": _login_added,
    "Logins.disable": _login_disabled,
    "Logins.enable": _login_enabled,
    "Logins.end_tokens": _tokens_ended,
    "Logins.set_language": _language_set,
    "Logins.set_password": _password_set,
    "Memberships.change": _joined,
    "Removals.remove": _agent_removed,
    "Removals.remove_gone": _gone_agent_removed,
    "Removals.leave": _agent_left,
    "Removals.leave of one that a team names": _named_agent_left,
    "Roles.add": _role_added,
    "Roles.give": _role_given,
    "Roles.grant": _role_granted,
    "Roles.remove": _role_removed,
    "Roles.take": _role_taken,
    "Schedules.pause": _paused,
    "Schedules.resume": _resumed,
    "Scheduling.change": _changed,
    "Settings.set": _setting,
    "Tokens.create_enrol_token": _token,
    "Uploads.delete": _deleted,
    "Uploads.store": _uploaded,
    "Uploads.store again": _uploaded_again,
}

__all__ = ["ANN", "CHANGES", "LIBRARY", "Told", "World"]
