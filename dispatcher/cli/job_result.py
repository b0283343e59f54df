"""Job results: the result document of a job, decoded and shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click
from lxml import etree

from dispatcher.cli.exits import UNREACHABLE, Failed
from dispatcher.cli.output import show_facts, show_table
from dispatcher.logs import visible

#: Agents in these states have nothing more to do (contract section 3.8, as the document spells them).
_RUNNING = frozenset({"Disabled", "Scheduled", "Active", "Aborting", "Pending"})


def decode(answer: Any) -> bytes:
    """Return the document in the answer of ``jobs/{id}/results``: JSON carries it as an array of bytes.

    :raises Failed: if there is none in it.
    """
    try:
        return bytes(answer["Xml"])
    except (KeyError, TypeError, ValueError):
        raise Failed("the answer holds no result document", UNREACHABLE) from None


def parse(document: bytes) -> list[etree._Element]:
    """Return the ``masterjobresult`` elements of *document*, which is UTF-16LE without a byte order mark (section 6).

    :raises Failed: if it is no result document.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    try:
        # The declaration names UTF-16, which lxml refuses in a text that is decoded already.
        text = re.sub(r"^<\?xml[^>]*\?>", "", document.decode("utf-16-le"))
        return etree.fromstring(text, parser).findall("masterjobresult")
    except (UnicodeDecodeError, etree.XMLSyntaxError) as error:
        raise Failed(f"the result document cannot be read: {error}", UNREACHABLE) from None


def progress(results: list[etree._Element]) -> tuple[int, int]:
    """Return how many agents have nothing more to do, and how many there are."""
    states = [agent.findtext("status", "") for result in results for agent in result.iterfind("overview/agent")]
    return sum(state not in _RUNNING for state in states), len(states)


def show(results: list[etree._Element]) -> None:
    """Print the jobs of a document: how each ended, agent by agent, and its tasks with what they wrote."""
    for number, result in enumerate(results):
        if number:
            click.echo()
        show_facts((name.capitalize(), result.findtext(name)) for name in ("description", "status", "reason"))
        agents = [
            [
                *(agent.findtext(name, "") for name in ("name", "status", "startdatetime", "stopdatetime")),
                agent.findtext("reason", "") or agent.findtext("currentactivity", ""),
            ]
            for agent in result.iterfind("overview/agent")
        ]
        if agents:
            click.echo()
            show_table(("AGENT", "STATUS", "STARTED", "STOPPED", "NOTE"), agents)
        outputs = [
            (parameter.get("name"), parameter.text or "")
            for parameter in result.iterfind("outputparameters/what/parameter")
        ]
        if outputs:
            click.echo()
            show_table(("OUTPUT", "VALUE"), outputs)
        for line in _tasks(result):
            click.echo(line)


def _tasks(result: etree._Element) -> Iterator[str]:
    for task in result.iterfind("tasks/task"):
        for agent in task.iterfind("results/agent"):
            one = agent.find("result")
            if one is None:
                continue
            facts = [one.findtext("status", "")]
            facts += [f"exit code {code}"] if (code := one.findtext("exitcode")) else []
            facts += [f"attempt {attempts}"] if (attempts := one.findtext("attempts")) else []
            title = f"{task.findtext('description', '')} on {agent.get('name', '')}: {', '.join(facts)}"
            yield ""
            yield click.style(visible(title), bold=True)
            if killed := [process.text or "" for process in one.iterfind("killed/process")]:
                yield visible(f"killed: {', '.join(killed)}")
            for name in ("details", "lognote", "log"):
                if text := one.findtext(name):
                    yield visible(text.rstrip("\n"), keep="\n\t")
