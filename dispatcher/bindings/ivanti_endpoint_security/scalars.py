"""Scalars: values of the messages as leniently as the vendor's reader takes them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

from dispatcher.wire.json_api.models import LaxBool, LaxText, printable

#: The longest name.
MAX_NAME = 255


def _moment(value: object) -> datetime:
    """Return the moment that an ISO 8601 text names; one without a zone is UTC (contract 1.3)."""
    try:
        parsed = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
        if parsed is not None:
            return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise PydanticCustomError("moment", "must be a date and time such as 2031-05-01T06:00:00.000Z")


def _filled(text: str) -> str:
    text = printable(text).strip()
    if not text:
        raise PydanticCustomError("empty", "is empty")
    return text


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(printable(text.strip())))
    except ValueError:
        raise PydanticCustomError("address", "must be an IPv4 or IPv6 address") from None


def _guid(value: object) -> UUID:
    try:
        if isinstance(value, str) and len(value) <= 50:
            return UUID(value.strip())
    except ValueError:
        pass
    raise PydanticCustomError("guid", "must be a GUID")


def default_if_null(default: Any) -> BeforeValidator:
    """Return what takes null for *default*."""
    return BeforeValidator(lambda value: default if value is None else value)


@dataclass(frozen=True, slots=True)
class TextUpTo:
    """What refuses texts of more characters, and describes them."""

    characters: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "maxLength": self.characters}

    def _check(self, text: str) -> str:
        if len(text) > self.characters:
            raise PydanticKnownError("string_too_long", {"max_length": self.characters})
        return text


_EXAMPLE = "2031-05-01T06:00:00.000Z"
#: A moment in ISO 8601, aware and in UTC.
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [_EXAMPLE]}, mode="validation"),
]
#: A text that says something, on one line.
Filled = Annotated[LaxText, AfterValidator(_filled), TextUpTo(MAX_NAME)]
#: A name that may be left out.
Line = Annotated[LaxText, default_if_null(""), AfterValidator(lambda text: printable(text).strip()), TextUpTo(MAX_NAME)]
#: A secret; any text.
Secret = Annotated[LaxText, default_if_null(""), TextUpTo(4_096)]
#: An address as numbers, in its usual spelling.
Address = Annotated[LaxText, AfterValidator(_address), TextUpTo(64)]
#: A GUID in any of its usual spellings.
Guid = Annotated[UUID, BeforeValidator(_guid), WithJsonSchema({"type": "string", "format": "uuid"}, mode="validation")]
#: true or false; null is false.
Flag = Annotated[LaxBool, default_if_null(False)]
FlagOn = Annotated[LaxBool, default_if_null(True)]


@dataclass(frozen=True, slots=True)
class Within:
    """What refuses numbers outside of these bounds, and describes them."""

    lowest: int
    highest: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "minimum": self.lowest, "maximum": self.highest}

    def _check(self, value: int) -> int:
        if not self.lowest <= value <= self.highest:
            raise PydanticCustomError("bounds", f"must be from {self.lowest} to {self.highest}")
        return value
