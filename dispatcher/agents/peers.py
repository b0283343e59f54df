"""Peers: what an agent does for other agents of its network."""

from __future__ import annotations

import logging

from dispatcher.core.errors import DispatcherError
from dispatcher.core.networks import Networks
from dispatcher.tasks import wake_on_lan

log = logging.getLogger(__name__)


def wake(
    networks: Networks, macs: list[str], address: str = wake_on_lan.BROADCAST, port: int = wake_on_lan.PORT
) -> None:
    """Wake the computers with these MAC addresses. If that fails, the log says so: the dispatcher asks again."""
    for mac in macs:  # one by one: not every network card has an address of this kind
        try:
            wake_on_lan.wake(networks, [mac], address, port)
        except (DispatcherError, OSError) as error:
            log.warning("peers.not_woken mac=%r error=%s", mac, error)
        else:
            log.info("peers.woken mac=%s", mac)
