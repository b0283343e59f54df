"""Folders: where library objects are kept, one tree per kind of object."""

from __future__ import annotations

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, KeyId


class Folder(Base):
    """One folder. ``path`` is whole, with ``/`` between names; ``kind`` says what it may hold.

    It stays, and its path never changes: rights on folders are remembered by their paths.
    """

    __tablename__ = "folder"
    __table_args__ = (UniqueConstraint("kind", "path"),)

    id: Mapped[KeyId]
    kind: Mapped[str] = mapped_column(String(20))  #: as the section of library files that its objects are in
    path: Mapped[str] = mapped_column(String(700))
