"""What the compiled encoders write is, byte by byte, what plain ones write that look at the types each time."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire_values import JSON_CHARACTERS, MODELS, MOMENTS, XML_CHARACTERS, values

from dispatcher.wire.json_codec import encode_json
from dispatcher.wire.types import ARRAYS_NAMESPACE, Kind, item_of, kind_of, members_of
from dispatcher.wire.xml_codec import encode_xml

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def plain_xml(tag: str, spyne_type: Any, value: Any, attributes: str = "") -> str:
    kind = kind_of(spyne_type)
    if kind is Kind.ARRAY and kind_of(item_of(spyne_type)[1]) not in (Kind.RECORD, Kind.ENUM) and value is not None:
        attributes += f' xmlns:b="{ARRAYS_NAMESPACE}"'
    if value is None:
        is_nillable = kind in (Kind.RECORD, Kind.ARRAY) or spyne_type.Attributes.nillable
        return f'<{tag}{attributes} i:nil="true"/>' if is_nillable else ""
    return f"<{tag}{attributes}>{plain_content(spyne_type, value)}</{tag}>"


def plain_content(spyne_type: Any, value: Any) -> str:
    kind = kind_of(spyne_type)
    if kind is Kind.RECORD:
        return "".join(plain_xml(name, one, getattr(value, name)) for name, one in members_of(spyne_type).items())
    if kind is Kind.ARRAY:
        name, item = item_of(spyne_type)
        is_simple = kind_of(item) not in (Kind.RECORD, Kind.ENUM)
        return "".join(plain_xml(f"b:{kind_of(item).value}" if is_simple else name, item, one) for one in value)
    if kind is Kind.MOMENT:
        text = value.replace(tzinfo=None).isoformat()
        return text.rstrip("0") if value.microsecond else text
    if kind is Kind.BYTES:
        return base64.b64encode(value).decode()
    if kind is Kind.ENUM:
        return str(spyne_type.names[value])
    return str(value).lower() if kind is Kind.FLAG else escape(str(value), {"\r": "&#xD;"})


def plain_json(spyne_type: Any, value: Any) -> Any:
    kind = kind_of(spyne_type)
    if value is None:
        return None
    if kind is Kind.RECORD:
        return {name: plain_json(one, getattr(value, name)) for name, one in members_of(spyne_type).items()}
    if kind is Kind.ARRAY:
        return [plain_json(item_of(spyne_type)[1], one) for one in value]
    if kind is Kind.MOMENT:
        since = value - EPOCH
        return f"/Date({since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000}+0000)/"
    return list(value) if kind is Kind.BYTES else value


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.get_type_name())
@given(data=st.data())
@quick
def test_xml(model: Any, data: st.DataObject) -> None:
    record = data.draw(values(model, XML_CHARACTERS, MOMENTS))
    attributes = f' xmlns="{model.get_namespace()}" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"'

    assert encode_xml(model, record).decode() == plain_xml(model.get_type_name(), model, record, attributes)


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.get_type_name())
@given(data=st.data())
@quick
def test_json(model: Any, data: st.DataObject) -> None:
    record = data.draw(values(model, JSON_CHARACTERS, MOMENTS))
    expected = json.dumps(plain_json(model, record), ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")

    assert encode_json(model, record).decode() == expected
