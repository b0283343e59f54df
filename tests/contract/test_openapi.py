"""The description of each JSON dialect is valid OpenAPI 3.1, and what it shows is what the dialect takes and tells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, get_args, get_origin

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from pydantic import TypeAdapter, ValidationError

from dispatcher import bootstrap
from dispatcher.web.app import Limits
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.endpoint import JsonApi
from dispatcher.wire.json_api.models import Model
from dispatcher.wire.json_api.openapi import document
from dispatcher.wire.quotas import Quotas


class Anything:
    """Services that are not there: nothing is carried out, and no time passes."""

    def now(self) -> datetime:
        return datetime(2031, 4, 5, 6, 7, 8, 901_000, tzinfo=UTC)

    def __getattr__(self, name: str) -> Any:
        return Anything()

    def __call__(self, *_: object, **__: object) -> Any:
        return Anything()


def _apis() -> dict[str, JsonApi]:
    anything: Any = Anything()
    bindings = [
        binding
        for name, build in bootstrap.DIALECTS.items()
        if name != "ivanti_automation"  # it speaks WSDL
        for binding in build(anything, Quotas(), Limits())
    ]
    assert all(isinstance(one, JsonApi) for one in bindings)
    return {one.dialect: one for one in bindings if isinstance(one, JsonApi)}


APIS = _apis()
at_each = pytest.mark.parametrize("api", APIS.values(), ids=APIS)


@at_each
def test_it_is_valid(api: JsonApi) -> None:
    validate(document(api), cls=OpenAPIV31SpecValidator)


@at_each
def test_no_two_paths_differ_in_the_names_of_their_variables_only(api: JsonApi) -> None:
    paths = list(document(api)["paths"])
    assert len({re.sub(r"\{[^}]*\}", "{}", path) for path in paths}) == len(paths)


def models(kind: type[Model] = Model) -> Iterator[type[Model]]:
    for one in kind.__subclasses__():
        yield one
        yield from models(one)


@at_each
def test_every_example_is_accepted_by_its_own_model(api: JsonApi) -> None:
    shown = 0
    for model in models():
        if not model.__module__.startswith(f"dispatcher.bindings.{api.dialect}."):
            continue
        extra = model.model_config.get("json_schema_extra")
        if isinstance(extra, dict) and "example" in extra:
            model.model_validate(json.loads(json.dumps(extra["example"])))
            shown += 1
        for field in model.model_fields.values():
            for example in field.examples or ():
                TypeAdapter(Annotated[field.annotation, None, *field.metadata]).validate_python(example)
    assert shown


@pytest.mark.parametrize("name", ["symantec_ccs", "opsramp", "exastro_ita"])
def test_each_form_shows_one_that_is_complete(name: str) -> None:
    api = APIS[name]
    (operation,) = (one for one in api.operations if one.form is not None)
    schema = TypeAdapter(operation.form).json_schema()
    assert schema["required"] == ["grant_type"]
    assert schema["example"]["grant_type"] in schema["properties"]["grant_type"]["enum"]


@at_each
def test_every_failure_is_shown_as_it_is_told(api: JsonApi) -> None:
    described = document(api)
    for operation in api.operations:
        for route in operation.declared.routes:
            item = described["paths"][route.path.replace("<", "{").replace(">", "}")][route.verb.lower()]
            assert {"401", "500", "503"} <= set(item["responses"])
            told = json.loads(api.unauthenticated(Request(route.verb, route.path)).body)
            name = item["responses"]["401"]["$ref"].rpartition("/")[2]
            assert described["components"]["responses"][name]["content"]["application/json"]["example"] == told
            assert ("403" in item["responses"]) != operation.declared.is_public
            has_body = operation.body is not None or operation.form is not None
            assert ("413" in item["responses"]) == has_body


def lists(hint: Any, name: str = "", notes: tuple[Any, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Give the lists that *hint* has in it with all that is noted of them, by where they are."""
    if isinstance(hint, type) and issubclass(hint, Model):
        for member, field in hint.model_fields.items():
            yield from lists(field.annotation, f"{hint.__name__}.{member}", tuple(field.metadata))
        return
    kind, inner = get_origin(hint), get_args(hint)
    if hint is list or kind in (list, set, tuple, dict):
        yield name, Annotated[hint, None, *notes]
        yield from (found for one in inner for found in lists(one, name))
    elif kind is Annotated:
        yield from lists(inner[0], name, (*inner[1:], *notes))
    else:
        yield from (found for one in inner for found in lists(one, name, notes))


def first_told(hint: Any, entry: object) -> list[str]:
    """Return what is told first of ten thousand times *entry*, and one more, in *hint*."""
    inner = get_args(hint)[0]
    is_mapping = dict in (inner, get_origin(inner))
    entries: Any = {str(number): entry for number in range(10_001)} if is_mapping else [entry] * 10_001
    try:
        TypeAdapter(hint).validate_python(entries)
    except ValidationError as error:
        return [one["type"] for one in error.errors()[:2]]
    return []


@at_each
def test_entries_of_every_list_are_counted_before_they_are_read(api: JsonApi) -> None:
    """What is wrong with each of a million entries takes seconds to find, before anybody is asked for a right."""
    bodies = [(hint, one) for one in api.operations for hint in (one.body, one.form) if hint is not None]
    found = {(name, one.is_read_late): entries for hint, one in bodies for name, entries in lists(hint)}
    assert found
    # What an operation reads by itself is only described: what is wrong in it, nobody looks for in this way.
    told = {name: first_told(hint, "" if is_late else object()) for (name, is_late), hint in found.items()}
    assert [name for name, first in told.items() if first != ["too_long"]] == []


@at_each
def test_no_get_asks_for_a_body(api: JsonApi) -> None:
    """No browser sends one."""
    found = [operation for item in document(api)["paths"].values() for verb, operation in item.items() if verb == "get"]
    assert found
    assert [one["operationId"] for one in found if "requestBody" in one] == []
