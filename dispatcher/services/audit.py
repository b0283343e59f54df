"""Audit: an entry for every change that a person or client makes: who, when, what, and what it was before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, collate, insert, literal, or_, select
from sqlalchemy.orm import Session

from dispatcher.core.errors import InvalidValue
from dispatcher.core.permissions import Caller, Node, Right
from dispatcher.datastore.audit import AUDIT
from dispatcher.datastore.transactions import Datastore

#: The longest page of entries that a caller may ask for.
MAX_PAGE_SIZE = 1_000
#: How much of a text is kept, in characters.
MAX_TEXT = 2_000

Values = Mapping[str, Any]
"""What something was, or is, by the names of its members. Never a secret."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a change is of: its ``kind``, such as ``agent``, its name, and its id if it has one."""

    kind: str
    name: str
    id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to a subject: an action such as ``agent.removed``, and what the subject was before and is now."""

    action: str
    subject: Subject
    old: Values | None = None
    new: Values | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change. ``number`` grows with time; ``login`` is empty where no login existed, ``address`` if none is known.

    ``old`` and ``new`` hold what has changed; ``old`` is None for what was made, ``new`` for what was removed.
    """

    number: int
    at: datetime
    login: str
    address: str
    action: str
    subject: Subject
    old: Values | None
    new: Values | None


def record(
    session: Session,
    at: datetime,
    caller: Caller,
    action: str,
    subject: Subject,
    *,
    old: Values | None = None,
    new: Values | None = None,
) -> None:
    """Note in the transaction of *session* that *caller* has changed *subject* from *old* to *new*.

    *action* is what was done to it, such as ``agent.removed``. With both *old* and *new* only the members that differ
    are kept, and nothing is noted if there are none. Whoever calls this leaves secrets out of both.
    """
    record_all(session, at, caller, [Change(action, subject, old, new)])


def record_all(session: Session, at: datetime, caller: Caller, changes: Iterable[Change]) -> None:
    """Note *changes* in order, each as ``record`` does, all at once: locks are held for less long."""
    rows = [_to_row(at, caller, change) for change in changes if _differs(change)]
    if rows:
        session.connection().execute(insert(AUDIT), rows)


def named(name: str, key: UUID) -> str:
    """Return how the values of an entry call something else: by its name, which others may have, and its id."""
    return f"{name} ({key})"


class Audit:
    """Reads the entries."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore

    def list(
        self,
        caller: Caller,
        *,
        since: datetime | None = None,
        login: str | None = None,
        subject: str | None = None,
        action: str | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[AuditEntry]:
        """Return at most *limit* entries, newest first; from the entry with the number *before* on back, if given.

        *subject* is an id or a name. An *action* without a dot, such as ``agent``, means all that begin with it.
        Needs Read on Security.

        :raises InvalidValue: if *limit* is not between 1 and ``MAX_PAGE_SIZE``.
        """
        caller.require(Right.READ, Node.SECURITY)
        if not 1 <= limit <= MAX_PAGE_SIZE:
            raise InvalidValue("limit", f"must be between 1 and {MAX_PAGE_SIZE}")
        query = select(AUDIT).order_by(AUDIT.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(AUDIT.c.number < before)
        if since is not None:
            query = query.where(AUDIT.c.at >= since)
        if login is not None:
            query = query.where(self._is(AUDIT.c.login, login))
        if subject is not None:
            query = query.where(self._is_of(subject))
        if action is not None:
            is_any = AUDIT.c.action.startswith(f"{action}.", autoescape=True)
            query = query.where(or_(AUDIT.c.action == action, is_any))
        with self._datastore.read() as session:
            rows = session.execute(query).all()
        return [_to_entry(row) for row in rows]

    def _is_of(self, text: str) -> Any:
        try:
            return AUDIT.c.object_id == UUID(text)
        except ValueError:
            return self._is(AUDIT.c.object_name, text[:255])

    def _is(self, column: Any, text: str) -> Any:
        """Whether *column* is *text* as it is written."""
        usual, exact = column == text, self._datastore.traits.exact_collation
        # The usual comparison as well, because that is the one an index helps with.
        return usual if exact is None else and_(usual, column == collate(literal(text), exact))


def _differs(change: Change) -> bool:
    """Whether there is anything to note of *change*."""
    return change.old is None or change.new is None or bool(_different(change.old, change.new))


def _different(old: Values, new: Values) -> list[str]:
    return [name for name in {**old, **new} if old.get(name) != new.get(name)]


def _to_row(at: datetime, caller: Caller, change: Change) -> dict[str, Any]:
    old, new = change.old, change.new
    if old is not None and new is not None:
        different = _different(old, new)
        old, new = ({name: values[name] for name in different if name in values} for values in (old, new))
    return {
        "at": at,
        "login": caller.name[:255],
        "address": caller.address[:64],
        "action": change.action,
        "object_kind": change.subject.kind,
        "object_id": change.subject.id,
        "object_name": change.subject.name[:255],
        "old": _to_document(old),
        "new": _to_document(new),
    }


def _to_entry(row: Any) -> AuditEntry:
    subject = Subject(row.object_kind, row.object_name, row.object_id)
    return AuditEntry(row.number, row.at, row.login, row.address, row.action, subject, row.old, row.new)


def _to_document(values: Values | None) -> dict[str, Any] | None:
    return None if values is None else {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> Any:
    """Return *value* as JSON has it; texts that are too long end with how long they are."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return f"{value[:MAX_TEXT]}… ({len(value)} characters)"
    if isinstance(value, Mapping):
        return _to_document(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
