"""Types of the wire: Spyne types with the occurrence rules of WCF data contracts (contract section 12).

Value types are ``minOccurs="0"`` and not nillable, reference types are nillable. A member that may be absent from an
answer must be declared with a nillable type: ``MaybeMoment``, ``MaybeFlag``, ``MaybeNumber``.
Members are declared in ordinal (alphabetical) order.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, ClassVar, TypeVar

from dispatcher.wire import spyne_compat as spyne_compat  # before anything of spyne

# The array names must be set before the first model is defined, hence the order of these imports.
import spyne.const  # isort: skip

spyne.const.ARRAY_PREFIX = "ArrayOf"
spyne.const.ARRAY_SUFFIX = ""
# Spyne's shell would otherwise force a full garbage collection inside a request every second.
spyne.const.MIN_GC_INTERVAL = float("inf")

from spyne import Array, Boolean, ByteArray, ComplexModel, DateTime, Integer32, Integer64, Unicode  # noqa: E402
from spyne.model.enum import EnumBase  # noqa: E402

#: The namespace of all data types (contract section 12).
DATA_NAMESPACE = "http://schemas.datacontract.org/2004/07/Dispatcher.WebApi"
#: The namespace of lists of texts, numbers and so on, and of their items (contract section 8.6).
ARRAYS_NAMESPACE = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"

Text = Unicode
Bytes = ByteArray
Flag = Boolean(nillable=False)
Number = Integer32(nillable=False)
Long = Integer64(nillable=False)
Moment = DateTime(nillable=False)
MaybeFlag = Boolean
MaybeNumber = Integer32
MaybeMoment = DateTime

_Model = TypeVar("_Model")


def array_of(item: type) -> Any:
    """Return the Spyne type of a list of *item*, named ``ArrayOf<item>``."""
    array: Any = Array(item)
    if kind_of(item) not in (Kind.RECORD, Kind.ENUM, Kind.ARRAY):
        array.__namespace__ = ARRAYS_NAMESPACE
    return array


class DataContract(ComplexModel):  # type: ignore[misc]  # Spyne has no annotations
    """The base of all contract types: puts them into the data namespace. A new instance has all members, as None."""

    __namespace__ = DATA_NAMESPACE
    __abstract__ = True
    #: Members that nothing depends on: what cannot be read of them is as good as missing.
    passed_over: ClassVar[frozenset[str]] = frozenset()

    __init__ = object.__init__  # Spyne's own takes twenty times as long

    def __init_subclass__(cls) -> None:
        """Put None in place of the members' types, which are in the type info by now.

        Python keeps the members of an instance in a row, without a dictionary, if one of the first instances had them.
        """
        first = cls()
        for name in (cls.__orig__ or cls)._type_info:
            setattr(cls, name, None)
            setattr(first, name, None)


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


class Kind(Enum):
    """What a Spyne type is on the wire; the values of simple ones are WCF's names for them."""

    TEXT = "string"
    FLAG = "boolean"
    NUMBER = "int"
    LONG = "long"
    MOMENT = "dateTime"
    BYTES = "base64Binary"
    ENUM = "enum"
    RECORD = "record"
    ARRAY = "array"


# In this order: an array is a complex model for Spyne.
_KINDS = (
    (DataContractEnum, Kind.ENUM),
    (Array, Kind.ARRAY),
    (ComplexModel, Kind.RECORD),
    (Boolean, Kind.FLAG),
    (Integer32, Kind.NUMBER),
    (Integer64, Kind.LONG),
    (DateTime, Kind.MOMENT),
    (ByteArray, Kind.BYTES),
    (Unicode, Kind.TEXT),
)


@cache
def kind_of(spyne_type: Any) -> Kind:
    """Return what *spyne_type* is on the wire.

    :raises TypeError: if it is none of the types that this module offers.
    """
    for base, kind in _KINDS:
        if issubclass(spyne_type, base):
            return kind
    raise TypeError(f"{spyne_type!r} is no type of the wire kit")


@cache
def members_of(model: Any) -> Mapping[str, Any]:
    """Return the members of a complex type with their types: those of its bases first, each in declared order."""
    return dict(model.get_flat_type_info(model))


def item_of(array: Any) -> tuple[str, Any]:
    """Return the name and the type of the items of *array*."""
    ((name, item),) = array._type_info.items()
    return name, item


def new(model: type[_Model], **members: object) -> _Model:
    """Return an instance of the Spyne model *model* with *members*; all others are None.

    Twenty times faster than Spyne's own constructor; and it keeps the declared order if *members* are given in that,
    which the encoders exploit.
    """
    instance = object.__new__(model)
    declared = members_of(model)  # type: ignore[arg-type]  # mypy takes no class for hashable
    instance.__dict__ = members if len(members) == len(declared) else {**dict.fromkeys(declared), **members}
    return instance


def blank(model: type[_Model]) -> Any:
    """Return an instance of the Spyne model *model* without members: all of them are to be set, in declared order.

    Five times faster than ``new`` for models with many members: Python keeps what is set in this way without a
    dictionary, and calls with more than 15 names are slow.
    """
    return object.__new__(model)
