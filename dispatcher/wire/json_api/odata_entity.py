"""OData entities: what is shown alone, and which of its fields (contract IES 1.1).

Of the words of queries there is ``$select`` only: nothing else means anything where one thing is asked for.
"""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import Field, GetJsonSchemaHandler, PrivateAttr, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import CoreSchema

from dispatcher.wire.json_api.models import AnyCase, Model
from dispatcher.wire.json_api.odata import SELECT, fields_of, parse_select, read_words


class Entity(Model):
    """What is shown alone."""

    context: str = Field(
        serialization_alias="@odata.context", examples=["http://localhost/api/v2/$metadata#Jobs/$entity"]
    )
    _select: tuple[str, ...] = PrivateAttr(())

    @model_serializer(mode="wrap")
    def _shown(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        members: dict[str, Any] = write(self)
        if not self._select:
            return members
        return {name: one for name, one in members.items() if name in self._select or name.startswith("@")}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        # What is described are the members, not the dictionary that they are written as.
        return handler({name: part for name, part in schema.items() if name != "serialization"})


T = TypeVar("T", bound=Entity)


class EntityWords(AnyCase):
    """The words of a query for one entity; ``show`` obeys them."""

    select: str = Field("", alias="$select", description="The fields to show, with commas between them; * for all.")

    @classmethod
    def words_of(cls, query: str) -> dict[str, str]:
        """Return the words in the raw text *query*.

        :raises InvalidValue: if there are others that begin with ``$``.
        """
        return read_words(query, (SELECT,))

    def show(self, entity: T) -> T:
        """Return *entity* as it is asked for.

        :raises InvalidValue: if it has no such field.
        """
        entity._select = parse_select(self.select, fields_of(type(entity)))
        return entity
