"""Models: the messages of a JSON dialect, and scalars as leniently as old clients write them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from dispatcher.wire.json_reader import Number

_FLAGS = {"true": True, "false": False}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DIGITS = re.compile(r"[+-]?[0-9]{1,19}")


class Model(BaseModel):
    """A message or a part of one: members that it does not know are ignored, and answers keep its order."""

    model_config = ConfigDict(extra="ignore", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class AnyCase(Model):
    """A message whose members are known in any letter case; ``other_names`` are more names of them, in lower case."""

    other_names: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _in_any_case(cls, value: Any) -> Any:
        return in_any_case(value, names_of(cls), cls.other_names) if isinstance(value, dict) else value


class LastWins(Model):
    """As ``AnyCase``, but of two members that mean the same the last counts, as in Ivanti Endpoint Security."""

    other_names: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _in_any_case(cls, value: Any) -> Any:
        return in_any_case(value, names_of(cls), cls.other_names, last_wins=True) if isinstance(value, dict) else value


def names_of(model: type[BaseModel]) -> list[str]:
    """Return the names that the members of *model* have on the wire."""
    return [field.alias or name for name, field in model.model_fields.items()]


def in_any_case(
    members: Mapping[str, Any],
    names: Sequence[str],
    other_names: Mapping[str, str] | None = None,
    *,
    last_wins: bool = False,
) -> dict[str, Any]:
    """Return *members* by those of *names* that they have in any letter case, or by their own names in lower case.

    :raises ValueError: if two mean the same, as a filter in front may have looked at the other one, unless *last_wins*.
    """
    known = {name.lower(): name for name in names} | dict(other_names or {})
    found: dict[str, Any] = {}
    for name, value in members.items():
        member = known.get(name.lower(), name.lower())
        if member in found and not last_wins:
            raise ValueError(f"{member[:50]} is there twice")
        found[member] = value
    return found


def printable(text: str, but: str = "") -> str:
    """Return *text*, the value of a member, which may hold no control characters *but* these.

    :raises PydanticCustomError: if it does.
    """
    if _CONTROLS.search(text.translate(dict.fromkeys(map(ord, but)))):
        raise PydanticCustomError("control_characters", "may not hold control characters")
    return text


def _flag(value: object) -> bool:
    found = _FLAGS.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(found, bool):
        raise PydanticCustomError("flag", "must be true or false")
    return found


def _digits(value: object) -> int:
    number = int(value) if isinstance(value, str) and _DIGITS.fullmatch(value.strip()) else value
    if isinstance(number, bool) or not isinstance(number, int):
        raise PydanticCustomError("digits", "must be a whole number")
    if not -(1 << 63) <= number < 1 << 63:
        raise PydanticCustomError("digits", "must fit into 64 bits")
    return number


def _text(value: object) -> str:
    if isinstance(value, Number):
        return value.text
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise PydanticCustomError("text", "must be a text or a number")
    return str(value)


#: true or false, also in a text and in any case; nothing else.
LaxBool = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"type": ["boolean", "string"]}, mode="validation")]
#: An integer of 64 bits, also as its digits in a text.
Digits = Annotated[int, BeforeValidator(_digits), WithJsonSchema({"type": ["integer", "string"]}, mode="validation")]
#: A text, also a number as it was written.
LaxText = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": ["string", "number"]}, mode="validation")]
