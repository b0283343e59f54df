"""Dispatchers: the serving processes over one datastore, as they announce themselves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from dispatcher.datastore.base import Base, KeyId, Name


class Dispatcher(Base):
    """A serving process. One whose heartbeat is old has died."""

    __tablename__ = "dispatcher"

    id: Mapped[KeyId]
    name: Mapped[Name]  #: that settings of its own are kept under
    host: Mapped[Name]
    pid: Mapped[int]
    version: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    is_draining: Mapped[bool]


DISPATCHERS: Any = Dispatcher.__table__
