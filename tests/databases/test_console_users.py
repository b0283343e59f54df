"""Console users on every database: who is found, whatever the database thinks of letters, and not by reading all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text

from dispatcher.core.console import By, Console
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.console_users import _OF_USER, agents_of
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall

AT = datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=UTC)


def found(datastore: Datastore, user: str, by: By = By.LAST_CONSOLE_USER) -> list[str]:
    with datastore.read() as session:
        return [who.name for who in agents_of(session, user, by)]


def test_users_are_found_whatever_their_letters(datastore: Datastore, enrol: Callable[..., UUID]) -> None:
    users = {"one": "CORP\\Jürgen", "two": "jurgen", "three": "weiß", "four": "JÜRGEN ", "five": "\N{PILE OF POO}"}
    for name, user in users.items():
        enrol(name, console=Console(user, user, AT))
    assert found(datastore, "jürgen") == ["one"]
    assert found(datastore, "JURGEN", By.CONSOLE_USER) == ["two"]
    assert found(datastore, "LAB\\jürgen") == []
    assert found(datastore, "WEISS", By.MOST_RECENT) == ["three"]
    assert found(datastore, "\N{PILE OF POO}") == ["five"]


def test_moments_survive_and_nothing_is_written_again(
    hall: Hall, enrol: Callable[..., UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = Facts(os="linux", console=Console("", "anna", AT))
    agent = enrol("one", console=facts.console)
    monkeypatch.setattr(hall.enrolment, "_note_facts", lambda *_: pytest.fail("nothing is new"))
    hall.enrolment.note_facts(agent, facts)


def test_a_user_is_found_by_an_index(datastore: Datastore, enrol: Callable[..., UUID]) -> None:
    enrol("one", console=Console("anna", "anna", AT))
    explain = "EXPLAIN QUERY PLAN" if datastore.engine.dialect.name == "sqlite" else "EXPLAIN"
    with datastore.engine.connect() as connection:
        if datastore.engine.dialect.name == "postgresql":
            connection.execute(text("SET enable_seqscan = off"))  # one row is read quicker without any index
        plan = connection.execute(text(f"{explain} {_OF_USER}"), {"key": "anna"}).all()
    assert "ix_agent_console_key" in str(plan)
