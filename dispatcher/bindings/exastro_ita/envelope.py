"""The envelope: what every answer of Exastro IT Automation comes in (contract section 3.1)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Generic, Self, TypeVar

from dispatcher.wire.json_api.models import Model

T = TypeVar("T")

SUCCESS = "000-00000"


class Envelope(Model, Generic[T]):
    """An answer that says that all went well."""

    data: T
    message: str = "SUCCESS"
    result: str = SUCCESS
    ts: str

    @classmethod
    def of(cls, data: T, now: datetime) -> Self:
        """Return the answer with *data*, made at *now*. It is not looked at: the services have made it."""
        return cls.model_construct(data=data, message="SUCCESS", result=SUCCESS, ts=to_wire_moment(now))


def failure(result: str, message: object, now: datetime, *, is_of_platform: bool = False) -> dict[str, Any]:
    """Return the members of an answer that says what went wrong; those of the platform have ``data`` as well."""
    body = {"message": message, "result": result, "ts": to_wire_moment(now)}
    return {"data": None, **body} if is_of_platform else body


def to_status(result: str) -> int:
    """Return the HTTP status of a result: its first three digits, and 500 for all that begin with 500 or more."""
    return min(int(result[:3]), 500) if result != SUCCESS else 200


def to_wire_moment(moment: datetime) -> str:
    """Return an aware *moment* as answers say when they were made: UTC, with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
