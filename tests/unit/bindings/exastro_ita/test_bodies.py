"""Bodies: JSON and forms become the same records; what is neither has the vendor's code."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.bindings.exastro_ita.bodies import LARGEST, Bodies, Changes
from dispatcher.core.contents import Content
from dispatcher.core.errors import BadRequest, QuotaExceeded
from dispatcher.services.exastro_ita.messages import ItaError
from dispatcher.wire.http import Request
from dispatcher.wire.quotas import Quotas

BODIES = Bodies(Quotas())
ITEM = {"parameter": {"playbook_name": "echo", "remarks": None}, "type": "Register"}


def a_request(body: bytes | str, kind: str | None = "application/json") -> Request:
    data = body.encode() if isinstance(body, str) else body
    return Request("POST", "/", headers={} if kind is None else {"content-type": kind}, body=data)


def a_form(message: str, **files: bytes) -> Request:
    """Return a form as curl sends it; names of files have a dot where these have two underscores."""
    prepared = requests.Request(
        "POST",
        "http://h/",
        files=[
            ("json_parameters", (None, message)),
            *((name.replace("__", "."), ("f.yml", data)) for name, data in files.items()),
        ],
    ).prepare()
    assert isinstance(prepared.body, bytes)
    return a_request(prepared.body, prepared.headers["Content-Type"])


def refusal(request: Request, *, is_one: bool = False) -> tuple[str, Any]:
    with pytest.raises(ItaError) as error:
        BODIES.change(request) if is_one else BODIES.changes(request)
    return error.value.result, error.value.values[0]


def test_files_end_where_they_end() -> None:
    """Also where the end of the form is read in two pieces: after 64 KiB, between the dashes behind the boundary."""
    for boundary in ("B", "-" * 24 + "0123456789abcdef"):
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="json_parameters"\r\n\r\n{json.dumps([ITEM])}\r\n'
            f'--{boundary}\r\nContent-Disposition: form-data; name="0.playbook_file"; filename="f"\r\n\r\n'
        ).encode()
        end = f"\r\n--{boundary}-".encode()
        content = b"x" * ((1 << 16) - len(head) - len(end))
        form = a_request(head + content + end + b"-\r\n", f"multipart/form-data; boundary={boundary}")
        assert BODIES.changes(form).files == {0: {"playbook_file": content}}


def test_json_and_forms_say_the_same() -> None:
    sent = json.dumps([ITEM, ITEM])
    assert BODIES.changes(a_request(sent)) == Changes([ITEM, ITEM])
    assert BODIES.changes(a_request(sent, "application/json; charset=utf-8")) == Changes([ITEM, ITEM])
    # Seed, list 2.56: curl sends the blank behind the message as well.
    form = a_form(f" {sent} \n", **{"1__playbook_file": b"- hosts: all\n\xff"})
    assert BODIES.changes(form) == Changes([ITEM, ITEM], {1: {"playbook_file": b"- hosts: all\n\xff"}})
    text = requests.models.PreparedRequest()
    text.prepare(method="POST", url="http://h/", data={"json_parameters": sent})
    assert BODIES.changes(a_request(text.body or "", "application/x-www-form-urlencoded")) == Changes([ITEM, ITEM])


def test_the_type_of_a_form_has_no_case() -> None:
    form = a_form(json.dumps([ITEM]))
    kind = form.headers["content-type"].replace("multipart/form-data", "Multipart/Form-Data")
    assert BODIES.changes(replace(form, headers={"content-type": kind})) == Changes([ITEM])


def test_files_of_records_that_are_not_there_are_passed_over() -> None:
    form = a_form(json.dumps([ITEM]), **{"1__a": b"x", "99999999999999999999__a": b"x", "0__b": b"y", "0__c": b""})
    assert BODIES.changes(form) == Changes([ITEM], {0: {"b": b"y", "c": b""}})


@pytest.mark.parametrize("name", ["playbook_file", "x__playbook_file", "-1__a", "\u0661__a", "__a"])
def test_a_file_of_no_record_is_refused(name: str) -> None:
    assert refusal(a_form(json.dumps([ITEM]), **{name: b"x"}))[0] == "400-00003"


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "{}",
        "null",
        "1",
        '"x"',
        "[1]",
        "[[]]",
        "[{}]",
        '[{"parameter": null}]',
        '[{"parameter": {}, "file": 1}]',
        json.dumps([ITEM, {"type": "Register"}]),
    ],
)
def test_what_has_no_parameters_is_refused(body: str) -> None:
    assert refusal(a_request(body)) == ("400-00003", "application/json")
    assert refusal(a_form(body))[0] == "400-00003"


def test_a_form_is_refused_by_its_whole_content_type() -> None:
    form = a_form(json.dumps([ITEM]).replace('"', "'"))
    assert refusal(form) == ("400-00003", form.headers["content-type"].lower())
    # Seed, list 2.53 as the documentation has it for forms: the quotes around the array make it a text.
    assert refusal(a_form(f'"{json.dumps([ITEM])}"'))[0] == "400-00003"
    other = requests.Request("POST", "http://h/", files={"0.a": b"x"}).prepare()
    assert refusal(a_request(other.body or b"", other.headers["Content-Type"]))[0] == "400-00003"


@pytest.mark.parametrize("kind", [None, "text/plain", "multipart/form-data", "application/x-www-form-urlencoded", ""])
def test_other_contents_are_refused(kind: str | None) -> None:
    assert refusal(a_request(json.dumps([ITEM]), kind)) == ("400-00003", kind)


def test_one_record() -> None:
    assert BODIES.change(a_request(json.dumps(ITEM))) == Changes([ITEM])
    assert BODIES.change(a_form(json.dumps(ITEM), playbook_file=b"x")) == Changes([ITEM], {0: {"playbook_file": b"x"}})
    assert refusal(a_request(json.dumps([ITEM])), is_one=True) == ("400-00003", "application/json")
    assert refusal(a_request("x", "text/plain"), is_one=True) == ("400-00001", "Content-Type: text/plain")


@pytest.mark.parametrize("body", ["", "{", "[1,", '{"a": 1, "a": 2}', '[{"parameter": {"a": "\\u0000"}}]'])
def test_what_is_no_json_is_a_bad_request(body: str) -> None:
    for read in (BODIES.changes, BODIES.change, BODIES.order):
        with pytest.raises(BadRequest):
            read(a_request(body))


def test_orders_and_terms_are_objects_or_nothing() -> None:
    assert BODIES.order(a_request('{"a": 1.50}')) == {"a": 1.5}
    assert BODIES.order(a_request("", None)) == BODIES.terms(a_request(" ")) == {}
    assert BODIES.terms(a_request('{"a": {"NORMAL": "x"}}', None)) == {"a": {"NORMAL": "x"}}
    for read in (BODIES.order, BODIES.terms):
        with pytest.raises(BadRequest):
            read(a_request("[]"))


def test_messages_with_records_may_be_larger_than_others() -> None:
    text = "x" * (2 << 20)
    sent = json.dumps([{"parameter": {}, "file": {"a": text}}])
    assert BODIES.changes(a_request(sent)).items[0]["file"] == {"a": text}
    with pytest.raises(QuotaExceeded):
        BODIES.terms(a_request(sent))
    with pytest.raises(QuotaExceeded):
        BODIES.changes(a_request(b"[" + b" " * LARGEST + b"]"))


def test_a_message_in_a_file_is_read_from_there() -> None:
    data = json.dumps([ITEM]).encode()
    waiting = replace(a_request(b""), content=Content(io.BytesIO(data), len(data), sha256(data).digest()))
    assert BODIES.changes(waiting) == BODIES.changes(waiting) == Changes([ITEM])


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["multipart/form-data; boundary=b", "application/json", "x"]))
def test_whatever_comes_is_read_or_refused(body: bytes, kind: str) -> None:
    for data in (
        body,
        b'--b\r\nContent-Disposition: form-data; name="json_parameters"\r\n\r\n' + body + b"\r\n--b--\r\n",
    ):
        for read in (BODIES.changes, BODIES.change):
            try:
                read(a_request(data, kind))
            except (ItaError, BadRequest):
                continue
