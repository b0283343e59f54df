"""Clear texts: passwords that earlier versions stored unencrypted in projects, run books and definitions are sealed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from dispatcher.core.ports import Ports
from dispatcher.datastore import revisions
from dispatcher.datastore.definitions import Definition
from dispatcher.datastore.revisions import Revision
from dispatcher.datastore.settings import Setting
from dispatcher.datastore.transactions import Datastore
from dispatcher.services import key_checks
from dispatcher.services.library import sealing, versions
from dispatcher.services.library.sealing import Sealer
from dispatcher.services.secrets import Secrets

#: Kept with the settings, though nobody can set it: that this has been done. No migration can do it: it has no key.
_DONE = ("library.sealed", "")
#: How many definitions are in memory at a time.
_BATCH = 50

_log = structlog.stdlib.get_logger(__name__)


def seal_all(datastore: Datastore, ports: Ports, secrets: Secrets) -> None:
    """Seal what is stored in the clear, once for a datastore: after that it costs one look.

    Every version is sealed, for jobs run the one that they were scheduled with.

    :raises KeyDoesNotFit: if the key is not the one of the datastore; nothing is sealed then.
    """
    with datastore.read() as session:
        if _is_done(session) and key_checks.is_noted(session, secrets):
            return
    with datastore.begin() as session:
        # As an import does: one at a time.
        session.execute(select(Revision.value).where(Revision.name == revisions.LIBRARY).with_for_update())
        key_checks.require(session, secrets)
        seal_within(session, ports, secrets)


def seal_within(session: Session, ports: Ports, secrets: Secrets) -> None:
    """Do what ``seal_all`` does in a transaction that changes the library, with a key that was checked.

    What it changes says the same as before: no version is made, and what is kept in memory stays right.
    """
    if _is_done(session):
        return
    sealer = Sealer(secrets)  # one for all: what is stored and its newest version stay the same
    for kind in sealing.HOLDERS:
        for holder_id in session.scalars(select(versions.MODELS[kind].id)).all():
            sealing.seal_stored(session, sealer, kind, holder_id)
    count = sum(_seal(session, sealer, *one) for one in _definitions(session))
    session.add(Setting(name=_DONE[0], dispatcher=_DONE[1], value=ports.now().isoformat()))
    if count:
        _log.info("library.sealed", definitions=count)


def _is_done(session: Session) -> bool:
    return session.get(Setting, _DONE) is not None


def _definitions(session: Session) -> Iterator[tuple[UUID, dict[str, Any]]]:
    """Give the definitions of what holds others, a few of them in memory at a time."""
    held = Definition.kind.in_([int(kind) for kind in sealing.HOLDERS])
    query = select(Definition.id, Definition.document).where(held).order_by(Definition.id).limit(_BATCH)
    batch = session.execute(query).tuples().all()
    while batch:
        yield from batch
        batch = session.execute(query.where(Definition.id > batch[-1][0])).tuples().all()


def _seal(session: Session, sealer: Sealer, definition_id: UUID, document: dict[str, Any]) -> bool:
    """Seal what is in the clear in a definition; return whether there was any."""
    try:
        sealed = sealing.seal_document(sealer, document)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # A version that nothing can run may not keep the server from starting.
        _log.error("library.not_sealed", definition=str(definition_id), error=repr(error))
        return False
    if sealed == document:
        return False
    session.execute(update(Definition).where(Definition.id == definition_id).values(document=sealed))
    return True
