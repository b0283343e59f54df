"""Origins: web pages of other sites may not send requests through the browser of somebody who can reach us.

A page can make its visitor's browser send requests to any address (cross-site request forgery), and a name of the
page's own can be made to mean our address (DNS rebinding). Browsers tell where a request comes from; clients that are
no browsers send neither ``Origin`` nor ``Sec-Fetch-Site`` and are not concerned.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from dispatcher.wire.http import Request

#: Pages may read these from elsewhere: the browser hides the answer from them, and they change nothing.
_HARMLESS = frozenset({"GET", "HEAD"})
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._~%-]+)(:[0-9]*)?")


def is_host(text: str) -> bool:
    """Whether *text* is what a ``Host`` header may say: one name or address, with or without a port.

    Pages and WSDL show it as our own address; of two headers it would be both.
    """
    return _HOST.fullmatch(text) is not None


def is_from_page(request: Request) -> bool:
    """Whether a browser says where *request* comes from."""
    return "origin" in request.headers or "sec-fetch-site" in request.headers


def is_foreign(request: Request, public_address: str) -> bool:
    """Whether a page of another site sends *request*, and it might change something.

    Our own pages are those at the host and port that *request* is addressed to, and at *public_address* (as
    ``https://jobs.example.com``; empty for none). The scheme does not count: a proxy may have taken TLS off.
    """
    if request.method in _HARMLESS:
        return False
    if request.headers.get("sec-fetch-site", "").strip().lower() in ("cross-site", "same-site"):
        return True
    origin = request.headers.get("origin")
    if origin is None:
        return False
    scheme, _, place = origin.strip().lower().partition("://")
    port = _DEFAULT_PORTS.get(scheme)
    if port is None or not place:  # "null": a page that hides where it is from
        return True
    ours = (request.host, public_address.partition("://")[2])
    return place.removesuffix(port) not in [one.lower().removesuffix(port) for one in ours if one]


def may_be_rebound(request: Request, address: str) -> bool:
    """Whether *request* comes from this machine (the network *address*) and calls it by a name that is not its own."""
    return _is_loopback(address) and not _is_loopback_name(request.host)


@lru_cache(maxsize=64)
def _is_loopback_name(host: str) -> bool:
    """Whether *host*, with or without a port, can mean nothing but this machine."""
    name, bracket, port = host.rpartition("]")
    if bracket:
        return name.startswith("[") and _is_loopback(name[1:]) and _is_port(port)
    name, colon, port = host.partition(":")
    return (name.lower() == "localhost" or _is_loopback(name)) and _is_port(colon + port)


def _is_port(text: str) -> bool:
    return not text or (text.startswith(":") and text[1:].isdecimal())


@lru_cache(maxsize=64)  # the same few are asked for with every request
def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    # A socket for both versions tells IPv4 addresses as ::ffff:127.0.0.1.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
