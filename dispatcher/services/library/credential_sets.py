"""Library credential sets: the ``credential_sets`` section of library files. Secrets that are not given stay."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from dispatcher.datastore import revisions
from dispatcher.datastore.credential_sets import CredentialSet, CredentialUse
from dispatcher.services.library import aliases
from dispatcher.services.library.claiming import claim_named
from dispatcher.services.library.entries import CredentialSetEntry
from dispatcher.services.library.items import Item, Outcome
from dispatcher.services.library.names import Names
from dispatcher.services.library.sections import Exporting, Importing

_SECRETS = ("password", "private_key", "passphrase")


class CredentialSetSection:
    """Credential sets, and the agents and teams that they are for."""

    name = "credential_sets"
    entry = CredentialSetEntry
    revision = revisions.LIBRARY

    def names(self, session: Session) -> Names:
        """Return what is stored."""
        stored = session.execute(select(CredentialSet.id, CredentialSet.name))
        return Names("credential set", [(key, "", name) for key, name in stored])

    def check(self, item: Item[CredentialSetEntry]) -> None:
        """Note aliases, which credential sets cannot have."""
        aliases.check(item, item.entry.aliases, self.name)

    def claim(self, importing: Importing, item: Item[CredentialSetEntry]) -> None:
        """Give the item the set with its id, else that of its name, else a new one."""
        new = CredentialSet(password="", private_key="", passphrase="")
        if claim_named(importing, item, new) and item.assign(name=item.entry.name):
            item.changed(importing.now, importing.caller.name)

    def fill(self, importing: Importing, item: Item[CredentialSetEntry]) -> None:
        """Make the row what the entry says; agents and teams that are not given stay."""
        entry = item.entry
        changed = item.assign(
            user_name=entry.user, description=entry.description, port=entry.port, timeout_ms=entry.timeout_ms
        )
        for member in _SECRETS:
            changed |= _set_secret(importing, item, member, getattr(entry, member))
        if changed or item.outcome is Outcome.CREATED:
            item.changed(importing.now, importing.caller.name)
        importing.session.add(item.row)
        importing.session.flush()
        if _assign(importing, item):
            item.changed(importing.now, importing.caller.name)

    def dump(self, exporting: Exporting, key: UUID) -> dict[str, Any]:
        """Return the stored set *key* as a member of the section, without its secrets."""
        row = exporting.session.get_one(CredentialSet, key)
        uses = select(CredentialUse.object_id).where(CredentialUse.set_id == key)
        owners = set(exporting.session.scalars(uses))
        entry: dict[str, Any] = {"name": row.name, "id": str(row.id), "description": row.description}
        entry |= {"user": row.user_name, "port": row.port, "timeout_ms": row.timeout_ms}
        for member in ("agents", "teams"):
            names = exporting.names[member]
            entry[member] = [names.shortest(one) for one in names.sorted() if one in owners]
        return entry


def _set_secret(importing: Importing, item: Item[CredentialSetEntry], member: str, given: str) -> bool:
    """Store the secret, unless it is not given or the same; return whether that changed anything."""
    # Sealing it again would give another text, and look like a change.
    if not given or importing.secrets.holds(getattr(item.row, member), given):
        return False
    setattr(item.row, member, importing.secrets.seal(given))
    item.note(member, "", "changed")
    return True


def _assign(importing: Importing, item: Item[CredentialSetEntry]) -> bool:
    """Assign the set to the agents and teams that are given; return whether that changed anything."""
    session, entry, changed = importing.session, item.entry, False
    mine = CredentialUse.set_id == item.row.id
    stored = set(session.scalars(select(CredentialUse.object_id).where(mine)))
    for section, texts in (("agents", entry.agents), ("teams", entry.teams)):
        if texts is None:
            continue
        names = importing.names[section]
        found = [importing.find(section, text, item, section, place) for place, text in enumerate(texts)]
        wanted = {key for key in found if key is not None}
        before = {key for key in stored if key in names}
        if wanted == before:
            continue
        item.note(section, *(sorted(map(names.shortest, some)) for some in (before - wanted, wanted - before)))
        session.execute(delete(CredentialUse).where(mine, CredentialUse.object_id.in_(before - wanted)))
        session.add_all(CredentialUse(set_id=item.row.id, object_id=key) for key in sorted(wanted - before))
        changed = True
    return changed
