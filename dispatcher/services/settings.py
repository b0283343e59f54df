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
from sqlalchemy.orm import Session

from dispatcher.core.errors import InvalidValue, SettingNotFound
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.settings import Setting
from dispatcher.datastore.transactions import Datastore, after_commit
from dispatcher.services import audit, holds
from dispatcher.services.audit import Subject
from dispatcher.services.setting_kinds import REGISTRY, Kind, Value

_log = structlog.stdlib.get_logger(__name__)

#: What decides whether runs that wait for a launch window still have to.
_WINDOWS = ("jobs.launch_window", "jobs.outside_launch_window", "webapi.site_time_zone")
#: Where the services answer.
_BASE_PATHS = ("webapi.resource_base_path", "webapi.scheduling_base_path")
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

    def __init__(self, revision: int, stored: Mapping[tuple[str, str], Value], dispatcher: str = "") -> None:
        self.revision = revision
        self._stored = stored
        self._dispatcher = dispatcher
        self._found: dict[str, Value] = {}

    def get(self, name: str) -> Value:
        """Return the value that holds here: this dispatcher's own, else the environment's, else the default.

        :raises SettingNotFound: if there is no setting *name*.
        """
        value = self._found.get(name)
        if value is None:
            value = self._found[name] = self.view(name, self._dispatcher).value
        return value

    def text(self, name: str) -> str:
        """Return the value of a setting that is a text."""
        return str(self.get(name))

    def number(self, name: str) -> int:
        """Return the value of a setting that is a number, in the unit that the setting has."""
        return int(self.get(name))

    def site_zone(self) -> tzinfo:
        """Return the time zone of the site, which moments without a zone are in (contract section 4.2)."""
        name = self.text("webapi.site_time_zone")
        return UTC if name == "UTC" else ZoneInfo(name)

    def web_api_enabled(self) -> bool:
        """Whether this dispatcher answers the Web API; else every path of it is a 404 (contract section 11)."""
        return self.get("webapi.state") == "ENABLED"

    def view(self, name: str, dispatcher: str) -> SettingView:
        """Return the setting *name* as it holds for *dispatcher* ("": for those without a value of their own).

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
    """Reads and changes the settings. Safe to share between threads.

    What is read is what holds for *dispatcher*, the name of the one that reads; without it, for the environment.
    """

    def __init__(self, datastore: Datastore, ports: Ports, dispatcher: str = "") -> None:
        self._datastore = datastore
        self._ports = ports
        self._dispatcher = dispatcher
        self._snapshot: Snapshot | None = None

    def current(self) -> Snapshot:
        """Return the settings as they are now: kept until the ``settings`` revision changes."""
        snapshot = self._snapshot
        if snapshot is not None and self._datastore.revisions()[revisions.SETTINGS] == snapshot.revision:
            return snapshot
        with self._datastore.read() as session:
            revision = revisions.current(session)[revisions.SETTINGS]
            snapshot = self._snapshot = Snapshot(revision, _stored(session), self._dispatcher)
        return snapshot

    def known(self) -> Snapshot:
        """Return the settings as ``current`` returned them last, without asking the datastore, which may take long."""
        return self._snapshot or self.current()

    def get(self, name: str, dispatcher: str = "") -> Value:
        """Return the value that holds for *dispatcher*: its own, else the environment's, else the default.

        :raises SettingNotFound: if there is no setting *name*.
        """
        return self.current().view(name, dispatcher).value

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
        :raises InvalidValue: if *value* is none that the setting can have, or does not go with another setting.
        """
        caller.require(Right.MODIFY, Node.SETTINGS)
        kind = _kind(name)
        if dispatcher and not kind.per_dispatcher:
            raise InvalidValue(name, "is a setting of the whole environment, not of one dispatcher")
        if len(dispatcher) > 255:
            raise InvalidValue(name, "the name of a dispatcher has 255 characters at most")
        is_taken_away = bool(dispatcher) and value.strip().upper() == GLOBAL
        text = "" if is_taken_away else str(kind.parse(name, value))
        with self._datastore.begin() as session:
            revisions.bump(session, revisions.SETTINGS)
            if name in _WINDOWS:
                holds.look_again(session, self._ports.now())
            # A longer or shorter launch timeout moves what is due next.
            after_commit(session, self._ports.wakeup.engine)
            self._record(session, name, dispatcher, None if is_taken_away else text, caller)
            if is_taken_away:
                session.execute(delete(Setting).where(Setting.name == name, Setting.dispatcher == dispatcher))
            else:
                session.merge(Setting(name=name, dispatcher=dispatcher, value=text))
            if name in _BASE_PATHS:
                session.flush()
                _check_base_paths(name, _stored(session))
        _log.info("setting.changed", setting=name, dispatcher=dispatcher, value=text, by=caller.name)
        return self.current().view(name, dispatcher)

    def _record(self, session: Session, name: str, dispatcher: str, value: str | None, caller: Caller) -> None:
        """Note for the audit that the setting has the *value* from now on; None: that it has none of its own."""
        stored = session.get(Setting, (name, dispatcher))
        member = f"value of {dispatcher}" if dispatcher else "value"
        old, new = {member: stored and stored.value}, {member: value}
        audit.record(session, self._ports.now(), caller, "setting.changed", Subject("setting", name), old=old, new=new)


def _stored(session: Session) -> dict[tuple[str, str], Value]:
    """Return all values that have been set, by setting and dispatcher."""
    rows = session.execute(select(Setting.name, Setting.dispatcher, Setting.value)).all()
    return {(name, owner): REGISTRY[name].parse(name, text) for name, owner, text in rows if name in REGISTRY}


def _check_base_paths(name: str, stored: Mapping[tuple[str, str], Value]) -> None:
    """Check that at no dispatcher one service would take another's requests.

    :raises InvalidValue: if so; names *name*.
    """
    snapshot = Snapshot(0, stored)
    for dispatcher in {"", *(owner for _, owner in stored)}:
        one, other = (f"{snapshot.view(setting, dispatcher).value}/".lower() for setting in _BASE_PATHS)
        if one.startswith(other) or other.startswith(one):
            at = f" at dispatcher {dispatcher}" if dispatcher else ""
            raise InvalidValue(name, f"both services would answer below {min(one, other, key=len)[:-1]}{at}")


def _kind(name: str) -> Kind:
    try:
        return REGISTRY[name]
    except KeyError:
        raise SettingNotFound(name) from None
