"""Loose JSON and OData queries as targets: what they are written in, and what has to hold of whatever is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress

from dispatcher.core.errors import BadRequest
from dispatcher.wire.json_api.envelopes import read_enveloped
from dispatcher.wire.json_api.odata import parse_query
from dispatcher.wire.json_api.odata_filter import MAX_TERMS, Kind
from dispatcher.wire.loose_json import read_loose_json
from dispatcher.wire.quotas import Quotas

TEXT_WORDS = (
    *(
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "'",
        '"',
        "\\",
        "\\'",
        "\\n",
        "\\u0041",
        "\\ud83d\\ude00",
        "\\ud800",
        "//",
        "/*",
        "*/",
    ),
    *(
        "Name",
        "DiscoveryTargets",
        "$",
        "_",
        "null",
        "true",
        "NaN",
        "0x",
        "+1",
        ".5",
        "5.",
        "1e400",
        "\r\n",
        "\ufeff",
        "\u2028",
    ),
    '{"value":"',
)
QUERY_WORDS = (
    *(
        "$filter=",
        "$orderby=",
        "$top=",
        "$skip=",
        "$count=",
        "$select=",
        "%24",
        "%27",
        "+",
        "&",
        "'",
        "''",
        "(",
        ")",
        ",",
    ),
    *(
        " eq ",
        " and ",
        "contains(",
        "null",
        "true",
        "desc",
        "2031-05-01T06:00:00Z",
        *(kind.name.title() for kind in Kind),
    ),
)
_QUOTAS = Quotas()
_PLACED = re.compile(r"line [1-9][0-9]*, column [1-9][0-9]*: .{1,150}")
#: What strict JSON may have that is refused: NUL, halves of surrogate pairs, numbers without end, depth.
_REFUSED = re.compile(
    "\0|[\ud800-\udfff]|\\\\u(?:0000|[dD][89a-fA-F])|[eE][+]?[0-9]{2}|[0-9]{309}|[\\[{]\\s*[\\[{]|:\\s*[\\[{]"
)
_FIELDS = {kind.name.title(): kind for kind in Kind}


def texts(data: bytes) -> None:
    """Loose JSON: what is read can be said strictly, and what is refused is told with its place."""
    text = data.decode("utf-8", "surrogatepass") if _is_utf_8(data) else data.decode("latin-1")
    told = ""
    try:
        value = read_loose_json(text, _QUOTAS)
    except BadRequest as error:
        told = error.message
    if told:
        assert _PLACED.fullmatch(told)
    else:
        assert read_loose_json(json.dumps(value), _QUOTAS) == value
    with suppress(ValueError, RecursionError):
        strict = json.loads(text, strict=False, parse_constant=_no_constant)
        assert _REFUSED.search(text) if told else value == strict
    for body in (data, json.dumps({"value": text}).encode()):
        with suppress(BadRequest):
            assert isinstance(read_enveloped(_QUOTAS, body, None, latin_1=True), dict)


def queries(data: bytes) -> None:
    """OData queries: what is read names fields that there are, and lists can be asked by it."""
    told, text = "", data.decode("utf-8", "replace")
    try:
        query = parse_query(text, _FIELDS)
    except BadRequest as error:
        told = error.message
    if told:
        assert len(told) < 400
        return
    assert len(query.terms) <= MAX_TERMS
    assert {*query.select, *(term.field for term in query.terms)} <= {*_FIELDS}
    entities = [dict.fromkeys(_FIELDS), dict.fromkeys(_FIELDS)]
    page, total = query.apply(entities, lambda entity, field: entity[field])
    assert len(page) <= total <= len(entities)


def text_seeds() -> Iterable[bytes]:
    """Return the samples of the vendor's page and what else there is."""
    samples = [
        '{\nName: "Test",\nJobType: 1,\nStartTime: "2022-03-03T11:30:00.000Z",\nDiscoveryTargets:{\n'
        'RangeIpTargets:[{StartIp: "192.168.19.100", EndIP: "192.168.19.200"}]\n},\n}',
        "{\nCustomPatchListId : 1,\nGroupIds: [1009],\nNotify: {\nAllowCancel: false,\nDeployWithin: 60,\n}\n"
        'Reboot: {\nMessage: "Reboot options",\nRebootWithin: 60,\n}\n}',
        "// a\n{'a b': [+1, .5, 5., -0, 1.5e3, 12345678901234567890], \"c\\u00e9\": 'it\\'s', d: {} e: null, /* f */}",
        '{"value" : "{\nName: \\"Test\\",\n}"}',
    ]
    return [text.encode() for text in samples]


def query_seeds() -> Iterable[bytes]:
    """Return queries with every word, and every kind of literal."""
    return [
        b"$filter=contains(Text,'it''s')%20and+Number%20eq%20-1.5&$top=10&$skip=2&$count=true&$orderby=Moment%20desc",
        b"%24filter=Flag eq true and Guid eq 9e317d51-07ac-4c17-8a1f-3111d385bc7e and Other eq null&$select=Text,Guid",
        b"$filter=Moment eq 2031-05-01T06:00:00.000Z&$orderby=text&_=1",
    ]


def _is_utf_8(data: bytes) -> bool:
    with suppress(UnicodeDecodeError):
        data.decode("utf-8", "surrogatepass")
        return True
    return False


def _no_constant(name: str) -> None:
    raise ValueError(name)
