"""Agents that leave, on every database: the entry goes, unless somebody has seen to it."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from dispatcher.core.errors import NotAuthenticated
from dispatcher.core.permissions import SYSTEM, Caller
from dispatcher.datastore.agents import Agent
from dispatcher.datastore.settings import Alias
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall


@pytest.mark.parametrize("is_named", [False, True])
def test_one_that_leaves_is_removed_unless_somebody_has_seen_to_its_entry(
    hall: Hall, datastore: Datastore, *, is_named: bool
) -> None:
    token = hall.tokens.create_enrol_token(SYSTEM)
    agent, secret = hall.enrolment.enrol(token, "pc", None, Facts(os="linux"))
    if is_named:
        with datastore.begin() as session:
            session.add(Alias(dialect="d", kind="k", external_id="e", object_id=agent))
    hall.removals.leave(agent, Caller("agent"))
    with pytest.raises(NotAuthenticated):
        hall.enrolment.authenticate(agent, secret)
    with datastore.read() as session:
        row = session.scalars(select(Agent).where(Agent.id == agent)).one()
        assert (row.removed_at is None, row.enrolled_at is None) == (is_named, is_named)
    next_one, _ = hall.enrolment.enrol(token, "pc", None, Facts(os="linux"))
    assert (next_one == agent) == is_named  # its computer can have it again
