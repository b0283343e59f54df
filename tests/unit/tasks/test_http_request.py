"""HTTP requests: what is sent, what is taken from the answer, and whom the policy keeps them from."""

from __future__ import annotations

import base64
import json
import socket
from typing import Any

import pytest
from pydantic import ValidationError

from dispatcher.core.errors import DispatcherError, InvalidValue
from dispatcher.core.networks import RefusedByPolicy
from dispatcher.tasks.http_request import TYPE
from dispatcher.tasks.work import TaskFailed

OK: tuple[int, dict[str, str], bytes] = (200, {}, b"fine")


def test_answer_is_the_output(workshop: Any, web: Any, capsysbinary: Any) -> None:
    web.answers["/x"] = (201, {}, b"\xc3\xa9\xff")
    assert workshop.do(TYPE, {"url": f"{web.url}/x"}) == "201 Created"
    assert capsysbinary.readouterr().out == b"201 Created\n\xc3\xa9\xff"


def test_values_stay_where_they_belong(workshop: Any, web: Any) -> None:
    value = "a/../b?c=d&e#f %ü"
    path = "/v/a%2F..%2Fb%3Fc%3Dd%26e%23f%20%25%C3%BC?q=a%2F..%2Fb%3Fc%3Dd%26e%23f%20%25%C3%BC"
    web.answers[path] = OK
    settings = {
        "method": "POST",
        "url": "$[Base]/v/$[V]?q=$[V]",
        "headers": {"X-Value": "<$[V]>"},
        "body": '{"n": 1, "v": ["$[V]\\n"], "quote": "$[Q]"}',
        "body_format": "json",
    }
    workshop.do(TYPE, settings, PARAM_Base=web.url, PARAM_V=value, PARAM_Q='","admin":true')

    ((method, target, headers, body),) = web.requests
    assert (method, target) == ("POST", path)
    assert headers["X-Value"].encode("latin-1").decode() == f"<{value}>"
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {"n": 1, "v": [value + "\n"], "quote": '","admin":true'}


def test_plain_body_and_credentials(workshop: Any, web: Any) -> None:
    web.answers["/"] = OK
    settings = {"method": "PUT", "url": web.url + "/", "body": "Ü $[V]", "credentials": "$[Login]"}
    workshop.do(TYPE, settings, PARAM_V="1", PARAM_Login="mé", PARAM_Login_PASSWORD="p:ß")
    ((_, _, headers, body),) = web.requests
    assert body == "Ü 1".encode()
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode() == "mé:p:ß"
    with pytest.raises(InvalidValue, match="no credentials parameter"):
        workshop.do(TYPE, {"url": web.url, "credentials": "$[Plain]"}, PARAM_Plain="x")


def test_values_are_taken_from_the_answer(workshop: Any, web: Any) -> None:
    web.answers["/"] = (200, {}, json.dumps({"items": [{"name": "é", "size": 3}], "a b": None}).encode())
    saved = [
        {"parameter": "Name", "json_path": "items[0].name"},
        {"parameter": "Item", "json_path": "$.items[0]"},
        {"parameter": "Size", "regex": r'"size": (\d+)'},
        {"parameter": "Null", "json_path": "['a b']"},
        {"parameter": "Other", "json_path": "items[1]", "default": "none of $[V]"},
    ]
    workshop.do(TYPE, {"url": web.url + "/", "save": saved}, PARAM_V="these")
    assert workshop.outputs == {
        "Name": "é",
        "Item": '{"name": "é", "size": 3}',
        "Size": "3",
        "Null": "null",
        "Other": "none of these",
    }
    with pytest.raises(TaskFailed, match=r"there is no value at items\[1\]"):
        workshop.do(TYPE, {"url": web.url + "/", "save": [{"parameter": "X", "json_path": "items[1]"}]})


def test_only_expected_statuses_succeed(workshop: Any, web: Any) -> None:
    web.answers["/gone"] = (410, {}, b"")
    with pytest.raises(TaskFailed, match="the answer is 410 Gone"):
        workshop.do(TYPE, {"url": web.url + "/gone"})
    assert workshop.do(TYPE, {"url": web.url + "/gone", "statuses": [404, 410]}) == "410 Gone"


def test_large_answer_fails_the_task(workshop: Any, web: Any) -> None:
    web.answers["/"] = (200, {}, b"x" * 1001)
    with pytest.raises(TaskFailed, match="longer than 1000 bytes"):
        workshop.do(TYPE, {"url": web.url + "/", "max_bytes": 1000})


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "8.8.8.8",
        "[::ffff:8.8.8.8]",
        "[2001:db8::1]",
        "134744072",
        "0x08.8.8.8",
        "0.0.0.0",
        "user@8.8.8.8",
        "127.0.0.1@8.8.8.8",
    ],
)
def test_address_that_is_not_allowed_is_never_called(workshop: Any, monkeypatch: Any, host: str) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_: pytest.fail("connected"))
    with pytest.raises(RefusedByPolicy, match=r"refused by policy: .* is not among allowed_targets"):
        workshop.do(TYPE, {"url": f"http://{host}/"})


def test_redirect_to_an_address_that_is_not_allowed_is_refused(workshop: Any, web: Any) -> None:
    web.answers["/"] = (302, {"Location": "http://169.254.169.254/latest/meta-data"}, b"")
    with pytest.raises(RefusedByPolicy):
        workshop.do(TYPE, {"url": web.url + "/"})
    assert workshop.do(TYPE, {"url": web.url + "/", "redirects": False, "statuses": [302]}) == "302 Found"
    web.answers["/file"] = (302, {"Location": "file:///etc/passwd"}, b"")
    with pytest.raises(TaskFailed, match="no answer"):
        workshop.do(TYPE, {"url": web.url + "/file"})


def test_connection_goes_to_the_address_that_was_checked(workshop: Any, web: Any, monkeypatch: Any) -> None:
    asked = []

    def rebinding(host: str, port: int, *rest: Any, **options: Any) -> list[Any]:
        asked.append(host)
        if host.startswith("127."):
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        address = "127.0.0.1" if asked.count(host) == 1 else "8.8.8.8"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    web.answers["/"] = OK
    assert workshop.do(TYPE, {"url": f"http://rebind.test:{web.port}/"}) == "200 OK"
    assert asked.count("rebind.test") == 1
    assert web.requests[0][2]["Host"] == f"rebind.test:{web.port}"


def test_secrets_do_not_follow_a_redirect_to_another_site(workshop: Any, web: Any) -> None:
    web.answers["/"] = (302, {"Location": f"http://localhost:{web.port}/other"}, b"")
    web.answers["/other"] = OK
    settings = {"url": web.url + "/", "headers": {"X-Api-Key": "$[Key]"}, "credentials": "$[Login]"}
    workshop.do(TYPE, settings, PARAM_Key="k", PARAM_Login="u", PARAM_Login_PASSWORD="p")
    first, second = web.requests
    assert {"X-Api-Key", "Authorization"} <= set(first[2])
    assert not {"X-Api-Key", "Authorization"} & set(second[2])


@pytest.mark.parametrize("status", [307, 308])
def test_body_does_not_follow_a_redirect_to_another_site(workshop: Any, web: Any, status: int) -> None:
    web.answers["/"] = (status, {"Location": f"http://u:p@localhost:{web.port}/other?q=1"}, b"")
    web.answers["/other?q=1"] = OK
    settings = {"method": "POST", "url": web.url + "/", "body": "$[Key]"}
    with pytest.raises(TaskFailed, match=rf"another site \(http://localhost:{web.port}\)"):
        workshop.do(TYPE, settings, PARAM_Key="k")
    assert [path for _, path, _, _ in web.requests] == ["/"]
    # Without one there is nothing to keep: the request is repeated there.
    assert workshop.do(TYPE, {"method": "POST", "url": web.url + "/"}) == "200 OK"


def test_body_follows_a_redirect_within_its_site(workshop: Any, web: Any) -> None:
    web.answers["/"] = (307, {"Location": "/moved"}, b"")
    web.answers["/moved"] = OK
    workshop.do(TYPE, {"method": "POST", "url": web.url + "/", "body": "text"})
    assert [(method, path, body) for method, path, _, body in web.requests] == [
        ("POST", "/", b"text"),
        ("POST", "/moved", b"text"),
    ]


def test_no_message_repeats_the_url(workshop: Any) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(TaskFailed, match=r"no answer: .*refused") as caught:
            workshop.do(TYPE, {"url": f"http://127.0.0.1:{unused.getsockname()[1]}/?t=$[T]"}, PARAM_T="p w")
    assert "p%20w" not in caught.value.message


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "/etc/passwd", "file:///etc/passwd", "$[V]"])
def test_anything_but_http_is_refused(workshop: Any, url: str) -> None:
    with pytest.raises(DispatcherError, match="must begin with http"):
        workshop.do(TYPE, {"url": url}, PARAM_V="gopher://x")


def test_header_of_two_lines_is_refused(workshop: Any, web: Any) -> None:
    with pytest.raises(InvalidValue, match="headers/X: a header is one line"):
        workshop.do(TYPE, {"url": web.url, "headers": {"X": "$[V]"}}, PARAM_V="a\r\nEvil: b")
    assert web.requests == []


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ({"url": ""}, ("url",)),
        ({"url": "http://x", "method": "TRACE"}, ("method",)),
        ({"url": "http://x", "credentials": "me"}, ("credentials",)),
        ({"url": "http://x", "credentials": "@[os]"}, ("credentials",)),
        ({"url": "http://x", "body": "{", "body_format": "json"}, ()),
        ({"url": "http://x", "headers": {"a:b": "c"}}, ("headers", "a:b", "[key]")),
        ({"url": "http://x", "save": [{"parameter": "A", "regex": "("}]}, ("save", 0, "regex")),
        ({"url": "http://x", "save": [{"parameter": "A", "json_path": "a..b"}]}, ("save", 0, "json_path")),
        ({"url": "http://x", "save": [{"parameter": "A", "line": 1, "regex": "a"}]}, ("save", 0)),
        ({"url": "http://x", "statuses": [99]}, ("statuses", 0)),
    ],
)
def test_wrong_settings_are_named(members: dict[str, Any], place: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        TYPE.Settings.model_validate(members)
    assert [error["loc"] for error in caught.value.errors()] == [place]


def test_references_of_all_members() -> None:
    settings = {"url": "$[a]", "headers": {"X": "^[b]"}, "body": "@[c]", "credentials": "$[d]"}
    found = TYPE.references(TYPE.Settings.model_validate(settings))
    assert [str(one) for one in found] == ["$[a]", "^[b]", "@[c]", "$[d]"]
    assert TYPE.summary(TYPE.Settings.model_validate(settings)) == "GET $[a]"


@pytest.mark.parametrize("charset", ["nonsense", "hex", "undefined", "idna", "utf-8%00"])
def test_charset_that_nobody_knows_is_taken_for_utf_8(workshop: Any, web: Any, charset: str) -> None:
    web.answers["/"] = (200, {"Content-Type": f"text/plain; charset={charset}"}, "Zoë\n".encode())
    workshop.do(TYPE, {"url": f"{web.url}/", "save": [{"parameter": "Name"}]})
    assert workshop.outputs == {"Name": "Zoë"}


@pytest.mark.parametrize("host", ["a..b", "a" * 64 + ".example"])
def test_host_that_is_no_name_is_a_failure_and_no_crash(workshop: Any, host: str) -> None:
    with pytest.raises(DispatcherError):
        workshop.do(TYPE, {"url": f"http://{host}/"})
