"""Setups that are cut off: whatever has been done by then is undone, and what was there before is there again."""

from __future__ import annotations

import pytest
from setup_world import Relay, Setup, Target, wait_until
from ssh_servers import needs_sshd

from dispatcher.agents import identity
from dispatcher.tasks.work import TaskFailed

pytestmark = needs_sshd


def test_a_connection_that_ends_leaves_all_as_it_was(admin: Setup, target: Target, relay: Relay) -> None:
    new, old = (target.directory.with_name(f"agent.{word}") for word in ("new", "old"))
    relay.cut_when = lambda: relay.sent > 1 << 20  # while the program is on its way
    cut_off(admin, relay)
    wait_until(lambda: not target.files(), "something is left")
    relay.cut_when = lambda: (new / "home").exists()  # while it enrols
    cut_off(admin, relay)
    wait_until(lambda: not target.files() and not target.processes(), "something is left")

    relay.cut_when = lambda: False
    admin.install()
    (told,), before = admin.told, target.agents()
    relay.cut_when = lambda: old.exists() and target.directory.exists()  # when the new one works already
    cut_off(admin, relay, overwrite=True)
    wait_until(lambda: target.files() == ["agent"] and target.agents(), "the old agent is not back")
    known = identity.load(target.directory / "home")
    assert known is not None
    assert known.agent_id == told.agent_id
    assert target.agents() != before


def cut_off(admin: Setup, relay: Relay, *, overwrite: bool = False) -> None:
    admin.port, relay.sent = relay.port, 0
    with pytest.raises(TaskFailed, match="1 Failed"):
        admin.install(overwrite=overwrite)
    assert admin.told == []
