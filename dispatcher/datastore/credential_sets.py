"""Credential sets: the accounts that tasks log in to other computers with, and who they are for."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, KeyId, Updated


class CredentialSet(Updated, Base):
    """An account with its secrets, encrypted. Empty ones are not there."""

    __tablename__ = "credential_set"

    id: Mapped[KeyId]
    name: Mapped[str] = mapped_column(String(255), unique=True)
    description: Mapped[str]
    user_name: Mapped[str] = mapped_column(String(255))
    password: Mapped[str]
    private_key: Mapped[str]
    passphrase: Mapped[str]  #: of the private key
    port: Mapped[int]
    timeout_ms: Mapped[int]


class CredentialUse(Base):
    """An agent or a team that a credential set is assigned to."""

    __tablename__ = "credential_use"

    set_id: Mapped[UUID] = mapped_column(ForeignKey("credential_set.id", ondelete="CASCADE"), primary_key=True)
    object_id: Mapped[UUID] = mapped_column(primary_key=True, index=True)
