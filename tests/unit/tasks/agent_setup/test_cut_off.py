"""Setups that are cut off: whatever has been done by then is undone, and what was there before is there again."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from real_server import Server
from setup_world import Relay, Setup, Target, wait_until
from ssh_servers import needs_sshd

from dispatcher.agents import identity
from dispatcher.tasks.work import TaskFailed

pytestmark = needs_sshd


def test_a_connection_that_ends_leaves_all_as_it_was(
    admin: Setup, target: Target, relay: Relay, server: Server
) -> None:
    new, old = (target.directory.with_name(f"agent.{word}") for word in ("new", "old"))
    before = known(server)
    relay.cut_when = lambda: relay.sent > 1 << 20  # while the program is on its way
    cut_off(admin, relay)
    wait_until(lambda: not target.files(), "something is left")
    relay.cut_when = lambda: (new / "home").exists()  # while it enrols
    cut_off(admin, relay)
    wait_until(lambda: not target.files() and not target.processes(), "something is left")
    assert known(server) == before

    relay.cut_when = lambda: False
    admin.install()
    (told,), agents = admin.told, target.agents()
    relay.cut_when = lambda: old.exists() and target.directory.exists()  # when the new one works already
    cut_off(admin, relay, overwrite=True)
    wait_until(lambda: target.files() == ["agent"] and target.agents(), "the old agent is not back")
    assert identity_in(target.directory) == told.agent_id
    assert target.agents() != agents
    assert known(server) == before | {told.agent_id}


def test_what_is_killed_as_by_a_power_failure_is_put_right_by_the_next_setup(
    admin: Setup, target: Target, relay: Relay, server: Server
) -> None:
    new, before = target.directory.with_name("agent.new"), known(server)

    def is_killed() -> bool:
        if not (new / "home" / identity.FILE).exists():
            return False
        end_sessions(target)
        return True

    relay.cut_when = is_killed
    cut_off(admin, relay)
    assert known(server) == before | {identity_in(new)}
    relay.cut_when = lambda: False
    assert admin.uninstall() == "1 computer: 1 No agent"
    assert (known(server), target.files()) == (before, [])


def known(server: Server) -> set[UUID]:
    """Return the ids of all agents that the server has."""
    found = server.get("who?agents=True&teams=False").json()
    return {UUID(str(who["ID"])) for who in found}


def identity_in(directory: Path) -> UUID:
    """Return the id of the agent in *directory*."""
    found = identity.load(directory / "home")
    assert found is not None
    return found.agent_id


def end_sessions(target: Target) -> None:
    """Kill what works there for those who have logged in."""
    for process in psutil.Process(target.sshd.pid).children(recursive=True):
        with suppress(psutil.Error):
            process.kill()


def cut_off(admin: Setup, relay: Relay, *, overwrite: bool = False) -> None:
    admin.port, relay.sent = relay.port, 0
    with pytest.raises(TaskFailed, match="1 Failed"):
        admin.install(overwrite=overwrite)
    assert admin.told == []
