"""The identity of an agent, kept in a file of its home that only its account can read."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel

FILE = "identity.json"


class StoredIdentity(BaseModel):
    """Who the agent is, and the dispatchers it is known to."""

    agent_id: UUID
    secret: str
    name: str
    dispatchers: list[str]


def load(home: Path) -> StoredIdentity | None:
    """Return the identity in *home*, or None before the first enrolment.

    :raises ValueError: if the file is damaged.
    """
    file = home / FILE
    return StoredIdentity.model_validate_json(file.read_bytes()) if file.exists() else None


def save(home: Path, identity: StoredIdentity) -> None:
    """Store *identity* in *home*, durably and whole or not at all."""
    temporary = home / f"{FILE}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(identity.model_dump_json().encode())
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(home / FILE)
