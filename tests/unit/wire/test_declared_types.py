"""Every declared type: what is written of it is valid by our own schema, is read by another stack, and comes back.

The types are those that the operations take and answer with, and all inside them: a new one is covered by itself.
"""

from __future__ import annotations

import random
from datetime import UTC
from pathlib import Path
from typing import Any

import orjson
import pytest
import zeep
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from wire_values import DECLARED, JSON_CHARACTERS, MOMENTS, WHOLE_MILLISECONDS, XML_CHARACTERS, plain, values

from dispatcher.bindings.ivanti_automation.golden import ADDRESS
from dispatcher.bindings.ivanti_automation.resource_operations import ResourceService
from dispatcher.bindings.ivanti_automation.soap import NAMES, SchedulingService
from dispatcher.wire.json_codec import encode_json, json_decoder
from dispatcher.wire.json_reader import read_json
from dispatcher.wire.operations import operations_of
from dispatcher.wire.quotas import Quotas
from dispatcher.wire.types import DataContract, Kind, item_of, kind_of, members_of
from dispatcher.wire.wsdl import WsdlDocuments
from dispatcher.wire.xml_codec import arguments_decoder, encode_xml, result_encoder, xml_decoder

XS = "http://www.w3.org/2001/XMLSchema"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
OPERATIONS = {**operations_of(SchedulingService), **operations_of(ResourceService)}
quick = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


def _inside(spyne_type: Any, found: dict[str, Any]) -> None:
    """Note *spyne_type* and all types that are in it."""
    name = f"{spyne_type.get_namespace()} {spyne_type.get_type_name()}"
    if name in found:
        return
    found[name] = spyne_type
    kind = kind_of(spyne_type)
    if kind is Kind.RECORD:
        for one in members_of(spyne_type).values():
            _inside(one, found)
    elif kind is Kind.ARRAY:
        _inside(item_of(spyne_type)[1], found)


def _types() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for operation in OPERATIONS.values():
        for _, one in operation.arguments:
            _inside(one, found)
        if operation.returns is not None:
            _inside(operation.returns, found)
    return found


TYPES = _types()
every_type = pytest.mark.parametrize("spyne_type", TYPES.values(), ids=lambda one: one.get_type_name())
every_record = pytest.mark.parametrize(
    "model", [one for one in TYPES.values() if kind_of(one) is Kind.RECORD], ids=lambda one: one.get_type_name()
)
every_operation = pytest.mark.parametrize(
    "operation", operations_of(SchedulingService).values(), ids=lambda one: one.name
)


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the WSDL and its schemas, which name each other as files."""
    folder = tmp_path_factory.mktemp("wsdl")
    wsdl = WsdlDocuments(SchedulingService, NAMES)
    (folder / "service.wsdl").write_bytes(wsdl.single_wsdl(ADDRESS))
    for number in range(4):
        content = wsdl.xsd(f"xsd{number}", ADDRESS)
        if content is not None:
            text = content.decode().replace(f"{ADDRESS}?xsd=xsd", "xsd")
            (folder / f"xsd{number}.xsd").write_text(text.replace('" namespace', '.xsd" namespace'))
    return folder


@pytest.fixture(scope="module")
def schema(documents: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(documents / "xsd0.xsd"))


@pytest.fixture(scope="module")
def reader(documents: Path) -> Any:
    """The reader of answers of another stack: zeep, from our WSDL."""
    client = zeep.Client((documents / "service.wsdl").as_uri())
    (binding, *_) = [one for one in client.wsdl.bindings.values() if "Soap11" in type(one).__name__]
    return client, binding


def test_no_type_of_the_contract_is_forgotten() -> None:
    used = {one.get_type_name() for one in TYPES.values()}

    assert {one.get_type_name() for one in DECLARED if kind_of(one) is not Kind.ARRAY} <= used


@every_type
@given(data=st.data())
@quick
def test_value_comes_back_from_xml_and_json(spyne_type: Any, data: st.DataObject) -> None:
    value = data.draw(values(spyne_type, XML_CHARACTERS, MOMENTS))
    assert plain(xml_decoder(spyne_type)(etree.fromstring(encode_xml(spyne_type, value)), UTC)) == plain(value)

    value = data.draw(values(spyne_type, JSON_CHARACTERS, WHOLE_MILLISECONDS))
    text = encode_json(spyne_type, value)
    assert plain(json_decoder(spyne_type)(read_json(text, "utf-8", Quotas()), UTC)) == plain(value)


def _shuffle(root: etree._Element, chosen: random.Random) -> etree._Element:
    """Return *root* with the members of every record in it in another order; lists keep theirs."""
    children = [_shuffle(child, chosen) for child in root]
    if len({child.tag for child in children}) == len(children):
        chosen.shuffle(children)
    root[:] = children
    return root


@every_record
@given(data=st.data())
@quick
def test_members_come_in_any_order_and_as_nil(model: Any, data: st.DataObject) -> None:
    value = data.draw(values(model, XML_CHARACTERS, WHOLE_MILLISECONDS))
    chosen = random.Random(data.draw(st.integers()))

    root = etree.fromstring(encode_xml(model, value))
    for name in members_of(model):
        if getattr(value, name) is None and not [child for child in root if etree.QName(child).localname == name]:
            # One that is left out where it cannot be nil by the schema: proxies write it so all the same.
            etree.SubElement(root, name).set(NIL, "true")
    assert plain(xml_decoder(model)(_shuffle(root, chosen), UTC)) == plain(value)

    document = orjson.loads(encode_json(model, value))
    names = [*document]
    chosen.shuffle(names)
    turned = orjson.dumps({name: document[name] for name in names})
    assert plain(json_decoder(model)(read_json(turned, None, Quotas()), UTC)) == plain(value)


@every_operation
@given(data=st.data())
@quick
def test_answer_is_valid_by_our_schema_and_read_by_zeep(
    operation: Any, schema: etree.XMLSchema, reader: Any, data: st.DataObject
) -> None:
    value = data.draw(values(operation.returns, XML_CHARACTERS, WHOLE_MILLISECONDS))
    name = f"{operation.name}Response"
    inside = result_encoder(operation.returns, f"{operation.name}Result")(value)
    response = etree.fromstring(f'<{name} xmlns="{NAMES.namespace}">{inside}</{name}>')

    assert schema.validate(response), schema.error_log

    client, _ = reader
    read = client.get_element(f"{{{NAMES.namespace}}}{name}").parse(response, client.wsdl.types)
    assert same(operation.returns, read[f"{operation.name}Result"], value)


@every_operation
@given(data=st.data())
@quick
def test_arguments_are_valid_by_our_schema_and_come_back_from_what_zeep_writes(
    operation: Any, schema: etree.XMLSchema, reader: Any, data: st.DataObject
) -> None:
    given_values = {
        name: data.draw(values(one, XML_CHARACTERS, WHOLE_MILLISECONDS), label=name)
        for name, one in operation.arguments
    }
    types = dict(operation.arguments)
    inside = "".join(result_encoder(types[name], name)(one) for name, one in given_values.items())
    ours = etree.fromstring(f'<{operation.name} xmlns="{NAMES.namespace}">{inside}</{operation.name}>')
    assert schema.validate(ours), schema.error_log

    _, binding = reader
    message = binding.get(operation.name).input
    made = message.serialize(**{name: _for_zeep(types[name], one) for name, one in given_values.items()})
    (element,) = made.content.find("{*}Body")
    read = arguments_decoder(operation.arguments)(element, UTC)

    assert [plain(one) for one in read] == [plain(one) for one in given_values.values()]


def _for_zeep(spyne_type: Any, value: Any) -> Any:
    """Return *value* as zeep takes it."""
    kind = kind_of(spyne_type)
    if value is None:
        return zeep.xsd.Nil if spyne_type.Attributes.nillable else zeep.xsd.SkipValue
    if kind is Kind.RECORD:
        return {name: _for_zeep(one, getattr(value, name)) for name, one in members_of(spyne_type).items()}
    if kind is Kind.ARRAY:
        name, item = item_of(spyne_type)
        name = name if kind_of(item) in (Kind.RECORD, Kind.ENUM) else kind_of(item).value
        return {name: [_for_zeep(item, one) for one in value]}
    return spyne_type.names[value] if kind is Kind.ENUM else value


def same(spyne_type: Any, read: Any, value: Any) -> bool:
    """Whether zeep has *read* the *value* of *spyne_type*; nothing and what is empty are one for it."""
    if _is_nothing(read) or _is_nothing(plain(value)):
        return _is_nothing(read) and _is_nothing(plain(value))
    kind = kind_of(spyne_type)
    if kind is Kind.RECORD:
        return all(same(one, read[name], getattr(value, name)) for name, one in members_of(spyne_type).items())
    if kind is Kind.ARRAY:
        ((_, items),) = [(name, read[name]) for name in read]
        item = item_of(spyne_type)[1]
        return len(items) == len(value) and all(map(same, [item] * len(items), items, value))
    if kind is Kind.ENUM:
        return bool(read == spyne_type.names[value])
    if kind is Kind.MOMENT:
        return bool(read.replace(tzinfo=UTC) == value)
    return bool(read == value)


def _is_nothing(read: Any) -> bool:
    if isinstance(read, list | dict) or hasattr(read, "__values__"):
        parts = read if isinstance(read, list) else [read[name] for name in read]
        return all(_is_nothing(one) for one in parts)
    return read is None or read in ("", b"")


def test_nothing_is_checked_that_is_no_type() -> None:
    assert all(issubclass(one, DataContract) for one in TYPES.values() if kind_of(one) is Kind.RECORD)
