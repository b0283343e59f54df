"""Tokens: secrets that stand for a permission until they expire; stored hashed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, Digest, KeyId


class Token(Base):
    """A token. ``kind`` is ``enrol``; ``once`` ones are spent by their first use.

    With ``team_id`` it is one of that team: who enrols by it is looked for there, and becomes a member. It refers to
    nothing: where there is no such team any more, the token is worth nothing. Likewise with ``run_id`` it is worth
    something as long as its run goes on.
    """

    __tablename__ = "token"

    id: Mapped[KeyId]
    kind: Mapped[str] = mapped_column(String(20))
    hash: Mapped[bytes] = mapped_column(Digest, unique=True)
    once: Mapped[bool]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    team_id: Mapped[UUID | None]
    run_id: Mapped[UUID | None]  #: the run that installs agents by it
    uses_left: Mapped[int | None]  #: how many may still enrol by it; None: any number


class AccessToken(Base):
    """What a client of one dialect says who it is by, in place of a name and a password.

    ``kind`` is ``access`` or ``refresh``; the latter are only good for new ones, and once: ``used_at`` says when that
    was. All that came from one log-in, one after the other, have its ``chain``. Without a login it was given out while
    there was none, and is good as long as there is none.
    """

    __tablename__ = "access_token"

    id: Mapped[KeyId]
    dialect: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(20))
    hash: Mapped[bytes] = mapped_column(Digest, unique=True)
    login_id: Mapped[UUID | None] = mapped_column(ForeignKey("login.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    chain: Mapped[UUID]
    used_at: Mapped[datetime | None]
