"""Log-ins that mean harm, at every door, with a login there, on every database: nobody is let in, nothing breaks.

Guesses add up whatever they are called, and what is kept of them is short.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

import pytest
from cheap_passwords import cheap_passwords
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher import bootstrap
from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.access_tokens import AccessTokens
from dispatcher.services.hall import Hall
from dispatcher.services.lockout import FAILURES
from dispatcher.services.logins import Logins
from dispatcher.services.security import LONGEST_NAME, Security
from dispatcher.web import app
from dispatcher.web.app import Limits, WebApp
from dispatcher.web.health import Health
from dispatcher.wire.http import Request
from dispatcher.wire.quotas import Quotas

PASSWORD = "pass phrase"
OPSRAMP, CCS = "/tenancy/auth/oauth/token", "/ccs/api/v1/oauth/tokens"
FORM = "application/x-www-form-urlencoded"


class World:
    """A server with the login ann; ``security`` is who knows her."""

    def __init__(self, web: WebApp, security: Security) -> None:
        self.security = security
        self._web = web

    def ask(self, method: str, path: str, body: bytes = b"", address: str = "10.0.0.1", **headers: str) -> int:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._web.respond(Request(method, path, "", given, body), address).status

    def ccs(self, name: str, password: str, address: str = "10.0.0.1") -> int:
        """Log in as the sample scripts do: nothing is encoded, whatever it is."""
        body = f"grant_type=password&username={name}&password={password}".encode("utf-8", "surrogatepass")
        return self.ask("POST", CCS, body, address, content_type="application/json")

    def opsramp(self, name: str, password: str, address: str = "10.0.0.1") -> int:
        fields = {"grant_type": "client_credentials", "client_id": name, "client_secret": password}
        return self.ask("POST", OPSRAMP, urlencode(fields, errors="surrogatepass").encode(), address, content_type=FORM)

    def in_json(self, name: str, password: str) -> list[int]:
        """Log in at both by JSON."""
        ccs = {"grant_type": "password", "username": name, "password": password}
        opsramp = {"grant_type": "client_credentials", "client_id": name, "client_secret": password}
        return [self.ask("POST", path, json.dumps(form).encode()) for path, form in ((CCS, ccs), (OPSRAMP, opsramp))]

    def basic(self, name: str, password: str, address: str = "10.0.0.1") -> int:
        sent = base64.b64encode(f"{name}:{password}".encode("utf-8", "surrogatepass")).decode()
        path = "/Dispatcher/SchedulingService/what/modules"
        return self.ask("GET", path, address=address, authorization=f"Basic {sent}")

    @property
    def kept(self) -> int:
        """How many characters are kept of those who failed."""
        return sum(len(part) for key in self.security._lockout._failures for part in key)


@pytest.fixture
def world(datastore: Datastore, ports: Ports, hall: Hall, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    defects: list[Any] = []
    note = SimpleNamespace(exception=lambda event, **details: defects.append((event, details)))
    monkeypatch.setattr(bootstrap, "log", note)
    monkeypatch.setattr(app, "log", note)
    Logins(datastore, ports, cheap_passwords()).add("ann", PASSWORD, SYSTEM)
    security = Security(datastore, ports, cheap_passwords(), hall.settings)
    tokens = AccessTokens(datastore, ports, security, hall.settings)
    opened = replace(hall, security=security, access_tokens=tokens)
    bindings = bootstrap.build_bindings(opened, Quotas(), Limits())
    web = WebApp(bindings, security, tokens, Health(opened), lambda: UUID(int=7), Limits())
    yield World(web, security)
    web.close()
    assert defects == []


@pytest.fixture
def logins(datastore: Datastore, ports: Ports) -> Logins:
    return Logins(datastore, ports, cheap_passwords())


NAMES = [
    "",
    "\0",
    "ann\0",
    "a\0b",
    "%00",
    "ann%00",
    "ann%00x",
    "%2500",
    "\\",
    "\\\\ann\\",
    "a\\\0",
    "%",
    "%ff%fe",
    "\ud800",
    "%ED%A0%80",
    "' OR 1=1 --",
    "\N{RIGHT-TO-LEFT OVERRIDE}nna",
    "ann\r\nX: y",
    "\uff41\uff4e\uff4e",  # in full width
    "x" * 300,
    "\N{LATIN SMALL LETTER SHARP S}" * 2_000,
    "x" * 5_000,
    "%C3%9F" * 5_000,
    "x" * 1_200_000,
]


def test_names_that_nobody_has(world: World) -> None:
    for number, name in enumerate(NAMES):
        at = f"10.0.1.{number}"
        for status in (
            world.ccs(name, "x", at),
            world.ccs("ann", name + "x", at),
            world.opsramp(name, "x", at),
            *world.in_json(name, "x"),
        ):
            assert status in (400, 401), name[:50]
        if len(name) < 10_000:  # a header is no longer
            assert world.basic(name, "x", at) == 401, name[:50]
    assert world.ccs("ann", PASSWORD, "10.0.2.1") == world.opsramp("ann", PASSWORD, "10.0.2.1") == 200
    assert world.basic("ann", PASSWORD, "10.0.2.1") == 200


@pytest.mark.parametrize("door", ["ccs", "opsramp", "basic"])
def test_what_is_kept_of_names_is_short(world: World, door: str) -> None:
    ask: Callable[..., int] = getattr(world, door)
    for number in range(5):
        assert ask(f"{number}" + "x" * 4_000, "wrong") in (400, 401)
        assert ask(f"{number}" + "x" * 1_000_000, "wrong") in (400, 401)
    assert 0 <= world.kept <= 10 * (LONGEST_NAME + len("10.0.0.1"))


def test_no_other_way_to_write_it_is_another_guess(world: World) -> None:
    encoded = base64.b64encode(PASSWORD.encode()).decode()
    assert world.ccs("ann", encoded) == 200  # it is remembered now
    for number in range(FAILURES + 2):
        guess = f"guess {number}"
        assert world.ccs(f"ann%00{base64.b64encode(guess.encode()).decode()}", guess) == 401
    # The name, a NUL and a reading of the password: together the very text that would be remembered of ann.
    assert world.ccs(f"ann%00{encoded}", PASSWORD) == 401
    assert world.ccs(f"ann\0{encoded}", PASSWORD) in (400, 401)


@pytest.mark.parametrize(
    "spelled",
    ["ann", "ANN", "CORP\\ann", "corp%5Cann", "%61nn", " ann ", "CORP\\%61nn", "\\ann", "a\\b\\ann"],
)
def test_who_is_locked_out_stays_so_however_the_name_is_written(world: World, spelled: str) -> None:
    encoded = base64.b64encode(PASSWORD.encode()).decode()
    assert world.ccs("ann", encoded) == world.ccs(spelled, encoded) == 200
    for number in range(FAILURES):
        assert world.ccs((spelled, "ann", "LAB\\Ann")[number % 3], f"wrong {number}") == 401
    for name in (spelled, "ann", f"ann%00{encoded}"):
        for password in (PASSWORD, encoded, quote(encoded)):
            assert world.ccs(name, password) == 401
    assert world.opsramp("ann", PASSWORD) == world.basic("ann", PASSWORD) == 401
    assert world.ccs(spelled, PASSWORD, "10.0.0.2") == 200


def test_names_with_a_backslash_or_a_per_cent_sign_are_names(world: World, logins: Logins) -> None:
    for name in ("CORP\\bob", "50%25", "LAB\\ann"):
        logins.add(name, "other phrase", SYSTEM)
        assert world.opsramp(name, "other phrase") == world.basic(name, "other phrase") == 200
        for sent in (name, quote(name), name.upper()):
            assert world.ccs(sent, "other phrase") == 200
    assert world.ccs("LAB\\ann", PASSWORD) == 401  # two domains' ann are two, if both are there
    assert world.ccs("CORP\\ann", PASSWORD) == 200
    assert world.ccs("bob", "other phrase") == 401


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=40), password=st.text(max_size=40), number=st.integers(0, 1 << 20))
def test_any_name_and_password(world: World, name: str, password: str, number: int) -> None:
    at = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
    for ask in (world.ccs, world.opsramp, world.basic):
        assert ask(name, password, at) in (400, 401)
