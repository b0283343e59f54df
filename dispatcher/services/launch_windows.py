"""Launch windows: when runs may start on an agent, by its own window, that of its primary team, or the site's."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, tzinfo
from functools import lru_cache

from dispatcher.core import windows
from dispatcher.core.errors import InvalidValue
from dispatcher.core.wallclock import find_zone
from dispatcher.core.windows import Action, Decision, Rule
from dispatcher.services.settings import Settings, Snapshot
from dispatcher.services.topology import Target

START = Decision(Action.START)


class LaunchWindows:
    """Says what a run does at a moment. Reading costs no query as long as nobody changes settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def concern(self, targets: Iterable[Target]) -> bool:
        """Whether any of *targets* has a launch window: if not, there is nothing to decide."""
        site = self._settings.current().text("jobs.launch_window")
        return bool(site) or any(target.launch_window for target in targets)

    def decide(self, target: Target, outside: str | None, now: datetime) -> Decision:
        """Return what a run on *target* does *now*. *outside* is what its job says of starts outside the window."""
        settings = self._settings.current()
        text = target.launch_window or settings.text("jobs.launch_window")
        if not text:
            return START
        return windows.decide(windows.parse(text), _rule(settings, outside), now, self.zone_of(target))

    def zone_of(self, target: Target) -> tzinfo:
        """Return the time zone that the clock of *target* shows, that of the site if it is not known."""
        return _zone(target.time_zone) or self._settings.current().site_zone()


def _rule(settings: Snapshot, outside: str | None) -> Rule:
    # Clients may send any text (contract section 3.1): one that says nothing here is as good as none.
    with suppress(InvalidValue):
        return windows.parse_rule(outside or "")
    return windows.parse_rule(settings.text("jobs.outside_launch_window"))


@lru_cache(maxsize=1_000)
def _zone(name: str) -> tzinfo | None:
    """Return the time zone *name*; None if there is none: agents may say anything."""
    try:
        return find_zone(name)
    except ValueError:
        return None
