"""The load generator counts what it sent, and takes nothing that is wrong for an answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import load
from bench.messages import NUMBER, Target


class Echo(BaseHTTPRequestHandler):
    """Answers with the body of the request; with 500 to the path /wrong."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append(body)  # type: ignore[attr-defined]
        self.send_response(500 if self.path == "/wrong" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.seen = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def request(server: ThreadingHTTPServer, path: str = "/") -> bytes:
    return Target(server.server_port, path).post_soap("Echo", f"<n>{NUMBER.decode()}</n>")


def test_every_request_carries_its_own_number_and_is_counted(server: ThreadingHTTPServer) -> None:
    report = load.run(server.server_port, request(server), 0.2, connections=2, collect="<n>([^<]*)", first_number=70)

    assert report.answers == len(server.seen) > 1  # type: ignore[attr-defined]
    assert report.errors == 0
    assert sorted(report.collected) == [[71 + place, f"{71 + place:08}"] for place in range(report.answers)]
    assert 0 < report.p50_ms <= report.p99_ms


def test_answers_that_are_not_good_are_errors(server: ThreadingHTTPServer) -> None:
    report = load.run(server.server_port, request(server, "/wrong"), 0.1, connections=1)

    assert report.errors == report.answers > 0
    assert "500" in report.sample


def test_nobody_who_listens_is_a_failure(server: ThreadingHTTPServer) -> None:
    server.server_close()

    with pytest.raises(RuntimeError, match="load generator failed"):
        load.run(server.server_port, request(server), 0.1)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(1, 100))
def test_percentile_is_not_exceeded_by_its_share(values: list[float], share: float) -> None:
    found = load.percentile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= len(values) * share / 100 - 1e-6


def test_no_more_is_sent_than_asked_for(server: ThreadingHTTPServer) -> None:
    report = load.run(server.server_port, request(server), 10, connections=4, most=6)

    assert report.answers == len(server.seen) == 6  # type: ignore[attr-defined]
