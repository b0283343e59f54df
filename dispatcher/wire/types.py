"""Types of the wire: Spyne types with the occurrence rules of WCF data contracts (contract section 12).

Value types are ``minOccurs="0"`` and not nillable, reference types are nillable. A member that may be absent from an
answer must be declared with a nillable type: ``MaybeMoment``, ``MaybeFlag``, ``MaybeNumber``.
Members are declared in ordinal (alphabetical) order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from dispatcher.wire import spyne_compat as spyne_compat  # before anything of spyne

# The array names must be set before the first model is defined, hence the order of these imports.
import spyne.const  # isort: skip

spyne.const.ARRAY_PREFIX = "ArrayOf"
spyne.const.ARRAY_SUFFIX = ""
# Spyne's shell would otherwise force a full garbage collection inside a request every second.
spyne.const.MIN_GC_INTERVAL = float("inf")

from spyne import Array, Boolean, ByteArray, ComplexModel, DateTime, Integer32, Unicode  # noqa: E402
from spyne.model.enum import EnumBase  # noqa: E402

#: The namespace of all data types (contract section 12).
DATA_NAMESPACE = "http://schemas.datacontract.org/2004/07/Dispatcher.WebApi"

Text = Unicode
Bytes = ByteArray
Flag = Boolean(nillable=False)
Number = Integer32(nillable=False)
Moment = DateTime(nillable=False)
MaybeFlag = Boolean
MaybeNumber = Integer32
MaybeMoment = DateTime

_Model = TypeVar("_Model")


def array_of(item: type) -> Any:
    """Return the Spyne type of a list of *item*, named ``ArrayOf<item>``."""
    return Array(item)


class DataContract(ComplexModel):  # type: ignore[misc]  # Spyne has no annotations
    """The base of all contract types: puts them into the data namespace."""

    __namespace__ = DATA_NAMESPACE
    __abstract__ = True


class DataContractEnum(EnumBase):  # type: ignore[misc]
    """An enumeration: a name in XML, a number in JSON, and that number inside."""

    #: Name to number, in declared order.
    members: ClassVar[Mapping[str, int]] = {}
    #: Number to name.
    names: ClassVar[Mapping[int, str]] = {}

    @classmethod
    def of(cls, name: str, members: Mapping[str, int], namespace: str = DATA_NAMESPACE) -> Any:
        """Return a new Spyne type *name* with *members* (name to number)."""
        attributes = {
            "__type_name__": name,
            "__namespace__": namespace,
            "__values__": tuple(members),
            "__doc__": None,
            "members": dict(members),
            "names": {number: member for member, number in members.items()},
        }
        declared: Any = type(name, (cls,), attributes)
        return declared.customize(nillable=False)


def new(model: type[_Model], **members: object) -> _Model:
    """Return an instance of the Spyne model *model* with *members*; all others are None.

    Ten times faster than Spyne's own constructor, and keeps the declared order, which the encoders exploit.
    """
    instance = object.__new__(model)
    state = instance.__dict__
    state.update(dict.fromkeys(model._type_info))  # type: ignore[attr-defined]
    state.update(members)
    return instance
