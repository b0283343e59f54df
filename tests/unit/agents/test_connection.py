"""The connection: what counts as no answer, as a refusal and as given up."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dispatcher.agents.connection import Backoff, Connection, Interrupted, Refused, Rejected
from dispatcher.agents.pins import fingerprint, note
from dispatcher.agents.protocol import PATH, Enrol, Poll, Report, dump
from dispatcher.core.errors import Unavailable


def connected(gateway, *before: str) -> Connection:
    connection = Connection([*before, gateway.url])
    connection.identify(gateway.agent_id, gateway.secret)
    return connection


def test_first_dispatcher_that_answers_is_kept(gateway) -> None:
    connection = connected(gateway, "http://127.0.0.1:9")
    for _ in range(2):
        connection.report(dump(Report()))
    assert len(gateway.reports) == 2


def test_no_answer_from_any(gateway) -> None:
    gateway.is_down = True
    with pytest.raises(Unavailable, match="503"):
        connected(gateway).report(dump(Report()))
    with pytest.raises(Unavailable, match="refused"):
        Connection(["http://127.0.0.1:9"]).report(dump(Report()))


def test_wrong_identity_and_wrong_token_are_refused(gateway) -> None:
    connection = Connection([gateway.url])
    connection.identify(uuid4(), "wrong")
    with pytest.raises(Refused, match="401"):
        connection.poll(dump(Poll(free=1)), 1)
    with pytest.raises(Refused):
        connection.enrol(Enrol(token="wrong", name="pc"))


def test_answer_that_is_no_message_is_no_answer(gateway, monkeypatch) -> None:
    monkeypatch.setattr(gateway, "answer", lambda *_: (200, b'{"runs": 1}'))
    with pytest.raises(Unavailable, match="no dispatcher says"):
        connected(gateway).poll(dump(Poll(free=1)), 1)


@pytest.mark.parametrize("status", [400, 413])
def test_report_that_no_repetition_helps_is_told_from_no_answer(gateway, monkeypatch, status) -> None:
    monkeypatch.setattr(gateway, "answer", lambda *_: (status, b"{}"))
    with pytest.raises(Rejected, match=str(status)):
        connected(gateway).report(dump(Report()))
    with pytest.raises(Unavailable):
        connected(gateway).poll(dump(Poll(free=1)), 1)


def test_dispatcher_is_reached_through_a_proxy(gateway, proxy, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:secret@127.0.0.1:{proxy.server_port}")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    connection = connected(gateway)
    for _ in range(2):
        connection.report(dump(Report()))
    assert len(gateway.reports) == 2
    assert proxy.asked == [(f"{gateway.url}{PATH}/report", "Basic bWU6c2VjcmV0")] * 2


@pytest.fixture
def proxy() -> Iterator[HTTPServer]:
    """A proxy that notes what it is asked for, and by whom."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            server.asked.append((self.path, self.headers["Proxy-Authorization"]))
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with requests.Session() as session:
                session.trust_env = False
                answer = session.post(self.path, body, headers={"Authorization": self.headers["Authorization"]})
            self.send_response(answer.status_code)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_pinned_certificate_is_trusted_whatever_it_says_and_no_other(gateway, tmp_path: Path, monkeypatch) -> None:
    file = self_signed(tmp_path / "server.pem")
    other = self_signed(tmp_path / "other.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    gateway.server.socket = context.wrap_socket(gateway.server.socket, server_side=True)
    url = gateway.url.replace("http:", "https:")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    connection = Connection([url], pin=str(file))
    connection.identify(gateway.agent_id, gateway.secret)
    connection.report(dump(Report()))
    assert len(gateway.reports) == 1
    with pytest.raises(Unavailable, match=r"[Ff]ingerprint"):
        Connection([url], pin=str(other)).report(dump(Report()))
    # Renewed: the file is another one when the next connection is made.
    file.write_bytes(other.read_bytes())
    connection.report(dump(Report()))  # on the connection that there is
    context.load_cert_chain(other)
    renewed = Connection([url], pin=str(file))
    renewed.identify(gateway.agent_id, gateway.secret)
    renewed.report(dump(Report()))
    context.load_cert_chain(self_signed(tmp_path / "third.pem"))
    renewed._session, renewed._routes = renewed._new_session(), {}
    with pytest.raises(Unavailable, match=r"[Ff]ingerprint"):
        renewed.report(dump(Report()))
    file.write_text("none")
    with pytest.raises(Unavailable, match="holds no certificate"):
        Connection([url], pin=str(file)).report(dump(Report()))
    monkeypatch.delenv("https_proxy")
    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        Connection([url]).report(dump(Report()))


def test_what_the_server_says_it_shows_is_accepted_and_nothing_else(gateway, tmp_path: Path) -> None:
    file = self_signed(tmp_path / "server.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    gateway.server.socket = context.wrap_socket(gateway.server.socket, server_side=True)
    url = gateway.url.replace("http:", "https:")

    def new_connection() -> Connection:
        connection = Connection([url], pin=str(file), home=tmp_path)
        connection.identify(gateway.agent_id, gateway.secret)
        return connection

    first = new_connection()
    note(tmp_path, fingerprint(file))
    # A renewal that the server cannot use: it goes on with the certificate that it has.
    for useless in (self_signed(tmp_path / "useless.pem").read_bytes(), b"none"):
        file.write_bytes(useless)
        new_connection().report(dump(Report()))
    first.report(dump(Report()))
    # Another one whose key somebody has: from the moment that the server shows a new one, no connection accepts it.
    renewed = self_signed(tmp_path / "renewed.pem")
    file.write_bytes(renewed.read_bytes())
    note(tmp_path, fingerprint(renewed))
    first._session, first._routes = first._new_session(), {}
    for connection in (first, new_connection()):
        with pytest.raises(Unavailable, match=r"[Ff]ingerprint"):
            connection.report(dump(Report()))
    context.load_cert_chain(renewed)
    for connection in (first, new_connection()):
        connection.report(dump(Report()))


def self_signed(file: Path) -> Path:
    """Make an expired certificate for another name in *file*, with its key; return that."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "elsewhere.example")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(2)).not_valid_after(now - timedelta(1))
    certificate = builder.sign(key, hashes.SHA256())
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none) + certificate.public_bytes(pem))
    return file


def test_poll_is_given_up_at_once_and_may_be_repeated(gateway) -> None:
    connection = connected(gateway)
    body = dump(Poll(free=0, wait_s=30))

    def interrupt() -> None:
        gateway.wait(lambda: gateway.polls)
        connection.interrupt()

    threading.Thread(target=interrupt).start()
    started = time.monotonic()
    with pytest.raises(Interrupted):
        connection.poll(body, 30)
    assert time.monotonic() - started < 5
    with pytest.raises(Interrupted):
        connection.poll(body, 30)
    connection.allow()
    assert connection.poll(dump(Poll(free=0, wait_s=0)), 0).runs == []


def test_interrupt_cuts_the_call_that_waits_on_a_connection_kept_from_before(
    gateway, other_gateway, monkeypatch
) -> None:
    connection = Connection([gateway.url, other_gateway.url])
    connection.identify(gateway.agent_id, gateway.secret)
    poll = dump(Poll(free=0, wait_s=0))
    connection.poll(poll, 0)
    gateway.is_down = True
    connection.poll(poll, 0)
    gateway.is_down, other_gateway.is_down = False, True

    def interrupt() -> None:
        gateway.wait(lambda: len(gateway.polls) == 2)
        connection.interrupt()

    threading.Thread(target=interrupt).start()
    with pytest.raises(Interrupted):
        connection.poll(dump(Poll(free=0, wait_s=30)), 30)
    # The one that nobody waited on can be used again.
    connection.allow()
    gateway.is_down, other_gateway.is_down = True, False
    opened = []
    monkeypatch.setattr(other_gateway.server, "verify_request", lambda *_: opened.append(1) or True)
    connection.poll(poll, 0)
    assert opened == []


def test_interrupt_before_the_first_connection(gateway) -> None:
    connection = connected(gateway)
    connection.interrupt()
    with pytest.raises(Interrupted):
        connection.poll(dump(Poll(free=0)), 1)
    assert gateway.polls == []


def test_waiting_times_grow_to_a_limit_and_differ() -> None:
    backoff = Backoff(0.2, 10)
    waits = [backoff.next_s() for _ in range(100)]
    assert waits[0] <= 0.2
    assert max(waits) <= 10
    assert min(waits[20:]) >= 2.5
    assert len(set(waits)) == 100
    backoff.reset()
    assert backoff.next_s() <= 0.2


def test_dispatcher_that_stands_still_is_given_up_for_the_next_one(gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as still:
        connection = Connection([f"http://127.0.0.1:{still.getsockname()[1]}", gateway.url])
        connection.identify(gateway.agent_id, gateway.secret)
        began = time.monotonic()
        connection.report(dump(Report()), within_s=0.5)
        assert 0.4 < time.monotonic() - began < 5
