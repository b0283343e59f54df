"""HTTPS end to end: with certificate and key as settings, against a real server, by real clients."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import zeep
from certificates import Authority
from real_server import Process, Server, dispatcher
from sqlalchemy import make_url

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore import schema
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.settings import Settings

AUTHORITY = Authority()


@pytest.fixture
def https(start_server: Callable[..., Server], tmp_path: Path, ports: Ports) -> Server:
    """A server whose Web API is https by a setting, and whose agents' listener is by its options."""
    certificate, key = AUTHORITY.issue(tmp_path / "tls")
    datastore = Datastore(make_url(f"sqlite:///{tmp_path / 'server.db'}"))
    schema.upgrade(datastore.engine)
    for name, value in (("tls_certificate", certificate), ("tls_key", key), ("tls", "ENABLED")):
        Settings(datastore, ports).set(f"webapi.{name}", str(value), SYSTEM, "here")
    datastore.close()
    agents = AUTHORITY.issue(tmp_path / "agents")
    files = ["--tls-cert", str(agents[0]), "--tls-key", str(agents[1])]
    return start_server("--demo", "--name", "here", "--no-local-agent", *files)


def test_clients_and_agents_speak_tls_with_an_authority_of_their_own(
    https: Server, start: Callable[..., Process], tmp_path: Path
) -> None:
    authority = str(AUTHORITY.write(tmp_path / "ca.pem"))
    assert https.url.startswith("https://")
    assert https.agents_url.startswith("https://")
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"{https.service}/help", timeout=20)
        session.verify = authority
        assert f"{https.service}/" in session.get(f"{https.service}/help", timeout=20).text

        [token] = dispatcher("token", "enrol", datastore=https.datastore)
        home = str(tmp_path / "home")
        agent = start(
            *("agent", "--dispatcher", https.agents_url, "--home", home, "--name", "far", "--ca-file", authority),
            DISPATCHER_ENROL_TOKEN=token,
        )
        agent.wait_for(re.compile("agent.enrolled"))

        client = zeep.Client(f"{https.service}?wsdl", transport=zeep.Transport(session=session))
        assert client.service._binding_options["address"].startswith(https.service)
        [who] = client.service.GetWho(agents=True, teams=False)
        assert who.Name == "far"

    where = ["--url", https.url, "--ca-file", authority]
    shown = dispatcher("job", *where, "list", "--json", datastore=https.datastore)
    assert json.loads("".join(shown))["Items"] == []
    with pytest.raises(AssertionError, match=r"cannot be reached: .*certificate"):
        dispatcher("job", "--url", https.url, "list", datastore=https.datastore)


def test_a_running_server_changes_its_ports_and_renews_its_certificate(https: Server, tmp_path: Path) -> None:
    authority = str(AUTHORITY.write(tmp_path / "ca.pem"))
    other = Authority("Another Authority")
    renewed = other.issue(tmp_path / "renewed")
    for file in renewed:
        (tmp_path / "tls" / file.name).write_bytes(file.read_bytes())
    https.process.wait_for(re.compile("web.changed"))
    with requests.Session() as session:
        session.trust_env = False
        with pytest.raises(requests.exceptions.SSLError):
            session.get(f"{https.service}/help", timeout=20, verify=authority)
        found = session.get(f"{https.service}/help", timeout=20, verify=str(other.write(tmp_path / "other.pem")))
        assert found.status_code == 200
