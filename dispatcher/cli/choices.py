"""Choices: what the names and ids on the command line stand for, asked of the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import click

from dispatcher.cli.client import Client
from dispatcher.cli.exits import REFUSED, Failed

Wire = dict[str, Any]
"""An object as the service sends and takes it."""

#: The kinds of what can be run, as the service's paths call them, and how people do.
NOUNS = {"module": "module", "project": "project", "runbook": "run book"}
#: The type of parameter whose value has two parts (contract section 3.7).
CREDENTIALS = 2


def to_guid(text: str) -> UUID | None:
    """Return the id that *text* is, with or without braces; None if it is a name."""
    try:
        return UUID(text.strip().strip("{}"))
    except ValueError:
        return None


def bare(guid: str) -> str:
    """Return a GUID of the service as people copy it: lower case, without braces."""
    return guid.strip("{}").lower()


def find_what(client: Client, kind: str, name: str) -> Wire:
    """Return the module, project or run book with this id or name, to be posted back as it is."""
    return _only_one(client.get(f"what/{kind}s").value, name, NOUNS[kind])


def find_who(client: Client, agents: Iterable[str], teams: Iterable[str]) -> list[Wire]:
    """Return the agents and teams with these ids or names, in the order given."""
    return [_who(client, name, "agent") for name in agents] + [_who(client, name, "team") for name in teams]


def fill_in(client: Client, kind: str, what: Wire, values: Mapping[str, str]) -> list[Wire]:
    """Return the parameters of *what* with *values* in them, as a job takes them; nothing when there are none.

    :raises click.UsageError: if there is no such parameter.
    """
    if not values:
        return []
    container: Wire = client.get(f"what/{kind}s/{bare(what['ID'])}/inputparameters").value
    by_name = {parameter["Name"].casefold(): parameter for parameter in container["JobParameters"]}
    for name, value in values.items():
        parameter = by_name.get(name.casefold())
        if parameter is None:
            known = ", ".join(parameter["Name"] for parameter in container["JobParameters"]) or "none"
            raise click.UsageError(f"there is no parameter {name}; there are: {known}")
        parameter["Value1"] = value
        if parameter["Type"] == CREDENTIALS:
            parameter["Value1"], _, parameter["Value2"] = value.partition(":")
    return [container]


def _who(client: Client, name: str, noun: str) -> Wire:
    type_number = 0 if noun == "agent" else 1
    if guid := to_guid(name):
        return {"ID": f"{{{guid}}}".upper(), "Type": type_number}
    found = client.get("who", agents=noun == "agent", teams=noun == "team", online=False, licensed=False, search=name)
    return _only_one(found.value, name, noun)


def _only_one(found: list[Wire], name: str, noun: str) -> Wire:
    if guid := to_guid(name):
        fitting = [one for one in found if to_guid(one["ID"]) == guid]
    else:
        fitting = [one for one in found if one["Name"] == name]
        fitting = fitting or [one for one in found if one["Name"].casefold() == name.casefold()]
    if not fitting:
        raise Failed(f"there is no {noun} {name} that you may see", REFUSED)
    if len(fitting) > 1:
        ids = ", ".join(bare(one["ID"]) for one in fitting)
        raise Failed(f"several {noun}s are called {name}; give the id of one: {ids}", REFUSED)
    return fitting[0]
