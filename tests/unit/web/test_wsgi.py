"""WSGI: the same answers as over ASGI."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from werkzeug.test import Client

from dispatcher.bindings.ivanti_automation.binding import build
from dispatcher.services.hall import Hall
from dispatcher.web.app import Limits, WebApp
from dispatcher.web.health import Health
from dispatcher.web.wsgi import wsgi_application

BASE = "/Dispatcher/SchedulingService"


@pytest.fixture
def client(hall: Hall) -> Iterator[Client]:
    binding = build(hall, log=lambda event, **details: None)
    web = WebApp(
        [binding], hall.security, hall.access_tokens, Health(hall), lambda: UUID(int=7), Limits(max_body_bytes=1000)
    )
    yield Client(wsgi_application(web))
    web.close()


def test_an_operation_is_answered(client: Client) -> None:
    answer = client.get(f"{BASE}/what/modules", headers={"Accept": "application/json"})
    assert (answer.status, answer.json) == ("200 OK", [])
    assert answer.content_type == "application/json; charset=utf-8"


def test_a_query_and_an_encoded_path_arrive(client: Client) -> None:
    answer = client.get(f"{BASE}/jobs/%7B00000000-0000-0000-0000-000000000001%7D", query_string="x=%C3%A4")
    assert answer.status_code == 404
    assert "no job 00000000-0000-0000-0000-000000000001" in answer.text


def test_a_body_arrives_and_what_is_wrong_with_it_is_told(client: Client) -> None:
    answer = client.post(f"{BASE}/jobs", data=b'{"What": []}', content_type="application/json")
    assert answer.status_code == 400
    assert "What" in answer.text


def test_a_body_over_the_quota_is_refused_in_the_dialects_shape(client: Client) -> None:
    answer = client.post(f"{BASE}/jobs", data=b"x" * 1001, content_type="application/json")
    assert answer.status_code == 413
    assert "Request Error" in answer.text


def test_a_length_that_is_no_number_is_a_bad_request(client: Client) -> None:
    answer = client.post(f"{BASE}/jobs", data=b"x", headers={"Content-Length": "\u00b2"})
    assert answer.status_code == 400


def test_pages_of_other_sites_may_change_nothing(client: Client) -> None:
    for path in ("/jobs", "/soap"):
        answer = client.post(BASE + path, data=b"{}", headers={"Origin": "http://evil.example"})
        assert answer.status_code == 403
        assert "page of another site" in answer.text


def test_head_has_no_body(client: Client) -> None:
    answer = client.head(f"{BASE}/who")
    assert (answer.status_code, answer.data) == (200, b"")
    assert int(answer.headers["Content-Length"]) > 0
