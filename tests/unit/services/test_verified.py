"""Verified: what is remembered of callers, and what is known by those who have looked."""

from __future__ import annotations

from dispatcher.core.permissions import SYSTEM
from dispatcher.core.ports import Ports
from dispatcher.datastore.transactions import Datastore
from dispatcher.services.security import TRUST
from dispatcher.services.settings import Settings, Snapshot
from dispatcher.services.verified import MAX_VERIFIED, Verified

REALM = "webapi.realm"


class ChangedOnce(Settings):
    """Settings that somebody changes right after they were read for the first time."""

    _is_changed = False

    def current(self) -> Snapshot:
        snapshot = super().current()
        if not self._is_changed:
            self._is_changed = True
            Settings(self._datastore, self._ports).set(REALM, "another", SYSTEM)
        return snapshot


def test_settings_that_change_while_somebody_looks_are_known_to_the_next(datastore: Datastore, ports: Ports) -> None:
    settings = ChangedOnce(datastore, ports)
    verified = Verified(datastore, settings)
    verified.current()
    verified.current()
    assert settings.known().text(REALM) == "another"


def test_only_so_much_is_remembered(datastore: Datastore, ports: Ports) -> None:
    verified = Verified(datastore, Settings(datastore, ports))
    known = verified.current()
    until = ports.now() + TRUST
    for digest in (b"%d" % number for number in range(MAX_VERIFIED + 1)):
        verified.remember(known, digest, SYSTEM, until)
        verified.note(known, digest, digest)
    assert not verified.remembers(b"0", ports.now())
    assert verified.remembers(b"%d" % MAX_VERIFIED, ports.now())
    assert max(len(known.callers), len(known.digests)) <= MAX_VERIFIED
