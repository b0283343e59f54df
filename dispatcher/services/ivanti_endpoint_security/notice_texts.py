"""Notice texts: what users are told, with the names of what is installed in it."""

from __future__ import annotations

from dispatcher.tasks.notices.order import MAX_MESSAGE

#: What stands for the names of what is installed (seed: Notify, Message).
PACKAGE_NAME = "{Package Name}"
_BETWEEN, _MORE = ", ", "…"


def fill(message: str, packages: str) -> str:
    """Return *message* with the names *packages* in it, which are cut where it would be too long for a notice."""
    places = message.count(PACKAGE_NAME)
    if not places:
        return message
    room = (MAX_MESSAGE - len(message)) // places + len(PACKAGE_NAME)
    return message.replace(PACKAGE_NAME, shortened(packages, room))


def shortened(packages: str, room: int) -> str:
    """Return the names *packages* in at most *room* characters: without the last ones if they are longer."""
    if len(packages) <= room:
        return packages
    end = packages.rfind(_BETWEEN, 0, room - len(_MORE))
    if end < 0:
        return packages[: max(0, room - len(_MORE))] + _MORE
    return packages[: end + len(_BETWEEN)] + _MORE
