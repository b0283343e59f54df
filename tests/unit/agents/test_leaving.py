"""Leaving: an agent's entry goes once a dispatcher can be told, and its identity with it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dispatcher.agents import identity, leaving
from dispatcher.agents.identity import StoredIdentity
from dispatcher.agents.runner import STOPPED, AgentSettings
from dispatcher.core.errors import Unavailable


@pytest.fixture
def settings(gateway, tmp_path: Path) -> AgentSettings:
    """Those of an agent that has enrolled."""
    known = {"agent_id": gateway.agent_id, "secret": gateway.secret}
    identity.save(tmp_path, StoredIdentity(**known, name="pc", dispatchers=[gateway.url]))
    return AgentSettings(dispatchers=[gateway.url], name="pc", home=tmp_path)


def leave(settings: AgentSettings) -> int:
    return leaving.leave(settings, lambda: datetime.now(UTC))


@pytest.mark.parametrize("is_known", [True, False])
def test_one_that_has_left_has_no_identity(gateway, settings: AgentSettings, is_known: bool) -> None:
    gateway.is_revoked = not is_known
    assert leave(settings) == STOPPED
    assert identity.load(settings.home) is None
    assert leave(settings) == STOPPED  # nobody is asked


def test_one_of_whom_nobody_hears_keeps_its_identity_and_can_leave_later(
    gateway, settings: AgentSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.is_down = True
    monkeypatch.setattr(leaving, "PATIENCE_S", 0.5)
    with pytest.raises(Unavailable, match="503"):
        leave(settings)
    assert identity.load(settings.home) is not None

    monkeypatch.setattr(leaving.time, "sleep", lambda _: setattr(gateway, "is_down", False))
    monkeypatch.setattr(leaving, "PATIENCE_S", 20)
    assert leave(settings) == STOPPED  # the dispatcher has come back meanwhile
    assert identity.load(settings.home) is None
