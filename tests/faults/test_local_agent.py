"""The local agent of a real server: back after a kill, after the datastore was replaced, and under TLS."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def local_agent(server: Any) -> psutil.Process:
    """Return the process of the server's agent."""
    children = psutil.Process(server.process.popen.pid).children()
    (agent,) = [child for child in children if "--local" in child.cmdline()]
    return agent


def test_killed_local_agent_comes_back(start_server: Callable[..., Any]) -> None:
    server = start_server()
    [before] = server.wait_for_agents(1)
    first = local_agent(server)
    assert not [name for name in first.environ() if name.startswith("DISPATCHER_")]
    first.kill()
    server.process.wait_for(re.compile(r"-9.*local_agent\.ended"))
    deadline = time.monotonic() + 20
    while not (found := psutil.Process(server.process.popen.pid).children()) or found[0].pid == first.pid:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert server.wait_for_agents(1) == [before]
    assert server.process.stop() == 0


def test_local_agent_enrols_anew_with_a_new_datastore(start_server: Callable[..., Any], tmp_path: Path) -> None:
    server = start_server()
    [before] = server.wait_for_agents(1)
    server.process.stop()
    for file in tmp_path.glob("server.db*"):
        file.unlink()
    server = start_server()
    [after] = server.wait_for_agents(1)
    assert before != after


def test_local_agent_trusts_the_self_signed_certificate_of_its_server(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    certificate, key = self_signed(tmp_path)
    process = start(
        *("--datastore", f"sqlite:///{tmp_path / 'server.db'}", "serve", "--listen", "127.0.0.1:0"),
        *("--agents", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key),
    )
    url = process.wait_for(re.compile(r"serves clients at (https:\S+)"))[1]
    asked = f"{url}/Dispatcher/SchedulingService/who?agents=True&teams=False&online=True"
    deadline = time.monotonic() + 20
    with requests.Session() as session:
        session.trust_env = False
        session.verify = certificate
        session.headers["Accept"] = "application/json"
        session.mount("https://", Named())
        while not session.get(asked, timeout=10).json():
            assert time.monotonic() < deadline, process.lines
            time.sleep(0.1)


class Named(requests.adapters.HTTPAdapter):
    """Expects the name in the certificate, not the address."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, assert_hostname="dispatcher.example", **options)


def self_signed(folder: Path) -> tuple[str, str]:
    """Return the files of a certificate for another name than the server is reached by, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dispatcher.example")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(1)).not_valid_after(now + timedelta(1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("dispatcher.example")]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    files = folder / "cert.pem", folder / "key.pem"
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    files[0].write_bytes(certificate.public_bytes(pem))
    files[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
    return str(files[0]), str(files[1])
