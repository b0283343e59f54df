"""Name questions: records of the name service, asked of given name servers for as long and as often as said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dispatcher.tasks.discovering.probes import Waiting

Server = tuple[str, int]
"""The address and the port of a name server."""


async def records(name: str, kind: str, servers: Sequence[Server], waiting: Waiting) -> list[Any]:
    """Return the records of a *kind* that *name* has, as dnspython has them; none if nobody knows any in time.

    Each of *servers* is asked in turn, and again if none has answered. One that knows nothing is believed; one that
    says that it cannot tell, or talks nonsense, is asked no more.
    """
    import dns.exception
    import dns.message

    try:
        question = dns.message.make_query(name, kind)
    except (dns.exception.DNSException, ValueError):
        return []  # it is no name
    left = [*servers]
    for _ in range(waiting.times):
        for server in [*left]:
            try:
                answer = await _ask(question, server, waiting.timeout_s)
            except TimeoutError:
                continue
            if answer is not None:
                return answer
            left.remove(server)
    return []


async def _ask(question: Any, server: Server, timeout_s: float) -> list[Any] | None:
    """Return what *server* answers to *question*; None if that is of no use.

    :raises TimeoutError: if it does not answer in time.
    """
    import dns.asyncquery
    import dns.exception
    import dns.rcode

    address, port = server
    try:
        # Only the right answer from there counts, by TCP if it is too long for a datagram.
        response, _ = await dns.asyncquery.udp_with_fallback(
            question, address, timeout_s, port, ignore_unexpected=True, ignore_errors=True
        )
        if response.rcode() == dns.rcode.NXDOMAIN:
            return []
        if response.rcode() != dns.rcode.NOERROR:
            return None
        found: Any = response.resolve_chaining().answer  # type: ignore[attr-defined, unused-ignore]
        return [*found] if found is not None else []
    except dns.exception.Timeout:
        raise TimeoutError from None
    except (dns.exception.DNSException, OSError, ValueError, EOFError):
        return None
