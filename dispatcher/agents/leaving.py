"""Leaving: an agent that is taken away from its computer tells a dispatcher, and its entry goes with it."""

from __future__ import annotations

import logging
import time

from dispatcher.agents import identity
from dispatcher.agents.connection import Backoff, Connection, Refused
from dispatcher.agents.runner import STOPPED, AgentSettings
from dispatcher.core.errors import Unavailable
from dispatcher.core.ports import Now

#: How long a dispatcher is waited for that does not answer, in seconds: it may just be started again.
PATIENCE_S = 60.0
log = logging.getLogger(__name__)


def leave(settings: AgentSettings, now: Now) -> int:  # noqa: ARG001 - as ``runner.run``
    """Have the entry of the agent removed, and forget its identity; return the exit code.

    Nothing is done without an identity. The agent itself must have ended.

    :raises Unavailable: if no dispatcher does that within ``PATIENCE_S``: the identity is kept then.
    :raises ValueError: if the stored identity is damaged.
    """
    home = settings.home.absolute()
    known = identity.load(home)
    if known is None:
        return STOPPED
    connection = Connection(settings.dispatchers, settings.ca_file, settings.pin, home)
    connection.identify(known.agent_id, known.secret)
    backoff, until = Backoff(), time.monotonic() + PATIENCE_S
    while True:
        try:
            connection.leave()
        except Refused:  # it is nobody's any more
            break
        except Unavailable:
            wait_s = backoff.next_s()
            if time.monotonic() + wait_s > until:
                raise
            time.sleep(wait_s)
        else:
            break
    (home / identity.FILE).unlink()
    log.info("agent.left agent_id=%s name=%r", known.agent_id, known.name)
    return STOPPED
