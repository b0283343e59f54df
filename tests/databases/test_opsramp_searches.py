"""Searches for OpsRamp's resources: what the database says fits is what fits, on every database."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from opsramp_world import Client, a_client
from statements import statements

from dispatcher.core.permissions import SYSTEM, Caller, Node, Right, everything
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.opsramp import resource_queries, resources
from dispatcher.services.opsramp.queries import Query
from dispatcher.services.opsramp.suite import build_opsramp

#: Names whose letters fold in their own ways, that have what patterns are made of, or that look like others.
NAMES = [
    "web-1",
    "WEB-2",
    "Straße 7",
    "STRASSE 8",
    "\N{KELVIN SIGN}elvin_9",
    "100%_a\\b",
    "10.0.0.\N{FULLWIDTH DIGIT ONE}",
    "10.0.0.1",
    "İstanbul-10.0.0.11",
    "é.1",
    "true",
]
WORDS = [
    "web",
    "WEB-",
    "ss",
    "strasse",
    "k",
    "10",
    "10.0.0.1",
    "_",
    "%",
    "\\",
    "%_",
    ".1",
    "all",
    "-1,.1",
    "",
    "web-1,",
    "\0",
    "\t",
    "1" * 2_000,
    "%_" * 5_000,
    "i\N{COMBINING DOT ABOVE}stanbul",
]
KEY = UUID("00000000-0000-4000-8000-00000000000b")


@pytest.fixture
def client(hall: Hall, load_library: Callable[[str], None], enrol: Callable[..., UUID]) -> Client:
    enrolled = [
        enrol(name, address=f"10.0.{number}.1", hostname="" if number % 3 else f"Host{number}.{name}")
        for number, name in enumerate(NAMES)
    ]
    members = ", ".join(str(key) for key in enrolled)
    more = f"agents: [{{name: not here, id: {KEY}, address: 10.0.7.10}}]\n"
    load_library(f"{more}teams: [{{name: client_7, agents: [{members}, {KEY}]}}, {{name: by_rule, rule: 'true'}}]")
    client = a_client(hall)
    client.tenant = "client_7"
    return client


def searched(client: Client, **words: Any) -> list[str]:
    """Return the ids that the services find, in order."""
    answer = client.ask("GET", "resources/search", query="&".join(f"{name}={text}" for name, text in words.items()))
    assert answer.status == 200, answer.body
    found = json.loads(answer.body)
    assert found["totalResults"] >= len(found["results"])
    return [one["id"] for one in found["results"]]


def test_a_search_finds_what_comparing_all_finds(hall: Hall, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = build_opsramp(hall).resources

    def search(name: str, word: str, exact: str) -> list[UUID]:
        query = Query(filters={name: word, "isequals": exact}, descending=False)
        page = suite.search(client.tenant, query, SYSTEM)
        assert page.total == len(page.items)
        return [one.id for one in page.items]

    texts, others = ("name", "hostname", "ipaddress"), ("id", "agentinstalled", "state", "type", "color")
    words = [str(KEY), str(KEY).upper(), str(KEY)[:13], "TRUE", "fal", "active", "act", "device", "", "all"]
    asked = [*product(texts, [*WORDS, *NAMES]), *product(others, words)]
    found = {(*one, exact): search(*one, exact) for one in asked for exact in ("true", "false")}
    # Without a word from the database all are compared.
    monkeypatch.setattr(resources, "known_of", lambda *_: resource_queries.Known([], say_all=False))
    assert [one for one, ids in found.items() if search(*one) != ids] == []
    assert {name for (name, _, _), ids in found.items() if ids} == {*texts, *others} - {"color"}


def test_no_character_becomes_what_the_database_compares() -> None:
    """That it compares whatever is no letter presumes that nothing else becomes that, nor that anything else."""
    plain = set(map(chr, range(32, 127))) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert all(resource_queries._PLAIN.fullmatch(one) and one.casefold() == one for one in plain)
    others = (chr(code) for code in range(sys.maxunicode + 1) if chr(code) not in plain)
    assert not [one for one in others if plain & set(one.casefold()) or resource_queries._PLAIN.match(one)]


def test_the_database_reads_the_page_alone(client: Client, datastore: Datastore) -> None:
    def count(query: str) -> tuple[int, int]:
        client.ask("GET", "resources/search", query=query)
        with statements(datastore) as sent:
            found = json.loads(client.ask("GET", "resources/search", query=query).body)
        assert sum("LIMIT" in one.upper() and "agent.macs" in one for one in sent) == 1, query
        return found["totalResults"], len(found["results"])

    assert count("pageSize=2") == (12, 2)
    assert count("pageSize=2&queryString=agentInstalled:false") == (1, 1)
    assert count("pageSize=5&pageNo=3") == (12, 2)
    assert count("queryString=ipAddress:10.0.7.") == (2, 2)


def test_rights_on_single_agents_and_rules_of_teams_hold(client: Client) -> None:
    everyone = searched(client)
    client.tenant = "by_rule"
    assert searched(client) == everyone
    assert searched(client, queryString="ipAddress:10.0.7.", isDescendingOrder="false") != []
    client.tenant = "client_7"
    client.caller = Caller("ann", {**everything(Right.READ), Node.AGENTS: Right.DENY})
    assert searched(client) == []
