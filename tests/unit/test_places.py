"""Places: settings of the Web API win over the configuration, at the start and while the server runs."""

from __future__ import annotations

import asyncio
import signal
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from certificates import Authority
from free_ports import free_port
from structlog.testing import capture_logs

from dispatcher.agents import pins
from dispatcher.bootstrap import House, build_house
from dispatcher.certificates import BadCertificate
from dispatcher.config import Config, load
from dispatcher.core.permissions import SYSTEM
from dispatcher.datastore.transactions import Datastore
from dispatcher.places import Places, UnsafeListener, wanted
from dispatcher.services.hall import Hall
from dispatcher.services.secrets import Secrets
from dispatcher.services.settings import Settings
from dispatcher.web.app import Limits
from dispatcher.web.listeners import Listeners, listen, serve
from dispatcher.wire.quotas import Quotas

AUTHORITY = Authority()


def config(**web: Any) -> Config:
    """Return a configuration without a local agent, whose home would be where the user's is."""
    sections = {"web": {"listen": "127.0.0.1:0", **web}, "agents": {"listen": "127.0.0.1:0"}}
    return load({**sections, "local_agent": {"enabled": False}}, environ={})


def with_agent(folder: Path, *, enabled: bool = True) -> tuple[Config, Path, Path]:
    """Return a configuration with TLS and a local agent whose home is in *folder*, and certificate and key."""
    certificate, key = AUTHORITY.issue(folder / "first")
    web = {"listen": "127.0.0.1:0", "tls_cert": str(certificate), "tls_key": str(key)}
    sections = {"web": web, "agents": {"listen": "127.0.0.1:0"}, "local_agent": {"enabled": enabled}}
    datastore = {"url": f"sqlite:///{folder / 'jobs.db'}"}
    return load({**sections, "datastore": datastore}, environ={}), certificate, key


def shown(config: Config, settings: Settings) -> list[tuple[str, int, str]]:
    """Return side, port and certificate of the listeners that are wanted."""
    places = wanted(config, settings.current())
    return [(one.side, one.address.port, one.tls.certificate.name if one.tls else "") for one in places]


def test_what_is_set_wins_over_what_is_configured(hall: Hall) -> None:
    configured = config(listen="127.0.0.1:8080", tls_cert="/c.pem", tls_key="/k.pem")
    settings, agents = hall.settings, ("agents", 0, "c.pem")
    assert shown(configured, settings) == [("web", 8080, "c.pem"), agents]
    settings.set("webapi.scheduling_port", "8443", SYSTEM)
    assert shown(configured, settings) == [("web", 8443, "c.pem"), ("web", 8080, "c.pem"), agents]
    settings.set("webapi.resource_port", "8443", SYSTEM)
    assert shown(configured, settings) == [("web", 8443, "c.pem"), agents]
    settings.set("webapi.tls_certificate", "/set.pem", SYSTEM)
    assert shown(configured, settings) == [("web", 8443, "set.pem"), agents]
    settings.set("webapi.tls", "DISABLED", SYSTEM)
    assert shown(configured, settings) == [("web", 8443, ""), agents]


def test_plain_http_is_left_when_that_is_set(hall: Hall) -> None:
    hall.settings.set("webapi.tls_certificate", "/set.pem", SYSTEM)
    hall.settings.set("webapi.tls_key", "/set.key", SYSTEM)
    assert shown(config(), hall.settings) == [("web", 0, ""), ("agents", 0, "")]
    hall.settings.set("webapi.tls", "ENABLED", SYSTEM)
    assert shown(config(), hall.settings) == [("web", 0, "set.pem"), ("agents", 0, "")]


def test_tls_without_a_certificate_and_the_port_of_the_agents_are_refused(hall: Hall) -> None:
    hall.settings.set("webapi.tls", "ENABLED", SYSTEM)
    with pytest.raises(BadCertificate, match=r"set webapi\.tls_certificate and webapi\.tls_key"):
        wanted(config(), hall.settings.current())
    hall.settings.set("webapi.tls", "CONFIGURED", SYSTEM)
    hall.settings.set("webapi.resource_port", "3163", SYSTEM)
    with pytest.raises(UnsafeListener, match=r"webapi\.resource_port: 3163 is the port that agents connect to"):
        wanted(load(environ={}), hall.settings.current())


def test_a_port_that_is_taken_is_named_with_its_setting(hall: Hall) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        hall.settings.set("webapi.scheduling_port", str(port), SYSTEM)
        with pytest.raises(OSError, match="Address already in use") as caught:
            Places(config(), house(hall)).first()
        assert caught.value.filename == f"127.0.0.1:{port} (webapi.scheduling_port)"


def single(ccs: str, **web: Any) -> Config:
    """Return a configuration with a listener of one vendor API."""
    return load({"listeners": {"ccs": ccs}, "web": web}, environ={})


def test_a_vendor_api_may_have_a_listener_of_its_own_with_the_tls_of_the_web(hall: Hall) -> None:
    configured, settings = single("127.0.0.1:12431", tls_cert="/c.pem", tls_key="/k.pem"), hall.settings
    assert shown(configured, settings) == [("web", 8080, "c.pem"), ("ccs", 12431, "c.pem"), ("agents", 3163, "c.pem")]
    settings.set("webapi.tls", "DISABLED", SYSTEM)
    assert shown(configured, settings) == [("web", 8080, ""), ("ccs", 12431, ""), ("agents", 3163, "c.pem")]


def test_a_vendor_api_may_have_a_certificate_of_its_own(hall: Hall) -> None:
    own = {"ccs": "127.0.0.1", "ccs_tls_cert": "/own.pem", "ccs_tls_key": "/own.key"}
    configured, settings = load({"listeners": own}, environ={}), hall.settings
    assert shown(configured, settings) == [("web", 8080, ""), ("ccs", 12431, "own.pem"), ("agents", 3163, "")]
    settings.set("webapi.tls_certificate", "/set.pem", SYSTEM)
    settings.set("webapi.tls_key", "/set.key", SYSTEM)
    settings.set("webapi.tls", "ENABLED", SYSTEM)
    assert shown(configured, settings) == [("web", 8080, "set.pem"), ("ccs", 12431, "own.pem"), ("agents", 3163, "")]


def test_it_is_logged_that_clients_who_speak_https_only_cannot_come(hall: Hall, tmp_path: Path) -> None:
    served: Any = SimpleNamespace(hall=hall)
    places = Places(single("127.0.0.1"), served)
    with capture_logs() as logged:
        places.check()
        places.check()
    assert [(one["event"], one["listen"]) for one in logged] == [
        ("web.plain_for_clients_of_https", "127.0.0.1:12431 ([listeners] ccs)")
    ]
    certificate, key = map(str, AUTHORITY.issue(tmp_path))
    own = {"ccs": "127.0.0.1", "ccs_tls_cert": certificate, "ccs_tls_key": key}
    with capture_logs() as logged:
        Places(load({"listeners": own}, environ={}), served).check()
    assert logged == []


@pytest.mark.parametrize(
    ("port", "setting", "whose"),
    [(8080, "", r"\[web\]"), (3163, "", r"\[agents\]"), (12431, "webapi.resource_port", "webapi.resource_port")],
)
def test_a_listener_of_one_vendor_api_takes_no_other_ones_port(hall: Hall, port: int, setting: str, whose: str) -> None:
    if setting:
        hall.settings.set(setting, str(port), SYSTEM)
    with pytest.raises(UnsafeListener, match=rf"\[listeners\] ccs: {port} is the port of {whose}"):
        wanted(single(f"127.0.0.1:{port}"), hall.settings.current())


@pytest.mark.parametrize(("has_logins", "problem"), [(True, "passwords would travel"), (False, "there is no login")])
def test_a_listener_of_one_vendor_api_is_as_safe_as_the_others(hall: Hall, has_logins: bool, problem: str) -> None:
    security = SimpleNamespace(has_logins=lambda: has_logins)
    served: Any = SimpleNamespace(hall=SimpleNamespace(settings=hall.settings, security=security))
    plain = {} if has_logins else {"allow_plain_http": True}
    with pytest.raises(UnsafeListener, match=rf"{problem}.* 0\.0\.0\.0:12431"):
        Places(single("0.0.0.0:12431", **plain), served).check()
    Places(single("127.0.0.1:12431"), served).check()


def test_each_listener_serves_what_it_is_for(real: House) -> None:
    configured = load(
        {"web": {"listen": "127.0.0.1:0"}, "agents": {"listen": "127.0.0.1:0"}, "listeners": {"ccs": "127.0.0.1:0"}},
        environ={},
    )
    places = Places(configured, real)

    async def work(listeners: Listeners, port: int) -> None:
        with listeners.socket(("ccs", 0)) as socket:
            own = socket.getsockname()[1]
        scheduling, tokens = "/Dispatcher/SchedulingService/help", "/ccs/api/v1/jobs"
        assert await status(port, scheduling) == 200
        assert await status(port, tokens) == 401
        assert await status(own, scheduling) == 404
        assert await status(own, tokens) == 401
        assert await status(own, "/health/live") == 200
        assert real.web.ports == {port}

    while_serving(places, work)


@pytest.mark.parametrize("listens", ["0.0.0.0:0", "127.0.0.1:0"])
def test_tls_is_not_taken_away_where_passwords_would_travel(hall: Hall, tmp_path: Path, listens: str) -> None:
    certificate, key = map(str, AUTHORITY.issue(tmp_path))
    security = SimpleNamespace(has_logins=lambda: True)
    served = SimpleNamespace(hall=SimpleNamespace(settings=hall.settings, security=security))
    places = Places(config(listen=listens, tls_cert=certificate, tls_key=key), served)  # type: ignore[arg-type]
    places.check()
    hall.settings.set("webapi.tls", "DISABLED", SYSTEM)
    if listens.startswith("127."):
        places.check()
    else:
        with pytest.raises(UnsafeListener, match="passwords would travel"):
            places.check()


def house(hall: Hall) -> Any:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if scope["path"] == "/until-told":
            await told.wait()
        body = f"{scope['scheme']} {scope['server'][1]}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    told = asyncio.Event()
    return SimpleNamespace(hall=hall, web=application, agents=application, told=told)


def while_serving(places: Places, work: Callable[[Listeners, int], Awaitable[None]]) -> None:
    """Serve the first listeners of *places*, and do *work* with all of them and the port of the first."""

    async def main() -> None:
        first = places.first()
        port = next(iter(first.values())).socket.getsockname()[1]
        problems: list[BaseException] = []

        async def meanwhile(listeners: Listeners) -> None:
            try:
                async with asyncio.timeout(20):
                    await work(listeners, port)
            except BaseException as problem:
                problems.append(problem)
                raise
            finally:
                signal.raise_signal(signal.SIGTERM)

        async def nothing() -> None: ...

        await serve(first, ready=lambda: None, stopping=nothing, meanwhile=meanwhile)
        for problem in problems:
            raise problem

    asyncio.run(main())


async def ask(port: int, tls: ssl.SSLContext | None = None, path: str = "/") -> str:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, server_hostname="localhost" if tls else None
    )
    writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.rpartition(b"\r\n\r\n")[2].decode()


async def serial(port: int, trusted: ssl.SSLContext) -> int:
    """Return the serial number of the certificate that is shown at *port*."""
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusted, server_hostname="localhost")
    found = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
    writer.close()
    return int(found, 16)


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=AUTHORITY.pem.decode())


def test_ports_move_and_what_was_asked_before_is_answered(hall: Hall) -> None:
    served = house(hall)
    places = Places(config(), served)
    moved = free_port()

    async def work(listeners: Listeners, port: int) -> None:
        waiting = asyncio.create_task(ask(port, path="/until-told"))
        assert await ask(port) == f"http {port}"
        for service in ("scheduling", "resource"):
            hall.settings.set(f"webapi.{service}_port", str(moved), SYSTEM)
        await places.change(listeners)
        assert await ask(moved) == f"http {moved}"
        served.told.set()
        assert await waiting == f"http {port}"
        with pytest.raises(ConnectionRefusedError):
            while True:  # the old listener closes after the new one is there
                with suppress(ConnectionResetError):
                    await ask(port)
        await places.change(listeners)  # nothing to do
        assert await ask(moved) == f"http {moved}"

    while_serving(places, work)


def test_what_cannot_be_leaves_all_as_it_was(hall: Hall, tmp_path: Path) -> None:
    places = Places(config(), house(hall))

    async def work(listeners: Listeners, port: int) -> None:
        hall.settings.set("webapi.resource_port", str(free_port()), SYSTEM)
        with listen("127.0.0.1", 0) as taken:
            hall.settings.set("webapi.scheduling_port", str(taken.getsockname()[1]), SYSTEM)
            with pytest.raises(OSError, match="in use"):
                await places.change(listeners)
        assert await ask(port) == f"http {port}"
        hall.settings.set("webapi.tls", "ENABLED", SYSTEM)
        with pytest.raises(BadCertificate):
            await places.change(listeners)
        assert await ask(port) == f"http {port}"

    while_serving(places, work)


def test_tls_comes_and_goes_at_the_same_port_and_certificates_are_renewed(hall: Hall, tmp_path: Path) -> None:
    certificate, key = AUTHORITY.issue(tmp_path / "first")
    settings, trusted = hall.settings, trusting()
    settings.set("webapi.tls_certificate", str(certificate), SYSTEM)
    settings.set("webapi.tls_key", str(key), SYSTEM)
    places = Places(config(), house(hall))

    async def work(listeners: Listeners, port: int) -> None:
        assert await ask(port) == f"http {port}"
        settings.set("webapi.tls", "ENABLED", SYSTEM)
        await places.change(listeners)
        before = await serial(port, trusted)
        renewed = AUTHORITY.issue(tmp_path / "second")
        certificate.write_bytes(renewed[0].read_bytes())
        with pytest.raises(BadCertificate, match="is not the key"):
            await places.change(listeners)
        assert await serial(port, trusted) == before
        key.write_bytes(renewed[1].read_bytes())
        await places.change(listeners)
        while await serial(port, trusted) == before:
            await asyncio.sleep(0)  # the old listener may have taken one more
        assert await ask(port, trusted) == f"https {port}"
        settings.set("webapi.tls", "CONFIGURED", SYSTEM)
        await places.change(listeners)
        while await ask(port) != f"http {port}":
            await asyncio.sleep(0)

    while_serving(places, work)


def test_the_local_agent_is_told_which_certificate_it_is_shown(hall: Hall, tmp_path: Path) -> None:
    configured, certificate, key = with_agent(tmp_path)
    pin, places = pins.Pin(certificate, configured.agent_home), Places(configured, house(hall))
    first = pins.fingerprint(certificate)

    async def work(listeners: Listeners, _: int) -> None:
        renewed = AUTHORITY.issue(tmp_path / "second")
        certificate.write_bytes(renewed[0].read_bytes())
        await places.look(listeners)
        assert pin.fingerprint() == first  # the key is still that of the old one
        key.write_bytes(renewed[1].read_bytes())
        await places.look(listeners)
        certificate.unlink()
        assert pin.fingerprint() == pins.fingerprint(renewed[0]) != first

    while_serving(places, work)


def test_the_server_goes_on_if_the_local_agent_cannot_be_told(hall: Hall, tmp_path: Path) -> None:
    configured, _, _ = with_agent(tmp_path)
    configured.agent_home.write_text("no folder")
    with capture_logs() as logs:
        for listener in Places(configured, house(hall)).first().values():
            listener.socket.close()
    assert [one["event"] for one in logs if one["log_level"] == "warning"] == ["local_agent.certificate_not_noted"]


def test_nobody_is_told_where_there_is_no_local_agent(hall: Hall, tmp_path: Path) -> None:
    configured, _, _ = with_agent(tmp_path, enabled=False)
    for listener in Places(configured, house(hall)).first().values():
        listener.socket.close()
    assert not configured.agent_home.exists()


@pytest.fixture
def real(datastore: Datastore, secrets: Secrets) -> Iterator[House]:
    """A dispatcher with its bindings."""
    lease = timedelta(seconds=30)
    made = build_house(datastore, secrets, name="x", lease=lease, limits=Limits(any_host=True), quotas=Quotas())
    yield made
    made.web.close()


async def status(port: int, path: str = "/Dispatcher/SchedulingService/help") -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: localhost:{port}\r\nconnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer[9:12])


def test_a_service_stays_where_it_is_while_its_port_cannot_be_had(real: House) -> None:
    places, settings = Places(config(), real), real.hall.settings

    async def work(listeners: Listeners, port: int) -> None:
        with listen("127.0.0.1", 0) as taken:
            settings.set("webapi.scheduling_port", str(taken.getsockname()[1]), SYSTEM)
            assert await status(port) == 200
            with pytest.raises(OSError, match="in use"):
                await places.change(listeners)
            assert await status(port) == 200
            assert f'href="http://localhost:{taken.getsockname()[1]}' not in await ask(port)
        agents = next(one for key, one in places._ports.items() if key[0] == "agents")
        settings.set("webapi.scheduling_port", str(agents), SYSTEM)
        assert await status(port) == 200

    while_serving(places, work)


def test_a_service_that_moves_is_never_nowhere(real: House) -> None:
    places, settings = Places(config(), real), real.hall.settings
    moved = free_port()

    async def works(port: int) -> bool:
        with suppress(OSError, ValueError):  # closed, or reset
            return await status(port) == 200
        return False

    async def work(listeners: Listeners, port: int) -> None:
        before = await asyncio.open_connection("127.0.0.1", port)
        before[1].write(b"GET /Dispatcher/SchedulingService/help HTTP/1.1\r\nho")
        settings.set("webapi.scheduling_port", str(moved), SYSTEM)
        assert await works(port)
        changing = asyncio.create_task(places.change(listeners))
        while not changing.done():
            assert await works(port) or await works(moved)
        await changing
        assert [await works(moved), await works(port)] == [True, False]
        assert await status(port, "/Dispatcher/ResourceService/help") == 200
        settings.set("webapi.resource_port", str(moved), SYSTEM)
        await places.change(listeners)  # nothing is left at the old port
        before[1].write(b"st: localhost\r\n\r\n")
        assert (await before[0].readline()).startswith(b"HTTP/1.1 200")
        before[1].close()

    while_serving(places, work)


def test_what_is_known_is_logged_once(hall: Hall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = AUTHORITY.issue(tmp_path, days=-1)
    places = Places(config(tls_cert=str(certificate), tls_key=str(key)), house(hall))

    def fail(*_: object) -> None:
        raise ZeroDivisionError("unforeseen")

    async def work(listeners: Listeners, port: int) -> None:
        hall.settings.set("webapi.resource_port", str(free_port()), SYSTEM)
        with monkeypatch.context() as patch:
            patch.setattr(places, "_listeners", fail)
            for _ in range(3):
                await places.look(listeners)
        await places.look(listeners)

    with capture_logs() as logged:
        while_serving(places, work)
    found = [(one["event"], one.get("problem")) for one in logged if one["log_level"] in ("warning", "error")]
    expected = [("tls.certificate_doubtful", None), ("web.left_as_it_was", "ZeroDivisionError('unforeseen')")]
    assert found == expected
