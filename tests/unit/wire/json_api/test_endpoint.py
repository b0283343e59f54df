"""A JSON dialect answers by its operations, and tells everything that goes wrong in its own words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from letters_api import ERRORS, Letters, letters_api

from dispatcher.core.errors import Conflict, JobNotFound
from dispatcher.core.permissions import SYSTEM
from dispatcher.wire.http import Request, Response
from dispatcher.wire.json_api.endpoint import JsonApi
from dispatcher.wire.json_api.failures import Failure, Reply
from dispatcher.wire.json_api.forms import FormStyle
from dispatcher.wire.json_api.models import Model
from dispatcher.wire.json_api.operations import operation
from dispatcher.wire.quotas import Quotas

LETTERS = "/letters/v1/of/me/letters"
CAUTION = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@pytest.fixture
def logged() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def api(logged: list[dict[str, Any]]) -> JsonApi:
    return letters_api(logged)


def ask(api: JsonApi, method: str, path: str, body: bytes = b"", query: str = "", **headers: str) -> Response:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return api(Request(method, path, query, given, body, caller=SYSTEM, address="10.0.0.1"))


def told(response: Response) -> Any:
    assert response.content_type == "application/json; charset=utf-8"
    return json.loads(response.body)


def test_answers_have_their_members_in_order_and_their_types(api: JsonApi) -> None:
    body = b'{"pages": "3", "about-what": "\xc3\xa4", "weight": 12.50, "to": "Ann", "isUrgent": "TRUE", "x": 1}'
    answer = ask(api, "POST", LETTERS, body, content_type="application/json")
    assert answer.status == 200
    assert answer.body.decode() == (
        '{"to":"Ann","isUrgent":true,"pages":3,"weight":"12.50","stamps":[],"about-what":"ä"}'
    )


def test_members_without_a_value_are_null_or_left_out() -> None:
    body = b'{"to": "Ann"}'
    assert ask(letters_api(), "POST", LETTERS, body).body.endswith(b'"weight":null,"stamps":[],"about-what":null}')
    assert ask(letters_api(omit_none=True), "POST", LETTERS, body).body.endswith(b'"pages":1,"stamps":[]}')


def test_arguments_come_from_path_and_query_the_last_word_wins(api: JsonApi) -> None:
    answer = ask(api, "GET", f"{LETTERS}/Search/", query="pageNo=1&pageNo=2&text=a+%C3%A4&zz=1")
    assert told(answer) == {"owner": "me", "pageNo": 2, "text": "a ä"}


def test_names_in_the_query_match_in_any_case_where_the_dialect_says_so(api: JsonApi) -> None:
    query = "PAGENO=7&Text=a"
    assert told(ask(api, "GET", f"{LETTERS}/Search", query=query)) == {"owner": "me", "pageNo": 1, "text": None}
    lenient = letters_api(any_case=True)
    assert told(ask(lenient, "GET", f"{LETTERS}/SEARCH", query=query)) == {"owner": "me", "pageNo": 7, "text": "a"}


def test_latin_1_is_read_where_the_dialect_says_so(api: JsonApi) -> None:
    body = b'{"to": "\xe4"}'
    assert ask(api, "POST", LETTERS, body).status == 400
    assert told(ask(letters_api(latin_1=True), "POST", LETTERS, body))["to"] == "ä"


class Whole(Model):
    text: str = ""

    @classmethod
    def words_of(cls, query: str) -> dict[str, str]:
        return {"TEXT": query}


class Repeating:
    @operation("GET /letters/v1/words", summary="Say the words")
    def say(self, request: Request, query: Whole) -> list[str]:
        return [query.text]


@pytest.mark.parametrize(("any_case", "said"), [(True, "(a=b)&c"), (False, "")])
def test_a_model_may_read_the_words_of_a_query_in_its_own_way(any_case: bool, said: str) -> None:
    api = letters_api(handlers=[Repeating()], any_case=any_case)
    assert told(ask(api, "GET", "/letters/v1/words", query="(a=b)&c")) == [said]


def test_an_operation_knows_who_asks_and_by_which_name(api: JsonApi) -> None:
    answer = ask(api, "GET", f"{LETTERS}/17", idempotency_key=" k1 ")
    assert told(answer) == ["me", "17", "system", "k1", "10.0.0.1"]


def test_equal_keys_ask_for_the_same_only_with_equal_messages(api: JsonApi) -> None:
    asked = set()
    for method, path, query, body in (
        ("POST", LETTERS, "", b'{"to":"a"}'),
        ("POST", LETTERS, "", b'{"to":"b"}'),
        ("POST", LETTERS, "x=1", b'{"to":"a"}'),
        ("POST", f"{LETTERS}/1/send", "", b'{"to":"a"}'),
        ("GET", f"{LETTERS}/1/send", "", b'{"to":"a"}'),
    ):
        request = Request(method, path, query, {"idempotency-key": "k"}, body)
        api(request)
        asked.add(request.asked)
    assert len(asked) == 5


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 200)])
def test_a_body_that_may_be_missing(api: JsonApi, method: str, status: int) -> None:
    for body in (b"", b" \r\n"):
        answer = ask(api, method, f"{LETTERS}/1/send", body)
        assert (answer.status, answer.body, answer.content_type) == (status, b"", "")
    assert told(ask(api, method, f"{LETTERS}/1/send", b'{"to":"Ann"}'))["to"] == "Ann"


def test_a_body_that_nobody_reads_is_ignored() -> None:
    letters = Letters()
    answer = ask(letters_api(handlers=[letters]), "DELETE", f"{LETTERS}/1", b"\r")
    assert (answer.status, answer.body, answer.content_type) == (204, b"", "")
    assert letters.burnt == ["1"]


def test_forms_in_the_style_of_the_dialect() -> None:
    body = b"grant_type=password&password=a+b%20c"
    answer = ask(letters_api(), "POST", "/letters/v1/keys", body)
    assert (answer.status, told(answer)["password"]) == (201, "a b c")
    raw = letters_api(form_style=FormStyle.RAW)
    assert told(ask(raw, "POST", "/letters/v1/keys", body, content_type="application/json"))["password"] == "a+b%20c"


BOM = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"to":"Jürgen"}'.encode(), ""),
        (BOM + '{"to":"Jürgen"}'.encode(), "application/json; charset=utf-8"),
        ('{"to":"Jürgen"}'.encode("utf-16"), "application/json; charset=utf-16"),
    ],
)
def test_encodings(api: JsonApi, body: bytes, content_type: str) -> None:
    assert told(ask(api, "POST", LETTERS, body, content_type=content_type))["to"] == "Jürgen"


@pytest.mark.parametrize(
    ("body", "members", "message"),
    [
        (b'{"to": 1}', ["to"], "to: must be a text"),
        (b'{"isUrgent": "yes"}', ["to", "isUrgent"], "isUrgent: must be true or false"),
        (b'{"to": "a", "pages": 2.0}', ["pages"], "pages: must be a whole number"),
        (b'{"to": "a", "pages": true}', ["pages"], "pages: must be a whole number"),
        (b'{"to": "a", "stamps": [{"price": 1}, {"price": "x"}]}', ["stamps[1].price"], "must be a whole number"),
        (b'{"to": "a", "stamps": {}}', ["stamps"], "stamps: must be an array"),
        (b'{"to": "a", "stamps": [1]}', ["stamps[0]"], "must be an object"),
        (b"[]", ["message"], "message: must be an object"),
        (b"null", ["message"], "must be an object"),
        (b"{}", ["to"], "to: is missing"),
        (b"", [], "the message is empty"),
        (b"{", [], "the JSON cannot be read"),
        (b'{"to": "a", "pages": ' + b"9" * 4_000 + b"}", [], "the JSON cannot be read"),
        (b"NaN", [], "the JSON cannot be read"),
        (b'{"to": "a", "pages": 1e999}', [], "the JSON cannot be read"),
        (b'{"to": "\\ud800"}', [], "the JSON cannot be read"),
        (b'{"to": "a", "to": "b"}', [], "the member 'to' twice"),
        (b'{"to": "a", "x": {"y": 1, "y": 1}}', [], "the member 'y' twice"),
        (b'{"to": "a\\u0000"}', [], "NUL"),
        (b'{"to": "a", "x": [{"\\u0000": 1}]}', [], "NUL"),
        (b'{"to":' * 40 + b"1" + b"}" * 40, [], "depth"),
        (b'{"to": "a", "pages": ' + b"9" * 5_000 + b"}", [], "digits"),
        (b'{"to": "a", "pages": ' + b"9" * 300 + b"}", ["pages"], "64 bits"),
    ],
)
def test_what_is_wrong_with_a_message_is_told_by_member(
    api: JsonApi, body: bytes, members: list[str], message: str
) -> None:
    answer = ask(api, "POST", LETTERS, body)
    assert answer.status == 400
    assert told(answer)["Members"] == members
    assert message in told(answer)["Message"]


def test_secrets_that_do_not_fit_are_not_told(api: JsonApi) -> None:
    answer = ask(api, "POST", "/letters/v1/keys", b'{"grant_type": ["s3cret"], "password": {"s3cret": "s3cret"}}')
    assert answer.status == 400
    assert b"s3cret" not in answer.body


def test_only_so_many_problems_are_told(api: JsonApi) -> None:
    stamps = b",".join([b'{"price": "x"}'] * 10_000)
    assert len(told(ask(api, "POST", LETTERS, b'{"to": "a", "stamps": [' + stamps + b"]}"))["Members"]) == 20


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("value", 400),
        ("stranger", 401),
        ("forbidden", 403),
        ("missing", 404),
        ("conflict", 409),
        ("hostile", 409),
        ("busy", 503),
        ("defect", 500),
    ],
)
def test_errors_have_their_status(api: JsonApi, logged: list[dict[str, Any]], kind: str, status: int) -> None:
    answer = ask(api, "GET", f"/letters/v1/fail/{kind}")
    assert (answer.status, bool(logged)) == (status, kind == "defect")
    assert "secret detail" not in told(answer)["Message"]
    assert [value for name, value in answer.headers if name == "Retry-After"] == (["5"] if kind == "busy" else [])
    assert ("WWW-Authenticate" in dict(answer.headers)) == (kind == "stranger")
    assert set(ERRORS) >= {kind}


def test_a_dialect_may_have_other_statuses() -> None:
    api = letters_api(statuses={JobNotFound: 400, Conflict: 418})
    assert ask(api, "GET", "/letters/v1/fail/missing").status == 400
    assert ask(api, "GET", "/letters/v1/fail/conflict").status == 418


def test_an_answer_of_its_own_is_passed_on(api: JsonApi) -> None:
    answer = ask(api, "GET", "/letters/v1/fail/none")
    assert (answer.status, answer.body, answer.content_type) == (418, b"short and stout", "text/plain")


def test_no_such_path_and_wrong_method(api: JsonApi) -> None:
    answer = ask(api, "GET", "/letters/v1/nothing\ud800")
    assert (answer.status, told(answer)["Message"]) == (404, "no path /letters/v1/nothing?")
    answer = ask(api, "PUT", LETTERS)
    assert answer.status == 405
    assert ("Allow", "POST") in answer.headers
    assert "Message" in told(answer)


def test_what_the_web_layer_refuses_is_told_alike(api: JsonApi) -> None:
    assert told(api.refused(Request("POST", LETTERS), 413, "too large")) == {"Message": "too large", "Members": []}
    answer = api.refused(Request("POST", LETTERS), 503, "too much")
    assert ("Retry-After", "5") in answer.headers
    answer = api.unauthenticated(Request("POST", LETTERS))
    assert (answer.status, dict(answer.headers)) == (401, {"WWW-Authenticate": "Bearer", **CAUTION})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/letters/v1/keys", 201),
        ("GET", f"{LETTERS}/1/send", 200),
        ("DELETE", f"{LETTERS}/1", 204),
        ("GET", "/letters/v1/fail/none", 418),
        ("GET", "/letters/v1/fail/defect", 500),
        ("GET", "/letters/v1/nothing", 404),
        ("PUT", LETTERS, 405),
    ],
)
def test_no_answer_is_kept_on_the_way_or_taken_for_a_page(api: JsonApi, method: str, path: str, status: int) -> None:
    answer = ask(api, method, path, b"grant_type=a" if status == 201 else b"")
    assert answer.status == status
    assert CAUTION.items() <= dict(answer.headers).items()


def test_asking_for_the_head_does_nothing() -> None:
    class Bell:
        rung = 0

        @operation("GET /letters/v1/bell", "POST /letters/v1/bell", summary="Ring", empty=200)
        def ring(self, request: Request) -> None:
            self.rung += 1

    bell = Bell()
    api = letters_api(handlers=[bell])
    answer = ask(api, "HEAD", "/letters/v1/bell")
    assert (answer.status, bell.rung) == (405, 0)
    assert ("Allow", "GET, POST") in answer.headers
    assert (ask(api, "GET", "/letters/v1/bell").status, bell.rung) == (200, 1)


def test_names_that_differ_in_case_only_are_one_name_twice() -> None:
    api = letters_api(any_case=True)
    answer = ask(api, "GET", f"{LETTERS}/Search", query="pageNo=1&PAGENO=2")
    assert (answer.status, told(answer)["Message"]) == (400, "pageNo is there twice")
    assert told(ask(api, "GET", f"{LETTERS}/Search", query="pageNo=1&pageNo=2&ZZ=1"))["pageNo"] == 2


def test_failures_know_the_path_as_it_is_routed() -> None:
    found: list[str] = []

    def to_error(failure: Failure) -> Reply:
        found.append(failure.path)
        return Reply(failure.status)

    ask(letters_api(to_error=to_error), "POST", "//letters/v1///keys/", b"{")
    assert found == ["/letters/v1/keys"]


def test_only_public_operations_need_no_credentials(api: JsonApi) -> None:
    assert api.is_public(Request("POST", "/letters/v1/keys/"))
    for method, path in (("GET", LETTERS), ("POST", LETTERS), ("GET", "/letters/v1/nothing")):
        assert not api.is_public(Request(method, path))


def test_where_all_is_public_a_wrong_method_is_told_as_what_it_is(api: JsonApi) -> None:
    request = Request("GET", "/letters/v1/keys")
    assert api.is_public(request)
    assert (api(request).status, ("Allow", "POST") in api(request).headers) == (405, True)


def test_submits_are_known_by_their_head(api: JsonApi) -> None:
    assert api.is_submit(Request("POST", LETTERS))
    assert not api.is_submit(Request("GET", f"{LETTERS}/1"))


def test_messages_within_the_quotas() -> None:
    api = letters_api(quotas=Quotas(message_bytes=100, string_chars=10))
    assert "larger than" in told(ask(api, "POST", LETTERS, b'{"to":"' + b"a" * 100 + b'"}'))["Message"]
    assert "characters of one string" in told(ask(api, "POST", LETTERS, b'{"to":"' + b"a" * 11 + b'"}'))["Message"]
    assert "larger than" in told(ask(api, "POST", "/letters/v1/keys", b"a=" + b"a" * 100))["Message"]
    assert "longer than 10 characters" in told(ask(api, "POST", "/letters/v1/keys", b"a=" + b"a" * 11))["Message"]
