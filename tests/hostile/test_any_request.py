"""Any request, one after another: a whole server answers each properly, whatever the ones before have left behind.

Messages are made from the declared types of every operation, so that they get far, and then spoilt.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cheap_passwords import cheap_passwords
from fuzz.seeds import agent_messages
from hostile_server import Loop, applications
from hostile_world import AGENT, BASE, LIBRARY, NOBODY, OPERATIONS, PATCH, S11, S12
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from lxml import etree
from wire_values import MOMENTS, XML_CHARACTERS, values

from dispatcher.agents import protocol
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.enrolment import Facts
from dispatcher.services.hall import Hall, build_hall
from dispatcher.services.library.importing import import_texts
from dispatcher.services.secrets import Secrets
from dispatcher.web.app import Limits
from dispatcher.wire.dates import format_xml
from dispatcher.wire.json_codec import encode_json
from dispatcher.wire.operations import Operation
from dispatcher.wire.types import Kind, kind_of
from dispatcher.wire.xml_codec import encode_xml, result_encoder

_GUID = re.compile(rb"\{[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}\}")
#: How many times a server is asked 30 requests.
EXAMPLES = 12
#: What can be read at the end, whatever has come before.
READABLE = (
    "jobs?pagesize=100",
    "who",
    "what/modules",
    "report/teams",
    "report/jobusage?start=20260101000000&stop=20270101000000",
)
#: What the web layer and the dialect may say no with.
REFUSALS = {400, 403, 404, 405, 409, 413, 431}
MEDIA = {
    "xml": "application/xml",
    "json": "application/json",
    S11: "text/xml; charset=utf-8",
    S12: "application/soap+xml",
}
TEXTS = st.sampled_from(
    [
        "Patch",
        "PC-042",
        "1",
        "LaunchWindowWaitJob",
        "Mon 10:00-11:30",
        "'; DROP TABLE job; --",
        "\N{PILE OF POO}",
        "DTSTART:20260401T080000Z\nRRULE:FREQ=DAILY;COUNT=3",
        "skip",
        "x" * 300,
    ]
) | st.text(XML_CHARACTERS, max_size=8)
NUMBERS = [-1, 0, 1, 2**31, 2**63, 10**30, 0.5, 1e300]
MOMENTS_OF_AGENTS = ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "2026-03-01T00:00:00Z"]
WORDS = ["", "\0", "x" * 2_000, "completed", NOBODY.strip("{}"), "\N{PILE OF POO}", "AP+/", "linux"]
#: What stands in place of a part of an agent's message.
LEAVES = st.sampled_from([None, True, [], {}, [None], {"a": {}}, *NUMBERS, *MOMENTS_OF_AGENTS, *WORDS])
FORMS = st.sampled_from([*MEDIA])
spoil = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 3), st.binary(max_size=3)), max_size=3)


@pytest.fixture
def open_world(
    empty_database: bytes, tmp_path: Path, ports: Ports, secrets: Secrets
) -> Callable[[], tuple[Datastore, Hall]]:
    """Return what makes a datastore with a small library, and the hall over it."""
    numbers = itertools.count()

    def open_world() -> tuple[Datastore, Hall]:
        path = tmp_path / f"{next(numbers)}.db"
        path.write_bytes(empty_database)
        datastore = Datastore(parse_url(f"sqlite:///{path}"))
        import_texts(datastore, ports, secrets, {"library.yaml": LIBRARY.encode()})
        return datastore, build_hall(
            datastore, ports, secrets, lease=timedelta(seconds=30), passwords=cheap_passwords()
        )

    return open_world


def test_any_requests(open_world: Callable[[], tuple[Datastore, Hall]], clock: Callable[[], datetime]) -> None:
    run_state_machine_as_test(
        lambda: AnyRequests(*open_world(), clock),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


class AnyRequests(RuleBasedStateMachine):
    """A server, and what has been learnt of it."""

    def __init__(self, datastore: Datastore, hall: Hall, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self.datastore, self.hall = datastore, hall
        self.made = applications(hall, clock, Limits())
        self.loop = Loop(self.made)
        self.ids = [PATCH, AGENT, NOBODY]
        self.held: list[tuple[str, int]] = [(NOBODY.strip("{}"), 1)]

    @initialize()
    def enrol(self) -> None:
        token = self.hall.tokens.create_enrol_token(SYSTEM, once=True)
        agent = self.hall.enrolment.enrol(token, "one", None, Facts(os="linux"))
        self.authorization = protocol.credentials(*agent)
        self.ids.append(f"{{{str(agent[0]).upper()}}}")
        body = json.dumps({"What": [{"ID": PATCH}], "Who": [{"ID": self.ids[-1], "Type": 0}]}).encode()
        self.ask("POST", f"{BASE}/jobs", "json", body)

    @rule(operation=st.sampled_from([*OPERATIONS.values()]), form=FORMS, data=st.data(), spoil=spoil)
    def call(self, operation: Operation, form: str, data: st.DataObject, spoil: Any) -> None:
        """Call an operation as it is declared, or nearly so."""
        texts = st.sampled_from(self.ids) | TEXTS
        arguments = {
            name: data.draw(values(one, XML_CHARACTERS, MOMENTS, texts) | st.none(), label=name)
            for name, one in operation.arguments
        }
        types = dict(operation.arguments)
        if form in (S11, S12):
            inside = "".join(result_encoder(types[name], name)(one) for name, one in arguments.items())
            body = f'<{operation.name} xmlns="http://tempuri.org/">{inside}</{operation.name}>'
            envelope = f'<s:Envelope xmlns:s="{form}"><s:Body>{body}</s:Body></s:Envelope>'
            self.ask("POST", f"{BASE}/soap", form, spoilt(envelope.encode(), spoil))
            return
        given = operation.route.body
        body = b"" if given is None else {"xml": encode_xml, "json": encode_json}[form](types[given], arguments[given])
        self.ask(operation.route.verb, BASE + target_of(operation, arguments), form, spoilt(body, spoil))

    @rule(
        verb=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "X"]),
        path=st.lists(st.sampled_from(["jobs", "who", "what", "help", "soap", NOBODY, "..", "%00", "%FF"]), max_size=4),
        form=FORMS,
        body=st.binary(max_size=30),
    )
    def wander(self, verb: str, path: list[str], form: str, body: bytes) -> None:
        """Ask for what there may not be."""
        self.ask(verb, "/".join([BASE, *path]), form, body)

    @rule(
        name=st.sampled_from(["UploadResource", "DeleteResource"]),
        headers=st.dictionaries(
            st.sampled_from(["Filename", "Folder", "ResourceID", "FolderGUID", "Overwrite", "Description"]),
            st.sampled_from(["a.txt", "Tools/More", "true", "..", "%", "=?utf-8?B?w7w=?=", PATCH, "\x01", "x" * 900]),
        ),
        body=st.binary(max_size=30),
    )
    def resource(self, name: str, headers: dict[str, str], body: bytes) -> None:
        """Bring a resource, or take one away."""
        self.ask("POST", f"/Dispatcher/ResourceService/{name}", "xml", body, *headers.items())

    @rule(message=st.sampled_from([json.loads(one) for one in agent_messages()]), data=st.data())
    def agent(self, message: dict[str, Any], data: st.DataObject) -> None:
        """Say something as an agent that is known: of runs of its own, of others, and of none."""
        run_id, fence = data.draw(st.sampled_from(self.held))
        places = [(path, key) for path, key, _ in leaves(message)]
        changed = json.loads(json.dumps(message))
        for path, key, _ in [*leaves(changed)]:
            if key == "run_id":
                path[key] = run_id
            elif key == "fence":
                path[key] = fence
        for place in data.draw(st.lists(st.integers(0, len(places) - 1), max_size=2)):
            found = [*leaves(changed)]
            path, key, _ = found[place % len(found)]
            path[key] = deepcopy(data.draw(LEAVES))  # some are lists, and those drawn are all the same one
        changed["wait_s"] = 0
        name = data.draw(st.sampled_from(["poll", "report", "resource", "enrol"]))
        status, _, body = self.loop.ask(
            "agents",
            "POST",
            f"{protocol.PATH}/{name}",
            [("Authorization", self.authorization), ("Content-Type", "application/json")],
            json.dumps(changed).encode(),
        )
        assert status in (200, 400, 401, 404), body
        if name == "poll" and status == 200:
            orders = protocol.Orders.model_validate_json(body)
            self.held += [(str(run.run_id), run.fence) for run in orders.runs]

    def teardown(self) -> None:
        """Look whether all is well, and all of it can still be read."""
        try:
            for path in READABLE:
                for form in ("xml", "json"):
                    assert self.ask("GET", f"{BASE}/{path}", form, b"") == 200, path
        finally:
            self.loop.close()
            self.datastore.close()

    def ask(self, verb: str, target: str, form: str, body: bytes, *headers: tuple[str, str]) -> int:
        """Assert that the answer is proper; return its status."""
        sent = [("Host", "localhost"), ("Content-Type", MEDIA[form]), *headers]
        if form in ("xml", "json"):
            sent.append(("Accept", MEDIA[form]))
        status, answered, content = self.loop.ask("web", verb, target, sent, body)
        assert self.made.logged == []
        if b"Fault>" in content and "xml" in answered["content-type"]:
            check_fault(status, content)
        else:
            assert status in {200, 301} | REFUSALS, content
        if status == 200:
            self.ids = list(dict.fromkeys([*self.ids, *(one.decode() for one in _GUID.findall(content)[:3])]))[:20]
        return status


def check_fault(status: int, content: bytes) -> None:
    """Assert that a fault blames its sender."""
    (fault,) = etree.fromstring(content).iter("{*}Fault")
    code = "".join(fault.itertext("faultcode", "{*}Value"))
    assert not any(word in code for word in ("Server", "Receiver", "InternalServiceFault")), content
    assert status in (400, 500)


def target_of(operation: Operation, arguments: dict[str, Any]) -> str:
    """Return path and query that give *arguments*."""
    path, _, query = operation.route.template.partition("?")
    types = dict(operation.arguments)

    def text(variable: str) -> str:
        argument = operation.route.arguments[variable]
        value = arguments[argument]
        if kind_of(types[argument]) is Kind.ENUM and value is not None:
            return str(types[argument].names[value]).lower()
        return format_xml(value) if kind_of(types[argument]) is Kind.MOMENT and value else str(value or "x")

    filled = re.sub(r"\{([A-Z]+)\}", lambda match: quote(text(match[1]), safe=""), path)
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    return f"/{filled}?" + "&".join(f"{name}={quote(text(variable.strip('{}')))}" for name, _, variable in pairs)


def spoilt(body: bytes, spoil: list[tuple[int, int, bytes]]) -> bytes:
    """Return *body* with other bytes in some places."""
    changed = bytearray(body)
    for place, length, new in spoil:
        begin = place % (len(changed) + 1)
        changed[begin : begin + length] = new
    return bytes(changed)


def leaves(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Give every place in a document: the list or dict, the key in it, and what stands there."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in [*pairs]:
        yield value, key, one
        yield from leaves(one)
