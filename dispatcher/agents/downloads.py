"""Downloads: how a worker process gets contents of the library from a dispatcher."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from dispatcher.agents import identity
from dispatcher.agents.connection import Backoff, Connection, Refused, Rejected
from dispatcher.agents.premises import Premises
from dispatcher.agents.protocol import FoundResource
from dispatcher.core.errors import Unavailable
from dispatcher.tasks.work import TaskFailed

#: How often a download that is cut off is resumed before the task fails.
RESUMES = 10


class Downloads:
    """Asks the dispatchers of *premises*, as the agent whose home is *home*."""

    def __init__(self, home: Path, premises: Premises) -> None:
        self._home = home
        self._premises = premises

    def find(self, resource: str) -> FoundResource:
        """Return what *resource* (id, path or name) is.

        :raises TaskFailed: if there is none, or no dispatcher answers.
        """
        try:
            return self._connection.find_resource(resource)
        except (Rejected, Refused, Unavailable) as error:
            raise TaskFailed(error.message) from None

    def fetch(self, sha256: str, offset: int) -> Iterator[bytes]:
        """Give the bytes of a content from *offset* on; where it is cut off, it is taken up again.

        :raises TaskFailed: if no dispatcher has it, or it is cut off too often.
        """
        resumed = 0
        backoff = Backoff()
        while True:
            try:
                for data in self._connection.content(sha256, offset):
                    offset += len(data)
                    yield data
                return
            except Unavailable as error:
                resumed += 1
                if resumed > RESUMES:
                    raise TaskFailed(error.message) from None
                time.sleep(backoff.next_s())
            except (Rejected, Refused) as error:
                raise TaskFailed(error.message) from None

    @cached_property
    def _connection(self) -> Connection:
        known = identity.load(self._home)
        if known is None:
            raise TaskFailed("the agent has no identity")
        dispatchers = self._premises.dispatchers or known.dispatchers
        connection = Connection(dispatchers, self._premises.ca_file, self._premises.pin, self._home)
        connection.identify(known.agent_id, known.secret)
        return connection
