"""Origins: what a browser sends for somebody else's page is told from what our own pages and old clients send."""

from __future__ import annotations

import pytest

from dispatcher.web.origins import is_foreign, is_host, may_be_rebound
from dispatcher.wire.http import Request


def post(headers: dict[str, str], host: str = "jobs.local:8080", method: str = "POST") -> Request:
    return Request(method, "/door", headers=headers, host=host)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "post"])
@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": " Cross-Site"},
        {"sec-fetch-site": "cross-site", "origin": "http://jobs.local:8080"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://"},
        {"origin": "http://evil.example"},
        {"origin": "http://jobs.local"},
        {"origin": "http://jobs.local:8081"},
        {"origin": "http://jobs.local:8080.evil.example"},
        {"origin": "http://jobs.local:8080, http://evil.example"},
        {"origin": "extension://jobs.local:8080"},
    ],
)
def test_pages_of_other_sites_are_foreign(method: str, headers: dict[str, str]) -> None:
    assert is_foreign(post(headers, method=method), "")


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ({}, "jobs.local:8080"),
        ({"sec-fetch-site": "same-origin", "origin": "http://jobs.local:8080"}, "jobs.local:8080"),
        ({"sec-fetch-site": "none"}, "jobs.local:8080"),
        ({"origin": "HTTP://Jobs.Local:8080"}, "JOBS.local:8080"),
        ({"origin": "http://jobs.local"}, "jobs.local:80"),
        ({"origin": "https://jobs.local"}, "jobs.local"),
        ({"origin": "https://jobs.local"}, "jobs.local:443"),
        ({"origin": "http://[::1]:8080"}, "[::1]:8080"),
    ],
)
def test_own_pages_and_clients_that_are_no_browsers_are_not(headers: dict[str, str], host: str) -> None:
    assert not is_foreign(post(headers, host), "")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_is_harmless(method: str) -> None:
    assert not is_foreign(post({"sec-fetch-site": "cross-site", "origin": "null"}, method=method), "")


def test_the_public_address_is_ours_and_an_empty_one_is_nobodys() -> None:
    request = post({"origin": "https://jobs.example.com"}, host="10.0.0.1:8080")

    assert not is_foreign(request, "https://jobs.example.com")
    assert not is_foreign(request, "https://jobs.example.com:443")
    assert is_foreign(request, "https://jobs.example.com:8443")
    assert is_foreign(request, "")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.1.2.3:80", "[::1]", "[::1]:8080"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_this_machines_own_names_are_its_own(host: str, address: str) -> None:
    assert not may_be_rebound(post({}, host), address)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "localhost:x@evil.example",
        "localhost, evil.example",
        "10.0.0.1",
        "[::2]:8080",
        "x[::1]",
        "[::1].evil.example",
        "",
    ],
)
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_any_other_name_may_be_rebound(host: str, address: str) -> None:
    assert may_be_rebound(post({}, host), address)


@pytest.mark.parametrize("address", ["10.0.0.1", "2001:db8::1", ""])
def test_other_machines_call_this_one_as_they_like(address: str) -> None:
    assert not may_be_rebound(post({}, "jobs.example.com"), address)


@pytest.mark.parametrize(
    "host",
    ["jobs", "jobs.local:8080", "10.0.0.1", "[::1]", "[fe80::1]:80", "win_pc-7.corp.", "xn--zrich-kva:", "a%20b"],
)
def test_hosts(host: str) -> None:
    assert is_host(host)


@pytest.mark.parametrize(
    "host", ["", "a b", "a, a", "a:b", "a:1:2", "::1", "[::1", 'a"><script>', "a/b", "u@a", "a\n", "a#", "z\xfcrich"]
)
def test_what_is_no_host(host: str) -> None:
    assert not is_host(host)
