"""Settings: what may be changed at run time, for the whole environment or for one dispatcher.

What a process must know before it opens the datastore stands in ``dispatcher.config``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import delete, select

from dispatcher.core.errors import InvalidValue, SettingNotFound
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.settings import Setting
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services import holds
from dispatcher.services.setting_kinds import REGISTRY, Kind, Value

_log = structlog.stdlib.get_logger(__name__)

#: What decides whether runs that wait for a launch window still have to.
_WINDOWS = ("jobs.launch_window", "jobs.outside_launch_window", "webapi.site_time_zone")
#: Given for one dispatcher it takes that one's own value away again (contract section 9).
GLOBAL = "GLOBAL"


@dataclass(frozen=True, slots=True)
class SettingView:
    """A setting as lists show it. ``origin`` is ``default``, ``environment`` or ``dispatcher``."""

    name: str
    value: Value
    origin: str
    kind: Kind


class Snapshot:
    """All settings at one revision; reading from it costs no query."""

    def __init__(self, revision: int, stored: Mapping[tuple[str, str], Value]) -> None:
        self.revision = revision
        self._stored = stored

    def get(self, name: str, dispatcher: str = "") -> Value:
        """Return the value that holds for *dispatcher*: its own, else the environment's, else the default.

        :raises SettingNotFound: if there is no setting *name*.
        """
        return self.view(name, dispatcher).value

    def text(self, name: str, dispatcher: str = "") -> str:
        """Return the value of a setting that is a text."""
        return str(self.get(name, dispatcher))

    def number(self, name: str, dispatcher: str = "") -> int:
        """Return the value of a setting that is a number, in the unit that the setting has."""
        return int(self.get(name, dispatcher))

    def site_zone(self) -> tzinfo:
        """Return the time zone of the site, which moments without a zone are in (contract section 4.2)."""
        name = self.text("webapi.site_time_zone")
        return UTC if name == "UTC" else ZoneInfo(name)

    def web_api_enabled(self, dispatcher: str = "") -> bool:
        """Whether *dispatcher* answers the Web API; where not, every path of it is a 404 (contract section 11)."""
        return self.get("webapi.state", dispatcher) == "ENABLED"

    def view(self, name: str, dispatcher: str) -> SettingView:
        """Return the setting *name* as it holds for *dispatcher*, and where its value comes from.

        :raises SettingNotFound: if there is no setting *name*.
        """
        kind = _kind(name)
        own = self._stored.get((name, dispatcher)) if dispatcher else None
        if own is not None:
            return SettingView(name, own, "dispatcher", kind)
        shared = self._stored.get((name, ""))
        if shared is not None:
            return SettingView(name, shared, "environment", kind)
        return SettingView(name, kind.default, "default", kind)


class Settings:
    """Reads and changes the settings. Safe to share between threads."""

    def __init__(self, datastore: Datastore, ports: Ports) -> None:
        self._datastore = datastore
        self._ports = ports
        self._snapshot: Snapshot | None = None

    def current(self) -> Snapshot:
        """Return the settings as they are now: kept until the ``settings`` revision changes."""
        snapshot = self._snapshot
        if snapshot is not None and self._datastore.revisions()[revisions.SETTINGS] == snapshot.revision:
            return snapshot
        with self._datastore.read() as session:
            revision = revisions.current(session)[revisions.SETTINGS]
            rows = session.execute(select(Setting.name, Setting.dispatcher, Setting.value)).all()
        stored = {(name, owner): REGISTRY[name].parse(name, text) for name, owner, text in rows if name in REGISTRY}
        snapshot = self._snapshot = Snapshot(revision, stored)
        return snapshot

    def get(self, name: str, dispatcher: str = "") -> Value:
        """Return the value that holds for *dispatcher*: its own, else the environment's, else the default.

        :raises SettingNotFound: if there is no setting *name*.
        """
        return self.current().get(name, dispatcher)

    def site_zone(self) -> tzinfo:
        """Return the time zone of the site."""
        return self.current().site_zone()

    def list(self, dispatcher: str = "") -> list[SettingView]:
        """Return all settings as they hold for *dispatcher*, sorted by name."""
        snapshot = self.current()
        return [snapshot.view(name, dispatcher) for name in sorted(REGISTRY)]

    def set(self, name: str, value: str, caller: Caller, dispatcher: str = "") -> SettingView:
        """Give a setting of the environment, or of one dispatcher, a value; return how it stands then.

        ``GLOBAL`` for a dispatcher means: as in the environment. The value holds from the next request on, in
        every process. Needs Modify on Settings.

        :raises SettingNotFound: if there is no setting *name*.
        :raises InvalidValue: if *value* is none that the setting can have.
        """
        caller.require(Right.MODIFY, Node.SETTINGS)
        kind = _kind(name)
        if dispatcher and not kind.per_dispatcher:
            raise InvalidValue(name, "is a setting of the whole environment, not of one dispatcher")
        is_taken_away = bool(dispatcher) and value.strip().upper() == GLOBAL
        text = "" if is_taken_away else str(kind.parse(name, value))
        with self._datastore.begin() as session:
            revisions.bump(session, revisions.SETTINGS)
            if name in _WINDOWS:
                holds.look_again(session, self._ports.now())
            # A longer or shorter launch timeout moves what is due next.
            after_commit(session, self._ports.wakeup.engine)
            if is_taken_away:
                session.execute(delete(Setting).where(Setting.name == name, Setting.dispatcher == dispatcher))
            else:
                session.merge(Setting(name=name, dispatcher=dispatcher, value=text))
        _log.info("setting.changed", setting=name, dispatcher=dispatcher, value=text, by=caller.name)
        return self.current().view(name, dispatcher)


def _kind(name: str) -> Kind:
    try:
        return REGISTRY[name]
    except KeyError:
        raise SettingNotFound(name) from None
