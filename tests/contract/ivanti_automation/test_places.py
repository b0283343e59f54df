"""Where the services answer is set in the datastore, for all dispatchers or for one (contract section 11)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from cheap_passwords import cheap_passwords

from dispatcher.bootstrap import build_house
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.hall import Hall
from dispatcher.services.logins import Logins
from dispatcher.services.secrets import Secrets
from dispatcher.web.app import Limits, WebApp
from dispatcher.wire.quotas import Quotas

SCHEDULING, RESOURCE = "/Dispatcher/SchedulingService", "/Dispatcher/ResourceService"
ENVELOPE = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    b'<GetWho xmlns="http://tempuri.org/"/></s:Body></s:Envelope>'
)


@pytest.fixture
def dispatchers(datastore: Datastore, secrets: Secrets) -> Iterator[dict[str, WebApp]]:
    """Two dispatchers over one datastore."""
    lease = timedelta(seconds=30)
    houses = {
        name: build_house(datastore, secrets, name=name, lease=lease, limits=Limits(any_host=True), quotas=Quotas())
        for name in ("east", "west")
    }
    yield {name: house.web for name, house in houses.items()}
    for house in houses.values():
        house.web.close()


def ask(
    web: Callable[..., Any],
    path: str,
    *,
    method: str = "GET",
    port: int = 8080,
    body: bytes = b"",
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> tuple[int, bytes]:
    """Send one request; return status and body of the answer."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    bare, _, query = path.partition("?")
    usual = [(b"host", b"jobs.example:%d" % port), (b"content-length", b"%d" % len(body))]
    scope = {
        "type": "http",
        "method": method,
        "path": bare,
        "raw_path": bare.encode(),
        "query_string": query.encode(),
        "headers": [*usual, (b"content-type", b"text/xml"), *headers],
        "scheme": "https",
        "client": ("10.0.0.1", 1),
        "server": ("10.0.0.2", port),
    }
    asyncio.run(web(scope, receive, send))
    return sent[0]["status"], sent[1]["body"]


#: A request of every kind, by service.
KINDS = {
    SCHEDULING: [("GET", "/help"), ("HEAD", "/help"), ("GET", "?wsdl"), ("GET", "?xsd=xsd0"), ("GET", "/who")],
    RESOURCE: [("GET", "/help"), ("HEAD", "/help"), ("POST", "/UploadResource"), ("GET", "/nothing")],
}


@pytest.mark.parametrize(("service", "method", "path"), [(one, *kind) for one in KINDS for kind in KINDS[one]])
def test_a_dispatcher_that_is_switched_off_answers_404_to_everything(
    dispatchers: dict[str, WebApp], hall: Hall, service: str, method: str, path: str
) -> None:
    def statuses() -> list[bool]:
        answers = [ask(web, service + path, method=method) for web in dispatchers.values()]
        return [answer == (404, b"") for answer in answers]

    assert statuses() == [False, False]
    hall.settings.set("webapi.state", "DISABLED", SYSTEM, "east")
    assert statuses() == [True, False]
    hall.settings.set("webapi.state", "DISABLED", SYSTEM)
    hall.settings.set("webapi.state", "ENABLED", SYSTEM, "east")
    assert statuses() == [False, True]
    hall.settings.set("webapi.state", "GLOBAL", SYSTEM, "east")
    assert statuses() == [True, True]


@pytest.mark.parametrize("doubled", ["/", "//"])
@pytest.mark.parametrize(("service", "method", "path"), [(one, *kind) for one in KINDS for kind in KINDS[one]])
def test_slashes_before_and_in_the_base_path_may_be_doubled(
    dispatchers: dict[str, WebApp], service: str, method: str, path: str, doubled: str
) -> None:
    east = dispatchers["east"]
    answer = ask(east, service + path, method=method)
    assert answer != (404, b"")
    assert ask(east, doubled + service + path, method=method) == answer
    assert ask(east, service.replace("/", doubled + "/") + path, method=method) == answer


@pytest.mark.parametrize("path", ["", "/soap", "/"])
def test_slashes_may_be_doubled_for_soap_too(dispatchers: dict[str, WebApp], path: str) -> None:
    status, answer = ask(dispatchers["east"], f"/{SCHEDULING}{path}", method="POST", body=ENVELOPE)
    assert (status, b"GetWhoResponse" in answer) == (200, True)


def test_an_envelope_behind_a_long_comment_is_answered_at_the_address_itself(dispatchers: dict[str, WebApp]) -> None:
    comment = b'<?xml version="1.0" encoding="utf-8"?>\n<!-- ' + b"x" * 5000 + b" -->\n"
    status, answer = ask(dispatchers["east"], SCHEDULING, method="POST", body=comment + ENVELOPE)
    assert (status, b"GetWhoResponse" in answer) == (200, True)


def test_doubled_slashes_lead_around_neither_a_port_nor_a_login(
    dispatchers: dict[str, WebApp], hall: Hall, datastore: Datastore, ports: Any
) -> None:
    east = dispatchers["east"]
    hall.settings.set("webapi.scheduling_port", "8443", SYSTEM, "east")
    assert ask(east, f"/{SCHEDULING}/who") == (404, b"")
    assert ask(east, f"/{SCHEDULING}/who", port=8443)[0] == 200
    assert ask(east.only("symantec_ccs"), f"/{SCHEDULING}/who", port=8443)[0] == 404
    Logins(datastore, ports, cheap_passwords()).add("ada", "s3cret", caller=SYSTEM)
    assert ask(east, f"/{SCHEDULING}/who", port=8443)[0] == 401
    assert ask(east, f"/{SCHEDULING}/soap", method="POST", port=8443, body=ENVELOPE)[0] == 401
    assert ask(east, f"/{RESOURCE}/UploadResource", method="POST")[0] == 401
    assert ask(east, f"/{SCHEDULING}?wsdl", port=8443)[0] == 200


def test_a_value_that_is_missing_in_a_path_is_not_taken_for_a_doubled_slash(dispatchers: dict[str, WebApp]) -> None:
    east = dispatchers["east"]
    found = ask(east, f"/{SCHEDULING}/jobs//results")
    assert found == ask(east, f"{SCHEDULING}/jobs//results")
    assert found != ask(east, f"{SCHEDULING}/jobs/results")


def test_soap_is_switched_off_too(dispatchers: dict[str, WebApp], hall: Hall) -> None:
    east = dispatchers["east"]
    assert ask(east, f"{SCHEDULING}/soap", method="POST", body=ENVELOPE)[1].startswith(b"<")
    hall.settings.set("webapi.state", "DISABLED", SYSTEM, "east")
    assert ask(east, f"{SCHEDULING}/soap", method="POST", body=ENVELOPE) == (404, b"")


def test_the_first_page_names_only_what_is_switched_on(dispatchers: dict[str, WebApp], hall: Hall) -> None:
    east, west = dispatchers.values()
    hall.settings.set("webapi.state", "DISABLED", SYSTEM, "east")
    status, page = ask(east.only("ivanti_automation"), "/")
    assert (status, b"/help" in page, b"switched off" in page) == (200, False, True)
    assert b"/help" not in ask(east, "/")[1]  # where other dialects go on
    for service in KINDS:
        assert f'href="{service}/help"'.encode() in ask(west, "/")[1]
    hall.settings.set("webapi.state", "ENABLED", SYSTEM, "east")
    assert ask(east, "/")[1] == ask(west, "/")[1]


@pytest.mark.parametrize(("service", "name"), [(SCHEDULING, "scheduling"), (RESOURCE, "resource")])
def test_a_base_path_holds_at_the_next_request_and_links_show_it(
    dispatchers: dict[str, WebApp], hall: Hall, service: str, name: str
) -> None:
    east, west = dispatchers.values()
    hall.settings.set(f"webapi.{name}_base_path", "/Else/Where", SYSTEM, "east")
    status, page = ask(east, "/else/where/help")
    assert (status, b"https://jobs.example:8080/Else/Where/" in page) == (200, True)
    assert ask(east, f"{service}/help")[0] == 404
    assert b'href="/Else/Where/help"' in ask(east, "/")[1]
    assert ask(west, f"{service}/help")[0] == 200
    assert ask(west, "/else/where/help")[0] == 404
    hall.settings.set(f"webapi.{name}_base_path", "GLOBAL", SYSTEM, "east")
    assert ask(east, f"{service}/help")[0] == 200
    assert ask(east, "/else/where/help")[0] == 404


def test_wsdl_and_error_pages_show_the_base_path_of_the_dispatcher(dispatchers: dict[str, WebApp], hall: Hall) -> None:
    hall.settings.set("webapi.scheduling_base_path", "/Else/Where", SYSTEM, "east")
    east = dispatchers["east"]
    for document in ("wsdl", "singleWsdl"):
        found = ask(east, f"/Else/Where?{document}")[1]
        assert b'location="https://jobs.example:8080/Else/Where/soap"' in found
        assert SCHEDULING.encode() not in found
    assert b'href="https://jobs.example:8080/Else/Where/help"' in ask(east, "/Else/Where/nothing")[1]


def test_a_service_with_a_port_answers_only_there(dispatchers: dict[str, WebApp], hall: Hall) -> None:
    east, west = dispatchers.values()
    hall.settings.set("webapi.scheduling_port", "8443", SYSTEM, "east")
    for path in ("/help", "?wsdl", "/who"):
        assert ask(east, SCHEDULING + path) == (404, b"")
        assert ask(east, SCHEDULING + path, port=8443)[0] == 200
        assert ask(west, SCHEDULING + path)[0] == 200
    assert ask(east, f"{RESOURCE}/help")[0] == 200
    index = ask(east, "/")[1]
    assert f'href="https://jobs.example:8443{SCHEDULING}/help"'.encode() in index
    assert f'href="{RESOURCE}/help"'.encode() in index


def test_address_and_realm_hold_at_the_next_request(dispatchers: dict[str, WebApp], hall: Hall) -> None:
    east, west = dispatchers.values()
    hall.settings.set("webapi.public_address", "http://proxy.example", SYSTEM, "east")
    assert b"http://proxy.example/Dispatcher/" in ask(east, f"{SCHEDULING}/help")[1]
    assert b"proxy.example" not in ask(west, f"{SCHEDULING}/help")[1]


#: What is refused before anybody looks at it, with the address that is shown if none is set.
REFUSALS: list[tuple[int, dict[str, Any], bytes]] = [
    (403, {"headers": [(b"origin", b"http://evil.example")]}, b"https://jobs.example:8080"),
    (413, {"body": b"x" * (Limits().max_body_bytes + 1)}, b"https://jobs.example:8080"),
    (431, {"headers": [(b"x", b"y" * 20_000)]}, b"https://localhost"),
]


@pytest.mark.parametrize("path", [f"{SCHEDULING}/jobs", f"{RESOURCE}/DeleteResource"])
@pytest.mark.parametrize(("status", "options", "otherwise"), REFUSALS, ids=["foreign", "large", "many headers"])
def test_early_refusals_show_the_public_address_too(
    dispatchers: dict[str, WebApp], hall: Hall, path: str, status: int, options: dict[str, Any], otherwise: bytes
) -> None:
    east, help_path = dispatchers["east"], f"{path.rpartition('/')[0]}/help".encode()
    for address in (otherwise, b"http://proxy.example"):
        answer = ask(east, path, method="POST", **options)
        assert (answer[0], b'href="' + address + help_path + b'"' in answer[1]) == (status, True)
        hall.settings.set("webapi.public_address", "http://proxy.example", SYSTEM, "east")
        ask(east, f"{SCHEDULING}/help")  # early refusals go by what was known last: they do not wait for the datastore
