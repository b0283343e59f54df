"""The base of all models: column types that mean the same on every database, and naming of constraints."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID, SafeUUID

import orjson
from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Text,
    text,
)
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator, TypeEngine

_SET = object.__setattr__


class Key(TypeDecorator[UUID]):
    """A uuid: native where the database has the type, else its 16 bytes (which sort by time for uuid7)."""

    impl = LargeBinary(16)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type for *dialect*."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.UUID(as_uuid=True))
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.BINARY(16))
        return dialect.type_descriptor(LargeBinary(16))

    def bind_processor(self, dialect: Dialect) -> Any:
        """Return what turns a uuid into what the driver is given, in one step where that is bytes."""
        return super().bind_processor(dialect) if dialect.name == "postgresql" else _to_bytes

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Return what turns the driver's value into a uuid, in one step where that is bytes."""
        return super().result_processor(dialect, coltype) if dialect.name == "postgresql" else _from_bytes


class Moment(TypeDecorator[datetime]):
    """A moment, aware and in UTC, to the microsecond. A naive value is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the column type for *dialect*."""
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Any:
        """Return what turns a moment into what the driver is given, in one step where that is text."""
        return _to_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Return what turns the driver's value into a moment, in one step where that is text."""
        return _from_text if dialect.name == "sqlite" else super().result_processor(dialect, coltype)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return *value* as the driver wants it: naive UTC where the database keeps no zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}")
        return value if dialect.name == "postgresql" else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the stored moment, aware."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _to_text(value: datetime | None) -> str | None:
    """Return a moment as SQLAlchemy stores it in SQLite: its own two steps take five times as long."""
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"naive datetime {value!r}")
    return _utc_text(value if value.tzinfo is UTC else value.astimezone(UTC))


@lru_cache(maxsize=100)  # most moments of a job are the same
def _utc_text(moment: datetime) -> str:
    if moment.microsecond:
        return orjson.dumps(moment)[1:27].decode().replace("T", " ")  # a quarter of the time, but it leaves out zeros
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def _from_text(value: str | None) -> datetime | None:
    """Return the moment that ``_to_text`` wrote: SQLAlchemy's own two steps take fifteen times as long."""
    return None if value is None else datetime.fromisoformat(value + "+00:00")


def _to_bytes(value: UUID | None) -> bytes | None:
    return None if value is None else value.int.to_bytes(16)


def _from_bytes(value: bytes | None) -> UUID | None:
    if value is None:
        return None
    key = object.__new__(UUID)  # its constructor tries five ways to write one: twice the time
    _SET(key, "int", int.from_bytes(value))
    _SET(key, "is_safe", SafeUUID.unknown)
    return key


def to_json(value: Any) -> str:
    """Return *value* as documents are stored."""
    return orjson.dumps(value).decode()


Document = JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

#: Text that may be longer than MariaDB's 64 KiB TEXT.
LongText = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
#: A name without the case of its letters, as ``str.casefold`` gives it: up to three times as long. Equal is what is
#: written alike.
Folded = String(765).with_variant(mysql.VARCHAR(765, collation="utf8mb4_bin"), "mysql", "mariadb")
#: A SHA-256 digest.
Digest = LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")
LongBinary = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")

#: The vendor-neutral integer by which dialects with integer ids know an object.
Number = Annotated[
    int, mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)
]
Id = Annotated[UUID, mapped_column(Key, unique=True)]
KeyId = Annotated[UUID, mapped_column(Key, primary_key=True)]
Name = Annotated[str, mapped_column(String(255))]
Small = Annotated[int, mapped_column(SmallInteger)]


#: The columns of a row, by name.
Row = Mapping[Any, Any]


class Base(DeclarativeBase):
    """The root of the models."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        UUID: Key,
        datetime: Moment,
        str: LongText,
        bytes: LongBinary,
        dict[str, Any]: Document,
        list[Any]: Document,
    }


def partial_index(name: str, *columns: str, of: str = "") -> Index:
    """Return an index of the rows in which *of*, the first column unless given, is not null.

    Where the database has such indexes, the other rows, most of them, cost nothing when they are inserted.
    """
    present = text(f"{of or columns[0]} IS NOT NULL")
    return Index(name, *columns, sqlite_where=present, postgresql_where=present)


class Updated:
    """Columns that say when and by whom a row was last changed."""

    updated_at: Mapped[datetime]
    updated_by: Mapped[Name]
