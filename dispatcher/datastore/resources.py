"""Resources: files that tasks download, each content stored once under its SHA-256."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, Digest, Id, Name, Number, Updated


class Resource(Updated, Base):
    """A file in the library. Its name is unique in its folder."""

    __tablename__ = "resource"
    __table_args__ = (UniqueConstraint("folder_id", "name"),)

    number: Mapped[Number]
    id: Mapped[Id]
    folder_id: Mapped[UUID | None] = mapped_column(ForeignKey("folder.id"))
    name: Mapped[Name]
    description: Mapped[str]
    file_name: Mapped[Name]
    sha256: Mapped[bytes] = mapped_column(Digest, index=True)
    #: What the Ivanti dialect knows of a resource; no task heeds it.
    parse_variables: Mapped[bool] = mapped_column(default=False, server_default=false())
    skip_environment_variables: Mapped[bool] = mapped_column(default=False, server_default=false())


class Content(Base):
    """The bytes of one or more resources, in chunks; of no use until it is complete."""

    __tablename__ = "content"

    sha256: Mapped[bytes] = mapped_column(Digest, primary_key=True)
    size: Mapped[int] = mapped_column(BigInteger)
    is_complete: Mapped[bool]
    created_at: Mapped[datetime]  #: when it was stored, or last needed
    created_by: Mapped[Name] = mapped_column(default="system", server_default="system")  #: the login that brought it


class ContentChunk(Base):
    """Some bytes of a content. All chunks but the last have the same size."""

    __tablename__ = "content_chunk"

    sha256: Mapped[bytes] = mapped_column(Digest, ForeignKey("content.sha256", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes]
