"""OData queries: the words that lists are filtered, sorted and cut by, and the shape of such a list (contract IES 1.1).

There are ``$filter``, ``$orderby`` by one field, ``$top``, ``$skip``, ``$count`` and ``$select``. Every other word that
begins with ``$`` is refused; those without it are the client's own business (OData 4.0 part 2, 5.2).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import UnionType
from typing import Annotated, Any, Generic, Self, TypeVar, Union, get_args, get_origin
from urllib.parse import quote, unquote_plus, urlencode
from uuid import UUID

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)
from pydantic_core import CoreSchema, PydanticCustomError

from dispatcher.core.errors import InvalidValue
from dispatcher.wire.http import Request
from dispatcher.wire.json_api.failures import invalid_message
from dispatcher.wire.json_api.models import AnyCase, LaxBool, Model
from dispatcher.wire.json_api.odata_filter import FILTER, Kind, Term, field_of, parse_filter

#: How many words a query may have, and how long their values may be.
MAX_WORDS = 100
MAX_CHARS = 8_192
SELECT = "$select"
_NAMES = (FILTER, "$orderby", "$top", "$skip", "$count", SELECT)
_DIRECTIONS = {"asc": False, "desc": True}
_KINDS: Mapping[Any, Kind] = {
    str: Kind.TEXT,
    int: Kind.NUMBER,
    float: Kind.NUMBER,
    bool: Kind.FLAG,
    datetime: Kind.MOMENT,
    UUID: Kind.GUID,
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Order:
    """By what a list is sorted; what has no value comes first, or last if it is descending."""

    field: str
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for of a list: ``top`` (None: all) of those that meet all ``terms``, sorted, after ``skip``."""

    terms: tuple[Term, ...] = ()
    order: Order | None = None
    skip: int = 0
    top: int | None = None
    is_counted: bool = False
    select: tuple[str, ...] = ()  #: the fields that are shown; none: all of them

    def fits(self, entity: Any, value_of: Callable[[Any, str], Any] = getattr) -> bool:
        """Whether *entity* meets all conditions."""
        return all(term.fits(value_of(entity, term.field)) for term in self.terms)

    def apply(self, entities: Iterable[T], value_of: Callable[[Any, str], Any] = getattr) -> tuple[list[T], int]:
        """Return the page of *entities* that is asked for, and how many meet the conditions."""
        found = [one for one in entities if self.fits(one, value_of)]
        if self.order is not None:
            field = self.order.field
            found.sort(key=lambda one: _sortable(value_of(one, field)), reverse=self.order.is_descending)
        end = None if self.top is None else self.skip + self.top
        return found[self.skip : end], len(found)


def _amount(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch("[0-9]{1,9}", value.strip()):
        raise PydanticCustomError("amount", "must be a whole number of at most nine digits")
    return value


#: A number of entities.
Amount = Annotated[int, Field(ge=0), BeforeValidator(_amount)]


class Words(AnyCase):
    """The words of a query as they are sent; ``query`` says what they mean."""

    filter: str = Field(
        "",
        alias="$filter",
        description="Conditions joined by 'and': Field eq literal, or contains(Field,'text'). "
        "Texts stand in single quotes, where '' is one, and are compared without regard to case: "
        "contains(Name,'lab').",
    )
    orderby: str = Field("", alias="$orderby", description="The field to sort by, and asc or desc behind it.")
    top: Amount | None = Field(None, alias="$top", description="How many to show.")
    skip: Amount = Field(0, alias="$skip", description="How many to leave out before that.")
    count: LaxBool = Field(False, alias="$count", description="Whether to tell how many meet the conditions.")
    select: str = Field("", alias="$select", description="The fields to show, with commas between them; * for all.")

    @classmethod
    def words_of(cls, query: str) -> dict[str, str]:
        """Return the words in the raw text *query*; see ``read_words``."""
        return read_words(query)

    def behind(self, count: int) -> str:
        """Return the raw text of the query for what comes behind the first *count* entities."""
        words = {
            FILTER: self.filter,
            "$orderby": self.orderby,
            "$top": "" if self.top is None else self.top - count,
            "$skip": self.skip + count,
            "$count": "true" if self.count else "",
            "$select": self.select,
        }
        return urlencode({name: value for name, value in words.items() if value != ""}, safe="$,", quote_via=quote)

    def query(self, fields: Mapping[str, Kind]) -> Query:
        """Return what is asked for of a list whose entities have *fields*.

        :raises InvalidValue: if that cannot be, as there is no such field.
        """
        return Query(
            terms=parse_filter(self.filter, fields),
            order=_order(self.orderby, fields),
            skip=self.skip,
            top=self.top,
            is_counted=self.count,
            select=parse_select(self.select, fields),
        )


class Listed(Model, Generic[T]):
    """A list as it is answered. ``of`` makes it."""

    context: str = Field(alias="@odata.context", examples=["http://localhost/api/v2/$metadata#Jobs"])
    count: int | None = Field(None, alias="@odata.count", description="How many there are, if $count asks for it.")
    value: list[T]
    next_link: str | None = Field(
        None, alias="@odata.nextLink", description="Where the list goes on, if that is not all that was asked for."
    )
    _select: tuple[str, ...] = PrivateAttr(())

    @classmethod
    def of(cls, context: str, page: Sequence[T], total: int, query: Query, next_link: str | None = None) -> Self:
        """Return the answer to *query*: a *page* of the *total* of entities that meet its conditions.

        *next_link* is where the rest of what is asked for is, if this is not all of it.
        """
        count = total if query.is_counted else None
        listed = cls.model_validate({"context": context, "count": count, "value": [*page], "next_link": next_link})
        listed._select = query.select
        return listed

    @model_serializer(mode="wrap")
    def _shown(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        members: dict[str, Any] = write(self)
        if self.count is None:
            members.pop("@odata.count", None)
        if self.next_link is None:
            members.pop("@odata.nextLink", None)
        if self._select:
            entities = members["value"]
            members["value"] = [{name: one[name] for name in one if name in self._select} for one in entities]
        return members

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        # What is described are the members, not the dictionary that they are written as.
        return handler({name: part for name, part in schema.items() if name != "serialization"})


def parse_query(text: str, fields: Mapping[str, Kind]) -> Query:
    """Return what the raw query *text* asks for of a list whose entities have *fields*.

    :raises BadRequest: if that cannot be.
    """
    try:
        words = Words.model_validate(read_words(text))
    except ValidationError as error:
        raise invalid_message(error) from None
    return words.query(fields)


def read_words(text: str, names: Sequence[str] = _NAMES) -> dict[str, str]:
    """Return the words of the raw query *text* that begin with ``$``, by their names in lower case, which are *names*.

    :raises InvalidValue: if there is no such word, one is there twice, or there are too many or too long ones.
    """
    if text.count("&") >= MAX_WORDS:
        raise InvalidValue("query", f"has more than {MAX_WORDS} words")
    words: dict[str, str] = {}
    for pair in text.split("&"):
        name, _, value = (unquote_plus(part) for part in pair.partition("="))
        name = name.strip().lower()
        if not name.startswith("$"):
            continue
        if name not in names:
            raise InvalidValue(name[:50], f"is not supported here, only {', '.join(names)}")
        if name in words:
            raise InvalidValue(name, "is there twice")
        if len(value) > MAX_CHARS:
            raise InvalidValue(name, f"is longer than {MAX_CHARS} characters")
        if "\0" in value:
            raise InvalidValue(name, "may not hold a NUL character")
        words[name] = value
    return words


def fields_of(model: type[BaseModel]) -> dict[str, Kind]:
    """Return the fields that entities have on the wire, in their order, with what they hold; none of ``@odata``."""
    fields = ((field.serialization_alias or name, field.annotation) for name, field in model.model_fields.items())
    return {name: _kind(annotation) for name, annotation in fields if not name.startswith("@")}


def context(request: Request, base: str, name: str) -> str:
    """Return what tells clients the kind of an answer, such as ``http://host/api/v2/$metadata#Jobs``.

    *base* is the path that all begin with; *name* that of a list, with ``/$entity`` behind it for one of its entities.
    """
    return f"{request.root}{base}/$metadata#{name}"


def _order(text: str, fields: Mapping[str, Kind]) -> Order | None:
    if not text.strip():
        return None
    name, *direction = text.split()
    if "," in text or len(direction) > 1 or (direction and direction[0].lower() not in _DIRECTIONS):
        raise InvalidValue("$orderby", "must be one field, with asc or desc behind it or nothing")
    field = field_of(name, fields, "$orderby")
    if fields[field] is Kind.OTHER:
        raise InvalidValue("$orderby", f"{field} has no order")
    return Order(field, bool(direction) and _DIRECTIONS[direction[0].lower()])


def parse_select(text: str, fields: Mapping[str, Kind]) -> tuple[str, ...]:
    """Return those of *fields* that are to be shown, in their order; none: all of them.

    :raises InvalidValue: if there is no such field.
    """
    if not text.strip():
        return ()
    names = text.split(",")
    if len(names) > MAX_WORDS:
        raise InvalidValue(SELECT, f"has more than {MAX_WORDS} fields")
    if any(name.strip() == "*" for name in names):
        return ()
    wanted = {field_of(name, fields, SELECT) for name in names}
    return tuple(field for field in fields if field in wanted)


def _kind(annotation: Any) -> Kind:
    """Return what a member with *annotation* holds; it may be optional."""
    choices = [one for one in _choices(annotation) if one is not type(None)]
    kinds = {
        kind for one in choices for known, kind in _KINDS.items() if isinstance(one, type) and issubclass(one, known)
    }
    if bool in choices:
        return Kind.FLAG  # it is a number to Python
    return kinds.pop() if len(kinds) == 1 and len(choices) == 1 else Kind.OTHER


def _choices(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Annotated:
        return _choices(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(choice for one in get_args(annotation) for choice in _choices(one))
    return (annotation,)


def _sortable(value: Any) -> tuple[bool, Any]:
    return value is not None, value.casefold() if isinstance(value, str) else value
