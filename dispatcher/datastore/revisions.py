"""Revisions: marks by which caches notice that something was changed, by whichever process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from secrets import randbits

from sqlalchemy import BigInteger, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from dispatcher.datastore.base import Base

LIBRARY = "library"
TOPOLOGY = "topology"
SECURITY = "security"
SETTINGS = "settings"
#: Another one when jobs have been removed; new ones and changes of them leave it.
JOBS = "jobs"
#: Those that the first migration makes.
NAMES = (LIBRARY, TOPOLOGY, SECURITY, SETTINGS)


class Revision(Base):
    """The mark of the named part: another one after every change. The rows are made by migrations."""

    __tablename__ = "revision"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)


class Marks:
    """The marks as a transaction sees them, once it has read them, by *read*. Sessions that share it share them."""

    __slots__ = ("known", "read")

    def __init__(self, read: Callable[[], Mapping[str, int]]) -> None:
        self.known: Mapping[str, int] | None = None
        self.read = read

    def forget(self) -> None:
        """Have them read again: they were changed, or the transaction has ended."""
        self.known = None


#: Where a session has its ``Marks``.
MARKS = "marks"
_CHANGING = "changing"
#: All marks.
CURRENT = select(Revision.name, Revision.value)


def current(session: Session) -> Mapping[str, int]:
    """Return all marks as this session's transaction sees them, read once for it."""
    marks = _marks(session)
    known = marks.known
    if known is None:
        known = marks.known = marks.read()
    return known


def _marks(session: Session) -> Marks:
    marks: Marks | None = session.info.get(MARKS)
    if marks is None:
        marks = session.info[MARKS] = Marks(lambda: dict(session.connection().execute(CURRENT).tuples().all()))
    return marks


def bump(session: Session, name: str) -> None:
    """Note in this transaction that the part *name* changes."""
    # Not the next number but one that never comes again: a transaction that sees this one's changes may fill a cache,
    # and when the commit of both fails, the next change must not be taken for what that cache holds.
    session.execute(update(Revision).where(Revision.name == name).values(value=randbits(62)))
    _marks(session).forget()
    session.info.setdefault(_CHANGING, set()).add(name)


def is_changing(session: Session, name: str) -> bool:
    """Whether this transaction changes the part *name*: what it sees may be rolled back and must not be kept."""
    return name in session.info.get(_CHANGING, ())
