"""Every JSON dialect: each attack at each of its operations, and nothing is left of what is refused."""

from __future__ import annotations

import copy
import gzip
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from cheap_passwords import cheap_passwords
from hostile_world import LIBRARY, VALUES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dispatcher import bootstrap
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import NoWakeup, Ports
from dispatcher.datastore.engines import parse_url
from dispatcher.datastore.models import Base
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import build_hall
from dispatcher.services.library.importing import import_texts
from dispatcher.services.secrets import Secrets
from dispatcher.web.app import Limits
from dispatcher.wire.http import Request, Response
from dispatcher.wire.json_api.endpoint import JsonApi
from dispatcher.wire.json_api.operations import Operation, Route
from dispatcher.wire.quotas import Quotas

#: What variables of paths are, unless they are under attack: things that are there, where a path leads through them.
PLACES = {"tenant": "client_1", "organization": "org1", "workspace": "ws1", "menu": "sheet_a", "realm": "org1"}
TEAMS = """
teams: [{name: Pilot, agents: [PC-042], aliases: {opsramp: {tenant: client_1}}}]
workspaces: [{name: ws1, organization: org1, team: Pilot}]
menus:
  - name: sheet_a
    columns: [{name: column_1, max_bytes: 8}, {name: column_2, kind: file}]
"""
NOBODY = "00000000-0000-4000-8000-000000000001"
COUNTS = " UNION ALL ".join(f'SELECT count(*) FROM "{table.name}"' for table in Base.metadata.sorted_tables)
REFUSALS = {400, 401, 403, 404, 405, 409, 413, 422, 499}


@dataclass
class World:
    """The JSON dialects over a datastore of their own, and what they log."""

    datastore: Datastore
    apis: dict[str, JsonApi]
    logged: list[Any]

    def ask(self, api: JsonApi, route: Route, body: bytes = b"", *, query: str = "", **values: str) -> Response:
        """Ask for *route*, with *values* in its path. Nothing is left of what is refused, and nothing is a defect."""
        path = route.path
        for name in route.variables:
            path = path.replace(f"<{name}>", values.get(name, PLACES.get(name, NOBODY)))
        before = self.stored()
        headers = {"content-type": "application/json"}
        answer = api(Request(route.verb, path, query, headers, body, caller=SYSTEM, address="127.0.0.1"))
        asked = (route.verb, path[:200], query[:200], body[:300])
        assert self.logged == [], asked
        assert answer.status in (200, 201, 202, 204) or answer.status in REFUSALS, asked
        if answer.body:
            assert answer.content_type == "application/json; charset=utf-8"
            json.loads(answer.body)
        if answer.status in REFUSALS:
            assert self.stored() == before, asked
        return answer

    def stored(self) -> list[tuple[int]]:
        """Return how many rows each table has."""
        return self.datastore.glance(COUNTS, ())


def _world(path: Path, logged: list[Any]) -> World:
    datastore = Datastore(parse_url(f"sqlite:///{path}"))
    ports = Ports(lambda: datetime(2026, 3, 1, tzinfo=UTC), time.monotonic, uuid4, NoWakeup())
    secrets = Secrets(b"k" * 32)
    import_texts(datastore, ports, secrets, {"library.yaml": (LIBRARY + TEAMS).encode()})
    hall = build_hall(datastore, ports, secrets, lease=timedelta(seconds=30), passwords=cheap_passwords())
    found = [one for one in bootstrap.build_bindings(hall, Quotas(), Limits()) if isinstance(one, JsonApi)]
    world = World(datastore, {api.dialect: api for api in found}, logged)
    # Folders get their numbers when OpsRamp's categories are first asked for, whatever the answer is.
    assert world.ask(world.apis["opsramp"], Route("GET", "/api/v2/tenants/<tenant>/rba/categories")).status == 200
    return world


@pytest.fixture(scope="module")
def only_world(empty_database: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    logged: list[Any] = []
    path = tmp_path_factory.mktemp("hostile") / "json.db"
    path.write_bytes(empty_database)
    with pytest.MonkeyPatch.context() as patch:
        note = SimpleNamespace(exception=lambda event, **details: logged.append((event, details)))
        patch.setattr(bootstrap, "log", note)
        world = _world(path, logged)
    yield world
    world.datastore.close()


@pytest.fixture
def world(only_world: World) -> World:
    only_world.logged.clear()
    return only_world


def _declared() -> list[tuple[str, Operation]]:
    """Return every operation with its dialect, without carrying any out: over services that are not there."""
    anything: Any = _Anything()
    found = []
    for name, build in bootstrap.DIALECTS.items():
        if name != "ivanti_automation":
            for api in build(anything, Quotas(), Limits()):
                assert isinstance(api, JsonApi)
                found += [(name, operation) for operation in api.operations]
    return found


class _Anything:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC)

    def __getattr__(self, name: str) -> Any:
        return _Anything()

    def __call__(self, *_: object, **__: object) -> Any:
        return _Anything()


OPERATIONS = _declared()


def at_each(part: str = "") -> pytest.MarkDecorator:
    """Run a test at each operation that has *part*."""
    chosen = [(name, one) for name, one in OPERATIONS if not part or getattr(one, part) is not None]
    names = [f"{name} {one.name}" for name, one in chosen]
    return pytest.mark.parametrize(("dialect", "operation"), chosen, ids=names)


SHAPES = {
    "depth": b'{"a":' * 40 + b"1" + b"}" * 40,
    "array": b"[" * 100_000,
    "width": b'{"a":[' + b"{}," * 50_000 + b"{}]}",
    "digits": b'{"a":' + b"9" * 100_000 + b"}",
    "string": b'{"a":"' + b"x" * 1_100_000 + b'"}',
    "message": b'{"a":"' + b"x" * 4_200_000 + b'"}',
    "twice": b'{"a":1,"a":2}',
    "utf-8": b'{"a":"\xc3"}\xff',
    "nul": b'{"a":"\\u0000"}',
    "surrogate": b'{"a":"\\ud800"}',
    "infinity": b'{"a":1e999}',
    "nan": b'{"a":NaN}',
    "comment": b'{"a":1} // x',
    "two": b"{}{}",
    "gzip": gzip.compress(b'{"a":1}' * 10_000),
    "form": b"a=b&c=d",
    "xml": b"<a/>",
    "list": b"[]",
    "null": b"null",
    "text": b'"a"',
    "number": b"1",
    "nothing": b"\0",
}


@at_each("body")
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_of_messages(world: World, dialect: str, operation: Operation, shape: str) -> None:
    for route in operation.declared.routes:
        assert world.ask(world.apis[dialect], route, SHAPES[shape]).status in (400, 404, 422, 499)


@at_each("form")
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_of_forms(world: World, dialect: str, operation: Operation, shape: str) -> None:
    for route in operation.declared.routes:
        assert world.ask(world.apis[dialect], route, SHAPES[shape]).status in (400, 401)


def _nodes(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        yield from _nodes(value, (*path, key))


def _changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(document)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def _sample(schema: dict[str, Any], definitions: dict[str, Any], depth: int = 0) -> Any:
    """Return a message in which every member of *schema* is, as far as that shows what it is."""
    for examples in ([schema["example"]] if "example" in schema else [], schema.get("examples", [])):
        for example in examples:
            return example
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
        return _sample(schema, definitions, depth)
    for one in schema.get("anyOf", ()):
        if one.get("type") != "null":
            return _sample(one, definitions, depth)
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if "properties" in schema and depth < 6:
        return {name: _sample(one, definitions, depth + 1) for name, one in schema["properties"].items()}
    if schema.get("type") == "array":
        return [_sample(schema.get("items", {}), definitions, depth + 1)]
    kinds = schema.get("type", "string")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    return {"boolean": True, "integer": 1, "number": 1, "object": {}}.get(kind, "a")


@at_each("body")
def test_values_in_messages(world: World, dialect: str, operation: Operation) -> None:
    schema = TypeAdapter(operation.body).json_schema()
    sample = _sample(schema, schema.get("$defs", {}))
    (route, *_) = operation.declared.routes
    for path in _nodes(sample):
        for value in VALUES:
            world.ask(world.apis[dialect], route, json.dumps(_changed(sample, path, value)).encode())


@at_each("form")
def test_values_in_forms(world: World, dialect: str, operation: Operation) -> None:
    (route, *_) = operation.declared.routes
    names = ["grant_type", "username", "password", "client_id", "client_secret", "refresh_token"]
    for grant in ("password", "client_credentials", "refresh_token"):
        for name in names:
            for value in VALUES:
                form = {**dict.fromkeys(names, "a"), "grant_type": grant, name: value}
                text = "&".join(f"{one}={quote(str(two))}" for one, two in form.items())
                world.ask(world.apis[dialect], route, text.encode())
                world.ask(world.apis[dialect], route, json.dumps(form).encode())


TEXTS = [str(value) for value in VALUES if not isinstance(value, list | dict)]
TEXTS += ["\0", "a\0", "\ud800", "%00", "..", ".", ";a=b", "<x>", NOBODY.upper(), f"{{{NOBODY}}}"]


@at_each()
def test_values_in_paths(world: World, dialect: str, operation: Operation) -> None:
    for route in operation.declared.routes:
        for name in route.variables:
            for value in TEXTS:
                body = b"{}" if operation.body is not None else b""
                world.ask(world.apis[dialect], route, body, **{name: value})


@at_each()
def test_asking_for_the_head_runs_nothing(world: World, dialect: str, operation: Operation) -> None:
    before = world.stored()
    for route in operation.declared.routes:
        answer = world.ask(world.apis[dialect], Route("HEAD", route.path))
        assert answer.status == 405
        assert "HEAD" not in dict(answer.headers)["Allow"]
    assert world.stored() == before


@at_each("query")
def test_values_in_queries(world: World, dialect: str, operation: Operation) -> None:
    names = TypeAdapter(operation.query).json_schema(by_alias=True)["properties"]
    for route in operation.declared.routes:
        for name in names:
            for value in TEXTS:
                text = quote(value, errors="surrogatepass")
                world.ask(world.apis[dialect], route, query=f"{name}={text}")
                world.ask(world.apis[dialect], route, query=f"{name}=1&{name}={text}&{text}={name}")


@at_each()
def test_queries_of_any_shape(world: World, dialect: str, operation: Operation) -> None:
    words = (
        "(" * 10_000,
        "&" * 10_000,
        "a=b&" * 10_000,
        "(Attributes=" + "A = v," * 5_000,
        "=",
        "%",
        "%ff=%00",
        "+" * 99,
    )
    for route in operation.declared.routes:
        if route.verb != "GET":
            continue
        for query in words:
            world.ask(world.apis[dialect], route, query=query)


@at_each("body")
@given(data=st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_messages_with_a_few_other_bytes(world: World, dialect: str, operation: Operation, data: st.DataObject) -> None:
    schema = TypeAdapter(operation.body).json_schema()
    body = bytearray(json.dumps(_sample(schema, schema.get("$defs", {}))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, max(len(body) - 1, 0)))
        body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    (route, *_) = operation.declared.routes
    world.ask(world.apis[dialect], route, bytes(body))
