"""Enrolment tokens work until they expire, once if they are meant so, and are not stored."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from dispatcher.core.errors import Forbidden, InvalidValue, NotAuthenticated
from dispatcher.core.permissions import SYSTEM, Caller, Node, Right, RoleRights
from dispatcher.core.ports import Ports
from dispatcher.datastore.tokens import Token
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.audit import Audit
from dispatcher.services.hall import Hall
from dispatcher.services.tokens import Tokens


@pytest.fixture
def tokens(datastore: Datastore, ports: Ports) -> Tokens:
    return Tokens(datastore, ports)


def spend(datastore: Datastore, tokens: Tokens, token: str) -> None:
    with datastore.begin() as session:
        tokens.spend_enrol_token(session, token)


def test_token_serves_many_agents(datastore: Datastore, tokens: Tokens) -> None:
    token = tokens.create_enrol_token(SYSTEM)
    for _ in range(3):
        spend(datastore, tokens, token)


def test_once_token_serves_one_agent(datastore: Datastore, tokens: Tokens) -> None:
    token = tokens.create_enrol_token(SYSTEM, once=True)
    spend(datastore, tokens, token)
    with pytest.raises(NotAuthenticated):
        spend(datastore, tokens, token)


def test_once_token_is_unspent_when_the_enrolment_fails(datastore: Datastore, tokens: Tokens) -> None:
    token = tokens.create_enrol_token(SYSTEM, once=True)

    def enrol_on_a_full_disk() -> None:
        with datastore.begin() as session:
            tokens.spend_enrol_token(session, token)
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        enrol_on_a_full_disk()
    spend(datastore, tokens, token)


def test_token_expires(datastore: Datastore, tokens: Tokens, clock) -> None:  # type: ignore[no-untyped-def]
    token = tokens.create_enrol_token(SYSTEM, hours=2)
    clock.turn(timedelta(hours=2) - timedelta(microseconds=1))
    spend(datastore, tokens, token)
    clock.turn(timedelta(microseconds=1))
    with pytest.raises(NotAuthenticated):
        spend(datastore, tokens, token)


@pytest.mark.parametrize("token", ["", "x", "\ud800", "ä" * 100])
def test_unknown_token_is_refused(datastore: Datastore, tokens: Tokens, token: str) -> None:
    tokens.create_enrol_token(SYSTEM)
    with pytest.raises(NotAuthenticated):
        spend(datastore, tokens, token)


def test_only_the_hash_is_stored_and_expired_ones_go(datastore: Datastore, tokens: Tokens, clock) -> None:  # type: ignore[no-untyped-def]
    first = tokens.create_enrol_token(SYSTEM, hours=1)
    with datastore.read() as session:
        stored = session.scalars(select(Token)).one()
    assert first.encode() not in stored.hash
    assert len(first) >= 43
    clock.turn(timedelta(hours=1))
    tokens.create_enrol_token(SYSTEM)
    with datastore.read() as session:
        assert [token.id for token in session.scalars(select(Token))] != [stored.id]


@pytest.mark.parametrize("hours", [0, -1, 8785])
def test_impossible_lifetime_is_refused(tokens: Tokens, hours: int) -> None:
    with pytest.raises(InvalidValue):
        tokens.create_enrol_token(SYSTEM, hours=hours)


def test_making_one_needs_the_right(tokens: Tokens) -> None:
    with pytest.raises(Forbidden):
        tokens.create_enrol_token(Caller("nobody"))


def test_one_of_a_team_needs_the_right_to_the_team(tokens: Tokens, hall: Hall, load_library: Any) -> None:
    load_library("teams: [{name: A}]")
    node: Any = {(Node.AGENTS, None): Right.MODIFY}
    of_agents = Caller.of("ann", [RoleRights("agents", node)])
    tokens.create_enrol_token(of_agents)
    with pytest.raises(Forbidden):
        tokens.create_enrol_token(of_agents, team="A")
    tokens.create_enrol_token(
        Caller.of("bob", [RoleRights("both", {**node, (Node.TEAMS, None): Right.MODIFY})]), team="A"
    )
    with pytest.raises(InvalidValue, match="no team"):
        tokens.create_enrol_token(SYSTEM, team="B")
    told = Audit(hall.datastore).list(SYSTEM, action="token", limit=1)[0]
    assert told.new is not None
    assert re.fullmatch(r"A \(.{36}\)", str(told.new["team"]))
