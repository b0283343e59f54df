"""Exastro's seeds: records of a sheet, forms, conditions and orders as they are sent."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

WORDS = (
    *('"parameter":', '"file":', '"type":', '"Register"', '"Discard"', '"json_parameters"', "--B", "0.file"),
    *('"NORMAL":', '"LIST":', '"RANGE":', '"START":', '"END":', '"host_name":', '"moment":', '"whole":', '"number":'),
    *("2031/06/01 02:00", "0001/01/01", "9999/12/31", "-0", "1e400", "null", "\\ud800", "\\u0000", "\r\n", "=="),
    *("multipart/", "[", "{"),
)
#: A record of a sheet as it is sent, one in a form, and what is asked of ``apply``.
RECORD: dict[str, object] = {
    "type": "Register",
    "parameter": {"host_name": "h1", "column_1": "ok", "whole": 5, "moment": "2031/06/01 02:00", "file": "a.txt"},
    "file": {"file": "c2FtcGxl"},
}
FORM = (
    b'--B\r\nContent-Disposition: form-data; name="json_parameters"\r\n\r\n[{"parameter": {"column_1": "ok"}}] \r\n'
    b'--B\r\nContent-Disposition: form-data; name="0.file"; filename="a.txt"\r\n\r\nsample\r\n--B--\r\n'
)
ORDER = {"conductor_class_name": "nightly", "operation_name": "op-77", "schedule_date": "2031/06/01 02:00"}
APPLY = {**ORDER, "parameter_info": [{"sheet_a": [RECORD]}]}


def requests(base: str, key: str) -> Iterator[tuple[str, str, str, object]]:
    """Give requests below *base*: verb, path, query and message."""
    yield from (
        ("GET", f"{base}/menu/sheet_a/filter", "file=no", None),
        ("POST", f"{base}/menu/sheet_a/filter", "", {"host_name": {"LIST": ["h1"]}, "column_1": {"NORMAL": "a"}}),
        ("GET", f"{base}/menu/sheet_a/filter/journal/{key}", "", None),
        ("POST", f"{base}/menu/sheet_a/maintenance/all/", "", [RECORD]),
        ("PATCH", f"{base}/menu/sheet_a/maintenance/{key}", "", RECORD),
        ("POST", f"{base}/apply", "", APPLY),
        ("POST", f"{base}/menu/conductor_class_edit/conductor/execute/", "", ORDER),
        ("PATCH", f"{base}/menu/conductor_confirmation/conductor/{key}/node/node-1/relese/", "", None),
    )


def records() -> Iterable[bytes]:
    """Give a content type and a message with records; the menus are chosen by its length."""
    key = {"uuid": "2a221e47-f38a-4a6b-af20-43d650e6d56b", "last_update_date_time": "2031/06/01 02:00:00.000000"}
    device = {"host_name": "h1", "ip_address": "10.0.0.1", "port_no": "22", "connection_type": "machine"}
    option = {"inventory_file_additional_option": "a: {b: [1, 2]}", "authentication_method": "パスワード認証"}
    for records in (
        [RECORD],
        [{**RECORD, "parameter": {"number": 1.5, "day": "2031/06/01", "secret": "x", "one_of": "y"}}],
        [{"type": kind, "parameter": {**key, "discard": "1"}} for kind in ("Update", "Discard", "Restore", "Delete")],
        [{"parameter": {**device, **option, "remarks": "a\r\nb"}}],
    ):
        yield b"application/json\n" + json.dumps(records, ensure_ascii=False).encode()
    yield b"multipart/form-data; boundary=B\n" + FORM


def filters() -> Iterable[bytes]:
    for terms in (
        {"host_name": {"LIST": ["h1", None]}, "column_1": {"NORMAL": "o"}},
        {"whole": {"RANGE": {"START": 1, "END": "5"}}, "number": {"RANGE": {"END": 1.5}, "LIST": [1, "2.5"]}},
        {"moment": {"RANGE": {"START": "2031/06/01 02:00", "END": "2031/06/01"}}, "day": {"NORMAL": "2031/06"}},
        {"last_update_date_time": {"RANGE": {"START": "2031/06/01 02:00:00.000001"}}, "discard": {"LIST": ["0"]}},
    ):
        yield json.dumps(terms).encode()


def orders() -> Iterable[bytes]:
    without = {**APPLY, "operation_name": None, "schedule_date": "2031/06/01 02:00:00", "parameter_info": None}
    for order in (APPLY, without, {"conductor_class_id": "a", "operation_id": "b", "schedule_date": ""}):
        yield json.dumps(order).encode()
