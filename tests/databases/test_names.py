"""Agents and teams are found by their names in any case of letters, the exact name first, on every database."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import alembic.command
import pytest
import sqlalchemy as sa
from sqlalchemy import select
from statements import statements

from dispatcher.core.errors import InvalidValue
from dispatcher.core.jobs import Who, WhoChoice, WhoKind
from dispatcher.datastore import schema
from dispatcher.datastore.engines import open_engine, parse_url
from dispatcher.datastore.teams import Team
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import topology
from dispatcher.services.hall import Hall

Enrol = Callable[..., UUID]
Load = Callable[[str], None]


def find(hall: Hall, datastore: Datastore, *identifiers: UUID | str, kind: WhoKind = WhoKind.AGENT) -> Who:
    with datastore.read() as session:
        return hall.topology.resolve_one(session, WhoChoice(list(identifiers), kind), "Who[0]/ID")


def name(hall: Hall, datastore: Datastore, text: str) -> Who:
    with datastore.read() as session:
        return hall.topology.resolve_name(session, text, "Who")


@pytest.mark.parametrize("spelled", ["PC-042", "pc-042", "Pc-042 ", " pC-042"])
def test_an_agent_is_found_in_any_case(hall: Hall, datastore: Datastore, enrol: Enrol, spelled: str) -> None:
    agent = enrol("PC-042")
    enrol("PC-0422")
    for _ in range(2):  # the second time it is remembered
        assert find(hall, datastore, spelled) == Who(agent, "PC-042", WhoKind.AGENT)


@pytest.mark.parametrize(("stored", "spelled"), [("STRASSE", "straße"), ("Jörg", "JO\u0308RG"), ("ΣΊΣΥΦΟΣ", "σίσυφοσ")])
def test_letters_of_other_languages_have_cases_too(
    hall: Hall, datastore: Datastore, enrol: Enrol, stored: str, spelled: str
) -> None:
    agent = enrol(stored)
    assert find(hall, datastore, spelled).id == agent


def test_an_accent_is_another_letter(hall: Hall, datastore: Datastore, enrol: Enrol) -> None:
    enrol("jorg")
    with pytest.raises(InvalidValue, match=r"Who\[0\]/ID: no agent Jörg"):
        find(hall, datastore, "Jörg")


def test_the_exact_name_counts_first(hall: Hall, datastore: Datastore, enrol: Enrol) -> None:
    small, large = enrol("pc"), enrol("PC")
    for _ in range(2):
        assert (find(hall, datastore, "pc").id, find(hall, datastore, "PC").id) == (small, large)
        with pytest.raises(InvalidValue, match="'Pc' fits several agents: use the id"):
            find(hall, datastore, "Pc")


def test_an_exact_name_that_several_have_is_refused(hall: Hall, datastore: Datastore, enrol: Enrol) -> None:
    enrol("twin"), enrol("twin"), enrol("TWIN")
    with pytest.raises(InvalidValue, match="'twin' fits several agents: use the id"):
        find(hall, datastore, "twin")


def test_a_second_exact_name_counts_before_another_spelling_of_the_first(
    hall: Hall, datastore: Datastore, enrol: Enrol
) -> None:
    enrol("ONE")
    two = enrol("two")
    assert find(hall, datastore, "one", "two").id == two


def test_a_team_is_found_in_any_case(hall: Hall, datastore: Datastore, load_library: Load) -> None:
    load_library("teams: [{name: Pilot}]")
    assert find(hall, datastore, "PILOT", kind=WhoKind.TEAM).name == "Pilot"
    load_library("teams: [{name: Pilot, folder: Other}]")
    with pytest.raises(InvalidValue, match="'pilot' fits several teams"):
        find(hall, datastore, "pilot", kind=WhoKind.TEAM)


def test_a_team_of_the_exact_name_counts_before_an_agent_of_another_spelling(
    hall: Hall, datastore: Datastore, enrol: Enrol, load_library: Load
) -> None:
    load_library("teams: [{name: Pilot}]")
    agents = {enrol("PILOT"), enrol("PILOT")}
    assert name(hall, datastore, "Pilot").kind is WhoKind.TEAM
    with pytest.raises(InvalidValue, match="'pilot' fits several agents"):
        name(hall, datastore, "pilot")
    load_library("teams: [{name: Zeta}]\nagents: [{name: ONLY}]")
    assert name(hall, datastore, "zeta").name == "Zeta"
    assert name(hall, datastore, "only").id not in agents


def test_one_that_is_renamed_is_found_by_its_new_name(hall: Hall, datastore: Datastore, load_library: Load) -> None:
    entry = "agents: [{name: %s, id: 00000000-0000-4000-8000-0000000000a1}]"
    load_library(entry % "Before")
    assert find(hall, datastore, "BEFORE").name == "Before"
    load_library(entry % "After")
    assert find(hall, datastore, "AFTER").name == "After"
    with pytest.raises(InvalidValue):
        find(hall, datastore, "before")


def test_a_long_name_whose_key_is_longer_yet(hall: Hall, datastore: Datastore, enrol: Enrol) -> None:
    one, other = enrol("ß" * 254 + "a"), enrol("ß" * 254 + "b")
    assert [find(hall, datastore, "ẞ" * 254 + end).id for end in "AB"] == [one, other]


def test_the_exact_name_takes_one_statement_and_a_remembered_one_none(
    hall: Hall, datastore: Datastore, enrol: Enrol
) -> None:
    enrol("one"), enrol("TWO")
    for spelled in ("one", "two"):
        for needed in (1, 0):
            with statements(datastore) as sent:
                find(hall, datastore, spelled)
            assert len([one for one in sent if "FROM agent" in one]) == needed


@pytest.mark.parametrize("kind", WhoKind)
def test_an_index_serves_it(datastore: Datastore, enrol: Enrol, load_library: Load, kind: WhoKind) -> None:
    enrol("x")
    load_library("teams: [{name: x}]")
    engine = datastore.engine
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    query = topology._named(kind, "x").compile(engine, compile_kwargs={"literal_binds": True})
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SET enable_seqscan = off"))  # one row is read quicker without any index
        plan = connection.execute(sa.text(f"{explain} {query}")).all()
    assert f"ix_{kind.name.lower()}_name_key" in str(plan)


def test_what_was_stored_before_is_found_after_the_upgrade(database_url: str) -> None:
    engine = open_engine(parse_url(database_url))
    moment = "2026-01-01 00:00:00"
    with engine.connect() as connection:
        alembic.command.upgrade(schema._config(connection), "0007")
        connection.execute(
            sa.text(
                "INSERT INTO team (id, name, description, enabled, updated_at, updated_by)"
                f" VALUES (:id, 'Jörg', '', :yes, '{moment}', '')"
            ),
            {"id": UUID(int=1).hex if connection.dialect.name == "postgresql" else UUID(int=1).bytes, "yes": True},
        )
        connection.commit()
    schema.upgrade(engine)
    with engine.connect() as connection:
        assert connection.scalars(select(Team.name_key)).all() == ["jörg"]
    engine.dispose()
